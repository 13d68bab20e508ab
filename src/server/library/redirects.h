// Where what clients have pulled may come from after redirects: from where --pull-from says.
#pragma once

#include <string>
#include <vector>

#include "http/http_client.h"

namespace galen::server {

// place: what --pull-from calls where the model is pulled from: "hub", "ollama", or a host. first
// and next: origins (OriginOf) of the request and of the redirect. Allowed are the request's own
// host, hosts that --pull-from names, and of "hub" and "ollama" those that they keep their files
// at, over TLS and at public addresses. InvalidArgument.
Result<RedirectTo> MayRedirect(const std::vector<std::string>& pull_from, const std::string& place,
                               const std::string& first, const std::string& next);

}  // namespace galen::server

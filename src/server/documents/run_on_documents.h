// From an endpoint to the pool of threads for documents.
#pragma once

#include <functional>
#include <memory>
#include <stop_token>

#include "server/http/reply.h"
#include "server/services.h"

namespace galen::server {

// Queues the work; 429 where too much waits. When the client leaves, the work is asked to stop, or
// dropped where it has not begun. What the work throws ends its request, not the process. Until it
// ends, the request's body stays charged against the server's limit.
void RunOnDocuments(const Services& services, const HttpRequest& request,
                    const std::shared_ptr<Reply>& reply, std::stop_source stop,
                    std::function<void()> work);

}  // namespace galen::server

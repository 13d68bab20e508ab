// What /openapi.json says of galen's own endpoints.
#pragma once

#include <string_view>

#include "base/json.h"
#include "server/options.h"

namespace galen::server {

// Sets requestBody, parameters and the answers of an endpoint of ours; leaves those of others.
void DescribeOwn(std::string_view method, std::string_view path, const ServerOptions& options,
                 Json* operation);

// The schema of a field that may be null, which is the same as absent.
void AllowNull(Json* schema);

// For components.schemas.
Json OwnSchemas();

}  // namespace galen::server

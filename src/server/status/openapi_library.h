// What /openapi.json says of the endpoints that change models.
#pragma once

#include <string_view>

#include "base/json.h"

namespace galen::server {

// Sets requestBody and answers of such an endpoint; leaves those of others.
void DescribeLibrary(std::string_view method, std::string_view path, Json* operation);

}  // namespace galen::server

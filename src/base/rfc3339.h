// Times as RFC 3339 writes them, in UTC.
#pragma once

#include <cstdint>
#include <string>

namespace galen {

// seconds since 1970: "2026-08-01T12:30:00Z".
std::string Rfc3339(int64_t seconds);
// With nanoseconds.
std::string Rfc3339Now();

}  // namespace galen

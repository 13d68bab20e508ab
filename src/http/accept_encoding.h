// Which coding of a body a client takes (RFC 9110, 12.5.3).
#pragma once

#include <string_view>

namespace galen {

// Whether a client whose Accept-Encoding is `header` is to get gzip: it names it (or `*`) with a
// weight above 0 that is not below the one that it gives to `identity`. A client that says nothing
// gets the bytes as they are: that is what programs expect that know no codings.
bool PrefersGzip(std::string_view header);

}  // namespace galen

// gzip members unpacked in memory, no further than asked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/status.h"

namespace galen {

bool IsGzip(std::span<const uint8_t> bytes);

// The first `wanted` bytes of what `bytes` unpack to, or all of it if that is less: a packed bomb
// costs no more memory than `wanted`. Fails with kDataLoss on corrupt data. A member that is cut
// off gives what was there.
Result<std::vector<uint8_t>> Inflate(std::span<const uint8_t> bytes, size_t wanted);

}  // namespace galen

// Work on hostile bytes in a forked child, for a decoder that aborts where it should return an
// error. OpenJPEG 2.5.0 as Debian builds it has assertions in its HTJ2K decoder that a crafted
// stream reaches.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/status.h"

namespace galen::dicom {

// Runs fn in a child, which shares the memory of this process as it is now and nothing afterwards
// but `size` bytes for its result, at most `seconds` of processor time and without standard error.
// fn returns whether it succeeded. It may allocate; it must take no lock that another thread of
// this process may hold. kDataLoss when fn failed, was killed or aborted; kResourceExhausted when
// it took too long; kIo when there is no child.
Result<std::vector<uint8_t>> RunIsolated(size_t size, int seconds,
                                         const std::function<bool(std::span<uint8_t>)>& fn);

}  // namespace galen::dicom

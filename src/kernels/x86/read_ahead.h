// How far ahead of the multiplication weights are fetched from memory.
#pragma once

#include <cstdint>

namespace galen {

// Bytes. Measured (docs/SPEED.md): on Zen 4 the processor's own prefetching, which follows what is
// read, works best, and far ahead is worse than not at all; on Xeons with AMX, 256 bytes leave half
// of the bandwidth unused.
int64_t ReadAheadBytes();

}  // namespace galen

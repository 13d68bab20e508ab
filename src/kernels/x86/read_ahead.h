// How far ahead of the multiplication weights are fetched from memory.
#pragma once

#include <cstdint>

namespace galen {

struct ReadAhead {
  int64_t bytes;
  bool second_level;  // into the second cache only, not the first
};

// Measured (docs/SPEED.md): on Zen 4 the processor's own prefetching, which follows what is read,
// works best, and far ahead is worse than not at all; on Xeons with AMX 256 bytes leave half of the
// bandwidth unused.
ReadAhead ReadAheadHere();

}  // namespace galen

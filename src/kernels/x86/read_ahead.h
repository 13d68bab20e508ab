// How far ahead of the multiplication weights are fetched from memory.
#pragma once

#include <cstdint>

namespace galen {

struct ReadAhead {
  int64_t bytes;
  bool second_level;  // into the second cache only, not the first
};

// rows: that each weight is multiplied with. Measured (docs/SPEED.md): on Zen 4 a single row is
// read fastest by the processor's own prefetching, which follows what is read, and far ahead is
// worse than not at all; several rows are slower than memory, which that prefetching, ending with
// each page and with two groups to follow, leaves waiting. On Zen 5 8 KiB into the first cache read
// a tenth more than 256 bytes, also for a single row. On Xeons with AMX 256 bytes leave half of the
// bandwidth unused.
ReadAhead ReadAheadHere(int64_t rows);

}  // namespace galen

// Loops of independent multiply-adds that do nothing else, per instruction set.
#pragma once

#include <cstdint>

#include "kernels/isa.h"

namespace galen {

struct RateLoops {
  // Each runs `iterations` rounds of *_ops operations (a multiply-add counts two). Null where there
  // are no such products.
  void (*fp32)(int64_t iterations) = nullptr;
  void (*bf16)(int64_t iterations) = nullptr;
  void (*int8)(int64_t iterations) = nullptr;
  double fp32_ops = 0, bf16_ops = 0, int8_ops = 0;
  // Reads `bytes` (a multiple of 256 * streams) of memory in `streams` (1 to 4) interleaved parts
  // by the widest loads, fetching `ahead` bytes in front (0: not at all), and folds them.
  uint64_t (*read)(const uint8_t* data, int64_t bytes, int64_t streams, int64_t ahead) = nullptr;
};

RateLoops RateLoopsFor(Isa isa);

}  // namespace galen

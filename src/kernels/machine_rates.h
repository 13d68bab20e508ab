// Loops of independent multiply-adds that do nothing else, per instruction set.
#pragma once

#include <cstdint>

#include "kernels/isa.h"

namespace galen {

struct RateLoops {
  // Each runs `iterations` rounds of *_ops operations (a multiply-add counts two). Null where there are no such products.
  void (*fp32)(int64_t iterations) = nullptr;
  void (*bf16)(int64_t iterations) = nullptr;
  void (*int8)(int64_t iterations) = nullptr;
  double fp32_ops = 0, bf16_ops = 0, int8_ops = 0;
};

RateLoops RateLoopsFor(Isa isa);

}  // namespace galen

// The product of encoders: a block of rows that stays in a core's cache times a whole weight, with
// what follows fused in. Against kernels/linear.h the loops are turned around: the weight streams
// by, and all of K is summed in registers, so that sums go where they are wanted at once.
#pragma once

#include <cstdint>

#include "kernels/linear.h"

namespace galen {

// kGelu: x times the normal distribution function, the erf form. kQuickGelu: x sigmoid(1.702 x),
// CLIP's.
enum class ActivationKind : uint8_t { kGeluTanh, kGelu, kQuickGelu, kSilu, kRelu };

// y = act(x W^T + bias) over the rows of an operand that KernelTable::linear_prepare made for
// `plan` (kBf16Panels, or kDigits1 for weights in q8_0).
struct RowProduct {
  LinearPlan plan = LinearPlan::kBf16Panels;
  WeightView w;                 // kTile16
  const float* bias = nullptr;  // [N] or null
  const void* x = nullptr;      // operand, its row 0
  int64_t rows = 0;
  // Called on vectors of sums, n a multiple of 16 (KernelTable::activation); null: none.
  void (*activate)(ActivationKind kind, const float* x, int64_t n, float* y) = nullptr;
  ActivationKind activation = ActivationKind::kGeluTanh;
  // KernelTable::linear_prepare; needed for an operand of kDigits1.
  void (*prepare)(const float* x, int64_t ldx, int64_t begin, int64_t end,
                  const LinearOperand& operand) = nullptr;
  // Where to: fp32 rows, set or (accumulate) added to ...
  float* y = nullptr;
  int64_t ldy = 0;
  bool accumulate = false;
  // ... or, if not null, the operand of a product over K' = w.rows under the same plan (kDigits1:
  // over K' in whole blocks of 32; parts then start at even units).
  void* operand = nullptr;
};

}  // namespace galen

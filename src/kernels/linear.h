// The matrix product y[M,N] = x[M,K] * W[N,K]^T + bias, in steps that an op spreads over the
// workers of a pool. W is a packed weight: N rows (output features) of K values (input features) in
// any block format.
#pragma once

#include <cstdint>

#include "tensor/dtype.h"

namespace galen {

// How the bytes of a weight are arranged. kRows is the file's own order. kTile16 interleaves 16
// rows so that a vector lane is an output feature; the format of the blocks stays what it was
// (docs/formats/tile16.md).
enum class WeightLayout : uint8_t { kRows, kTile16 };

struct WeightView {
  const uint8_t* data = nullptr;
  DType dtype = DType::kF32;
  WeightLayout layout = WeightLayout::kRows;
  int64_t rows = 0;  // N, output features
  int64_t cols = 0;  // K, input features
};

// The arithmetic that the user chose.
enum class Compute : uint8_t {
  kBf16,  // operands of products of many rows rounded to bf16, sums in fp32
  kFp32,  // reference mode
  kInt8,  // activations quantised per row and block of 32 where many rows are multiplied
};

// The arithmetic of one product: which operand form x takes. Chosen by KernelTable::plan_linear.
enum class LinearPlan : uint8_t {
  kF32Rows,     // few rows, plain weights: fp32
  kF32Panels,   // many rows: weight and x in fp32
  kBf16Panels,  // many rows: weight and x rounded to bf16, sums in fp32
  // Few rows, weights that are tables of 16 floats (NF4, FP4): x and the tables as integers of 16
  // bits, with a scale per 32 columns of x; sums of 16 products are exact.
  kWords,
  // x as block-wise fixed point of 1, 2 or 3 digits of base 128 (an int8 each) per 32 columns,
  // multiplied with the weight's integer codes in exact int32 sums: 1 digit is Compute::kInt8; 2
  // are finer than bf16 (2^-14 of the block's largest value), 3 (2^-21) stand for fp32.
  // docs/decisions/0002-fixed-point-decode.md says why.
  kDigits1,
  kDigits2,
  kDigits3,
};

// Digits of a kDigits plan, else 0.
inline int PlanDigits(LinearPlan plan) {
  return plan < LinearPlan::kDigits1
             ? 0
             : static_cast<int>(plan) - static_cast<int>(LinearPlan::kDigits1) + 1;
}

// Operand x in the form that a plan wants; owned by the caller's scratch.
struct LinearOperand {
  LinearPlan plan;
  int64_t m = 0;
  int64_t k = 0;
  void* data = nullptr;  // linear_operand_bytes(plan, m, k)
};

struct LinearOutput {
  float* y = nullptr;  // row i starts at y + i * ldy
  int64_t ldy = 0;
  const float* bias = nullptr;  // [N] or null
  bool accumulate = false;      // y += instead of y =
};

}  // namespace galen

// The definition of the matrix product, in plain C++. Every faster version is tested against it.
//   kF32Rows, kF32Panels  x and decoded W as they are
//   kBf16Panels           both rounded to bf16 (nearest even)
//   kDigits1              x quantised per row and block of 32 (scale = absmax / 127, nearest even),
//   W as it is
// Sums are fp32 in kLanes partial sums. Operand: x after that rounding, as float [m, k], for every
// plan.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/kernel_table.h"

namespace galen {
namespace {

constexpr int64_t kUnitRows = 16;
constexpr int64_t kLanes = 16;
constexpr int64_t kInt8Block = 32;

int64_t PackedBytes(DType dtype, int64_t rows, int64_t cols) {
  return rows * RowBytes(dtype, cols);
}

void PackRows(DType dtype, const uint8_t* src, int64_t, int64_t cols, int64_t row0, int64_t row1,
              uint8_t* dst) {
  const int64_t row_bytes = RowBytes(dtype, cols);
  if (row1 > row0)
    std::memcpy(dst + row0 * row_bytes, src + row0 * row_bytes, (row1 - row0) * row_bytes);
}

// Values [col0, col1) of one row; col0 is a multiple of the block length.
void DecodeRow(const WeightView& w, int64_t row, int64_t col0, int64_t col1, float* values) {
  GALEN_DCHECK(w.layout == WeightLayout::kRows);
  const BlockFormat& format = FormatOf(w.dtype);
  const uint8_t* blocks =
      w.data + row * RowBytes(w.dtype, w.cols) + col0 / format.block_elems * format.block_bytes;
  format.decode(blocks, values, (col1 - col0) / format.block_elems);
}

void DecodeRows(const WeightView& w, const int32_t* ids, int64_t begin, int64_t end, float* y,
                int64_t ldy) {
  for (int64_t i = begin; i < end; ++i) DecodeRow(w, ids[i], 0, w.cols, y + i * ldy);
}

LinearPlan PlanLinear(const WeightView&, int64_t m, Compute compute, bool invariant) {
  if (compute == Compute::kFp32 || (m == 1 && !invariant)) return LinearPlan::kF32Rows;
  return compute == Compute::kInt8 ? LinearPlan::kDigits1 : LinearPlan::kBf16Panels;
}

int64_t OperandBytes(LinearPlan, int64_t m, int64_t k) {
  return m * k * static_cast<int64_t>(sizeof(float));
}

void RoundToBf16(float* values, int64_t n) {
  for (int64_t i = 0; i < n; ++i) values[i] = Bf16ToFloat(FloatToBf16(values[i]));
}

void RoundToInt8Blocks(float* values, int64_t n) {
  for (int64_t b = 0; b < n; b += kInt8Block) {
    const int64_t end = std::min(b + kInt8Block, n);
    float largest = 0;
    for (int64_t i = b; i < end; ++i) largest = std::max(largest, std::fabs(values[i]));
    if (largest == 0) continue;
    const float scale = largest / 127.0f;
    for (int64_t i = b; i < end; ++i) values[i] = std::nearbyint(values[i] / scale) * scale;
  }
}

void Prepare(const float* x, int64_t ldx, int64_t begin, int64_t end,
             const LinearOperand& operand) {
  const int64_t k = operand.k;
  for (int64_t i = begin; i < end; ++i) {
    float* row = static_cast<float*>(operand.data) + i * k;
    std::copy_n(x + i * ldx, k, row);
    if (operand.plan == LinearPlan::kBf16Panels) RoundToBf16(row, k);
    if (operand.plan == LinearPlan::kDigits1) RoundToInt8Blocks(row, k);
  }
}

int64_t Units(const WeightView& w) { return (w.rows + kUnitRows - 1) / kUnitRows; }

int64_t ScratchBytes(LinearPlan, int64_t, int64_t k) {
  return k * static_cast<int64_t>(sizeof(float));
}

float Dot(const float* a, const float* b, int64_t n) {
  float lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int64_t j = 0; j < kLanes; ++j) lanes[j] += a[i + j] * b[i + j];
  }
  for (int64_t j = 0; i + j < n; ++j) lanes[j] += a[i + j] * b[i + j];
  for (int64_t width = kLanes / 2; width > 0; width /= 2) {
    for (int64_t j = 0; j < width; ++j) lanes[j] += lanes[j + width];
  }
  return lanes[0];
}

void ComputeUnits(const WeightView& w, const LinearOperand& operand, int64_t unit0, int64_t unit1,
                  const LinearOutput& out, void* scratch) {
  const int64_t k = operand.k;
  float* values = static_cast<float*>(scratch);
  for (int64_t n = unit0 * kUnitRows; n < std::min(unit1 * kUnitRows, w.rows); ++n) {
    DecodeRow(w, n, 0, k, values);
    if (operand.plan == LinearPlan::kBf16Panels) RoundToBf16(values, k);
    for (int64_t i = 0; i < operand.m; ++i) {
      float sum = Dot(static_cast<const float*>(operand.data) + i * k, values, k);
      if (out.bias != nullptr) sum += out.bias[n];
      float* y = out.y + i * out.ldy + n;
      *y = out.accumulate ? *y + sum : sum;
    }
  }
}

int64_t BackwardScratchBytes(const WeightView& w) {
  return w.cols * static_cast<int64_t>(sizeof(float));
}

void BackwardInput(const WeightView& w, const float* dy, int64_t m, int64_t col0, int64_t col1,
                   float* dx, bool accumulate, void* scratch) {
  float* values = static_cast<float*>(scratch);
  const int64_t width = col1 - col0;
  for (int64_t i = 0; i < m && !accumulate; ++i) std::fill_n(dx + i * w.cols + col0, width, 0.0f);
  for (int64_t n = 0; n < w.rows; ++n) {
    DecodeRow(w, n, col0, col1, values);
    for (int64_t i = 0; i < m; ++i) {
      const float d = dy[i * w.rows + n];
      float* dst = dx + i * w.cols + col0;
      for (int64_t j = 0; j < width; ++j) dst[j] += d * values[j];
    }
  }
}

void BackwardWeight(const float* dy, const float* x, int64_t m, int64_t n, int64_t k, int64_t n0,
                    int64_t n1, float* dw) {
  for (int64_t r = n0; r < n1; ++r) {
    float* dst = dw + r * k;
    for (int64_t i = 0; i < m; ++i) {
      const float d = dy[i * n + r];
      const float* row = x + i * k;
      for (int64_t j = 0; j < k; ++j) dst[j] += d * row[j];
    }
  }
}

}  // namespace

void AddRefLinear(KernelTable* table) {
  table->weight_layout = WeightLayout::kRows;
  table->packed_bytes = PackedBytes;
  table->pack_rows = PackRows;
  table->decode_rows = DecodeRows;
  table->plan_linear = PlanLinear;
  table->linear_operand_bytes = OperandBytes;
  table->linear_prepare = Prepare;
  table->linear_units = Units;
  table->linear_scratch_bytes = ScratchBytes;
  table->linear_compute = ComputeUnits;
  table->linear_backward_scratch_bytes = BackwardScratchBytes;
  table->linear_backward_input = BackwardInput;
  table->linear_backward_weight = BackwardWeight;
}

}  // namespace galen

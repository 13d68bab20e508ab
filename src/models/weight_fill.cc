#include "models/weight_fill.h"

#include <cstring>
#include <vector>

namespace galen {

int64_t InterleavedRow(int64_t row, int64_t head_dim) {
  const int64_t half = head_dim / 2;
  const int64_t head = row / head_dim;
  const int64_t i = row % head_dim;
  return head * head_dim + (i < half ? 2 * i : 2 * (i - half) + 1);
}

void GatherHalfSplitRows(const uint8_t* src, int64_t row_bytes, int64_t head_dim, int64_t row0,
                         int64_t row1, uint8_t* dst) {
  for (int64_t row = row0; row < row1; ++row) {
    std::memcpy(dst + (row - row0) * row_bytes, src + InterleavedRow(row, head_dim) * row_bytes,
                static_cast<size_t>(row_bytes));
  }
}

void GatherColumns(const uint8_t* src, int64_t value_bytes, int64_t rows, int64_t cols,
                   int64_t row0, int64_t row1, uint8_t* dst) {
  for (int64_t row = row0; row < row1; ++row) {
    for (int64_t col = 0; col < cols; ++col, dst += value_bytes) {
      std::memcpy(dst, src + (col * rows + row) * value_bytes, static_cast<size_t>(value_bytes));
    }
  }
}

void FillVector(const ParamSpec& spec, const TensorInfo& tensor, bool gguf, float* dst) {
  const BlockFormat& format = FormatOf(tensor.dtype);
  format.decode(tensor.bytes.data(), dst, spec.rows / format.block_elems);
  if (!gguf) {
    for (int64_t i = 0; i < spec.rows; ++i) dst[i] += spec.hf_offset;
  } else if (spec.gguf_interleaved_heads > 0) {
    const std::vector<float> stored(dst, dst + spec.rows);
    const int64_t head_dim = spec.rows / spec.gguf_interleaved_heads;
    for (int64_t i = 0; i < spec.rows; ++i) dst[i] = stored[InterleavedRow(i, head_dim)];
  }
}

}  // namespace galen

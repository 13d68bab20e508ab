#include "kernels/x86/tile16.h"

#include "base/status.h"

namespace galen::tile16 {
namespace {

int64_t RoundUp(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }

int64_t CodeBytes(DType dtype) {
  switch (dtype) {
    case DType::kQ4_0:
    case DType::kQ4_1:
    case DType::kQ4_K:
    case DType::kIQ4_NL:
    case DType::kIQ4_XS:
      return kNibBytes;
    case DType::kQ5_0:
    case DType::kQ5_1:
    case DType::kQ5_K:
      return kNibBytes + kBit1Bytes;
    case DType::kQ6_K:
      return kNibBytes + kBit2Bytes;
    case DType::kQ3_K:
      return kBit2Bytes + kBit1Bytes;
    case DType::kQ2_K:
      return kBit2Bytes;
    case DType::kQ8_0:
      return kByteBytes;
    case DType::kF16:
    case DType::kBF16:
      return kWord2Bytes;
    case DType::kF32:
      return kFloatBytes;
    default:
      GALEN_CHECK(!"a weight format");
  }
}

}  // namespace

bool IsSuperblock(DType dtype) { return FormatOf(dtype).block_elems == kSuper; }

int64_t ScaleUnitBytes(DType dtype) {
  switch (dtype) {
    case DType::kQ4_0:
    case DType::kQ5_0:
    case DType::kQ8_0:
    case DType::kIQ4_NL:
      return 32;  // d
    case DType::kQ4_1:
    case DType::kQ5_1:
      return 64;  // d, m
    case DType::kQ4_K:
    case DType::kQ5_K:
      return 64 + 8 * 16 + 8 * 16;  // d, dmin, scales, mins
    case DType::kQ6_K:
    case DType::kQ3_K:
      return 32 + 16 * 16;  // d, scales of 16 columns
    case DType::kQ2_K:
      return 64 + 16 * 16;  // d, dmin, scale | min << 4
    case DType::kIQ4_XS:
      return 32 + 8 * 16;
    default:
      return 0;
  }
}

Shape ShapeOf(DType dtype, int64_t rows, int64_t cols) {
  Shape shape;
  shape.chunks = (cols + kChunk - 1) / kChunk;
  shape.code_bytes = CodeBytes(dtype);
  const int64_t unit = ScaleUnitBytes(dtype);
  shape.scale_bytes = RoundUp(IsSuperblock(dtype) ? unit : kStripChunks * unit, 64);
  shape.strip_bytes = shape.scale_bytes + kStripChunks * shape.code_bytes;
  const int64_t last = shape.chunks % kStripChunks;
  shape.last_scale_bytes = RoundUp(last * unit, 64);
  shape.group_bytes = shape.chunks / kStripChunks * shape.strip_bytes + shape.last_scale_bytes +
                      last * shape.code_bytes;
  shape.groups = (rows + kRows - 1) / kRows;
  return shape;
}

int64_t PackedBytes(DType dtype, int64_t rows, int64_t cols) {
  const Shape shape = ShapeOf(dtype, rows, cols);
  return shape.groups * shape.group_bytes;
}

}  // namespace galen::tile16

#include "kernels/x86/tile16.h"

#include <immintrin.h>

#include <algorithm>
#include <cstring>

#include "base/status.h"
#include "tensor/formats/bnb_4bit.h"
#include "tensor/formats/bnb_int8.h"
#include "tensor/formats/iq4_xs.h"
#include "tensor/formats/q2_k.h"
#include "tensor/formats/q3_k.h"
#include "tensor/formats/q4_0.h"
#include "tensor/formats/q4_1.h"
#include "tensor/formats/q4_k.h"
#include "tensor/formats/q5_0.h"
#include "tensor/formats/q5_1.h"
#include "tensor/formats/q5_k.h"
#include "tensor/formats/q6_k.h"
#include "tensor/formats/q8_0.h"

// Written for BMI2 (pdep), which Isa::kAvx2 includes; nothing here is called on lesser machines.
#pragma GCC push_options
#pragma GCC target("bmi,bmi2")

namespace galen::tile16 {
namespace {

// Of a chunk: half of the 16 fp32 scales of 64 columns.
constexpr int64_t kF32ScaleBytes = 32;
constexpr uint64_t kEach = 0x0101010101010101;  // times b: the byte b in all eight places

int64_t RoundUp(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }

int64_t CodeBytes(DType dtype) {
  switch (dtype) {
    case DType::kQ4_0:
    case DType::kQ4_1:
    case DType::kQ4_K:
    case DType::kIQ4_NL:
    case DType::kIQ4_XS:
    case DType::kNF4:
    case DType::kFP4:
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
    case DType::kINT8:
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

// Low nibbles of eight bytes, high nibbles of eight bytes.
uint64_t Low(uint64_t bytes) { return bytes & (15 * kEach); }
uint64_t High(uint64_t bytes) { return (bytes >> 4) & (15 * kEach); }

uint64_t Load8(const uint8_t* p) {
  uint64_t v;
  std::memcpy(&v, p, 8);
  return v;
}

// Where row r of a chunk's planes goes. `codes` are 32 values, eight to a word.
struct RowWriter {
  uint8_t* chunk;
  int64_t row;

  void Nibbles(const uint64_t codes[4], int64_t offset) const {
    for (int i = 0; i < 4; ++i) {
      const uint64_t nibbles = codes[i] & (15 * kEach);
      Store(offset + 64 * i, static_cast<uint32_t>(nibbles | nibbles >> 28));
    }
  }
  void Bit1(const uint64_t codes[4], int64_t offset, int bit) const {
    uint64_t bits = 0;
    for (int i = 0; i < 4; ++i) bits |= ((codes[i] >> bit) & kEach) << (2 * i);
    Store(offset, static_cast<uint32_t>(bits | bits >> 31));
  }
  void Bit2(const uint64_t codes[4], int64_t offset, int bit) const {
    for (int i = 0; i < 2; ++i) {
      const uint64_t bits =
          ((codes[2 * i] >> bit) & (3 * kEach)) | ((codes[2 * i + 1] >> bit) & (3 * kEach)) << 4;
      Store(offset + 64 * i, static_cast<uint32_t>(bits | bits >> 30));
    }
  }
  void Store(int64_t offset, uint32_t dword) const {
    std::memcpy(chunk + offset + 4 * row, &dword, 4);
  }
};

// ---- formats of 32 columns: one block is one chunk

void PutHalf(uint8_t* unit, int64_t offset, int64_t row, uint16_t half) {
  std::memcpy(unit + offset + 2 * row, &half, 2);
}

template <class Block>
void Codes4(const Block& block, uint64_t codes[4]) {
  const uint64_t a = Load8(block.qs), b = Load8(block.qs + 8);
  codes[0] = Low(a), codes[1] = Low(b), codes[2] = High(a), codes[3] = High(b);
}

template <class Block>
void Codes5(const Block& block, uint64_t codes[4]) {
  Codes4(block, codes);
  for (int i = 0; i < 4; ++i) codes[i] |= _pdep_u64(block.qh[i], kEach << 4);
}

template <class Block>
void PackBlock32(const Block& block, uint8_t* scales, uint8_t* chunk, int64_t row);

template <>
void PackBlock32(const BlockQ4_0& block, uint8_t* scales, uint8_t* chunk, int64_t row) {
  uint64_t codes[4];
  Codes4(block, codes);
  PutHalf(scales, 0, row, block.d);
  RowWriter{chunk, row}.Nibbles(codes, 0);
}
template <>
void PackBlock32(const BlockIQ4_NL& block, uint8_t* scales, uint8_t* chunk, int64_t row) {
  uint64_t codes[4];
  Codes4(block, codes);
  PutHalf(scales, 0, row, block.d);
  RowWriter{chunk, row}.Nibbles(codes, 0);
}
template <>
void PackBlock32(const BlockQ4_1& block, uint8_t* scales, uint8_t* chunk, int64_t row) {
  uint64_t codes[4];
  Codes4(block, codes);
  PutHalf(scales, 0, row, block.d);
  PutHalf(scales, 32, row, block.m);
  RowWriter{chunk, row}.Nibbles(codes, 0);
}
template <>
void PackBlock32(const BlockQ5_0& block, uint8_t* scales, uint8_t* chunk, int64_t row) {
  uint64_t codes[4];
  Codes5(block, codes);
  PutHalf(scales, 0, row, block.d);
  RowWriter{chunk, row}.Nibbles(codes, 0);
  RowWriter{chunk, row}.Bit1(codes, kNibBytes, 4);
}
template <>
void PackBlock32(const BlockQ5_1& block, uint8_t* scales, uint8_t* chunk, int64_t row) {
  uint64_t codes[4];
  Codes5(block, codes);
  PutHalf(scales, 0, row, block.d);
  PutHalf(scales, 32, row, block.m);
  RowWriter{chunk, row}.Nibbles(codes, 0);
  RowWriter{chunk, row}.Bit1(codes, kNibBytes, 4);
}
template <>
void PackBlock32(const BlockQ8_0& block, uint8_t* scales, uint8_t* chunk, int64_t row) {
  PutHalf(scales, 0, row, block.d);
  for (int i = 0; i < 8; ++i) {
    uint32_t four;
    std::memcpy(&four, block.qs + 4 * i, 4);
    RowWriter{chunk, row}.Store(64 * i, four ^ 0x80808080u);
  }
}

// ---- superblocks of 256 columns: eight chunks

template <class Block>
void PackSuper(const Block& block, uint8_t* scales, uint8_t* chunks, int64_t row);

// Columns 32c..32c+31 of 4-bit codes in the K-quants' order: each 64 columns share 32 bytes.
void Codes4K(const uint8_t* qs, int c, uint64_t codes[4]) {
  for (int i = 0; i < 4; ++i) {
    const uint64_t bytes = Load8(qs + 32 * (c / 2) + 8 * i);
    codes[i] = c % 2 == 0 ? Low(bytes) : High(bytes);
  }
}

template <class Block>
void PackScaleMins(const Block& block, uint8_t* scales, int64_t row) {
  PutHalf(scales, 0, row, block.d);
  PutHalf(scales, 32, row, block.dmin);
  for (int g = 0; g < 8; ++g) {
    const ScaleMin6 pair = UnpackScaleMin6(block.scales, g);
    scales[64 + 16 * g + row] = pair.scale;
    scales[192 + 16 * g + row] = pair.min;
  }
}

template <>
void PackSuper(const BlockQ4_K& block, uint8_t* scales, uint8_t* chunks, int64_t row) {
  PackScaleMins(block, scales, row);
  for (int c = 0; c < 8; ++c) {
    uint64_t codes[4];
    Codes4K(block.qs, c, codes);
    RowWriter{chunks + c * kNibBytes, row}.Nibbles(codes, 0);
  }
}
template <>
void PackSuper(const BlockQ5_K& block, uint8_t* scales, uint8_t* chunks, int64_t row) {
  PackScaleMins(block, scales, row);
  for (int c = 0; c < 8; ++c) {
    uint64_t codes[4];
    Codes4K(block.qs, c, codes);
    for (int i = 0; i < 4; ++i) codes[i] |= ((Load8(block.qh + 8 * i) >> c) & kEach) << 4;
    const RowWriter writer{chunks + c * (kNibBytes + kBit1Bytes), row};
    writer.Nibbles(codes, 0);
    writer.Bit1(codes, kNibBytes, 4);
  }
}
template <>
void PackSuper(const BlockQ6_K& block, uint8_t* scales, uint8_t* chunks, int64_t row) {
  PutHalf(scales, 0, row, block.d);
  for (int g = 0; g < 16; ++g) scales[32 + 16 * g + row] = static_cast<uint8_t>(block.scales[g]);
  for (int c = 0; c < 8; ++c) {
    // A half of 128 columns: chunk q = c % 4 of it takes nibble q / 2 of low bytes 32 (q % 2)..,
    // bits 2q of the high bytes.
    const uint8_t* low = block.ql + 64 * (c / 4) + 32 * (c % 2);
    const uint8_t* high = block.qh + 32 * (c / 4);
    uint64_t codes[4];
    for (int i = 0; i < 4; ++i) {
      const uint64_t bytes = Load8(low + 8 * i);
      codes[i] = c % 4 < 2 ? Low(bytes) : High(bytes);
      codes[i] |= ((Load8(high + 8 * i) >> (2 * (c % 4))) & (3 * kEach)) << 4;
    }
    const RowWriter writer{chunks + c * (kNibBytes + kBit2Bytes), row};
    writer.Nibbles(codes, 0);
    writer.Bit2(codes, kNibBytes, 4);
  }
}
template <>
void PackSuper(const BlockQ3_K& block, uint8_t* scales, uint8_t* chunks, int64_t row) {
  PutHalf(scales, 0, row, block.d);
  int8_t unpacked[16];
  UnpackScalesQ3_K(block.scales, unpacked);
  for (int g = 0; g < 16; ++g) scales[32 + 16 * g + row] = static_cast<uint8_t>(unpacked[g]);
  for (int c = 0; c < 8; ++c) {
    const uint8_t* qs = block.qs + 32 * (c / 4);
    uint64_t codes[4];
    for (int i = 0; i < 4; ++i) {
      codes[i] = (Load8(qs + 8 * i) >> (2 * (c % 4))) & (3 * kEach);
      codes[i] |= ((Load8(block.hmask + 8 * i) >> c) & kEach) << 2;
    }
    const RowWriter writer{chunks + c * (kBit2Bytes + kBit1Bytes), row};
    writer.Bit2(codes, 0, 0);
    writer.Bit1(codes, kBit2Bytes, 2);
  }
}
template <>
void PackSuper(const BlockQ2_K& block, uint8_t* scales, uint8_t* chunks, int64_t row) {
  PutHalf(scales, 0, row, block.d);
  PutHalf(scales, 32, row, block.dmin);
  for (int g = 0; g < 16; ++g) scales[64 + 16 * g + row] = block.scales[g];
  for (int c = 0; c < 8; ++c) {
    uint64_t codes[4];
    for (int i = 0; i < 4; ++i) {
      codes[i] = (Load8(block.qs + 32 * (c / 4) + 8 * i) >> (2 * (c % 4))) & (3 * kEach);
    }
    RowWriter{chunks + c * kBit2Bytes, row}.Bit2(codes, 0, 0);
  }
}
template <>
void PackSuper(const BlockIQ4_XS& block, uint8_t* scales, uint8_t* chunks, int64_t row) {
  PutHalf(scales, 0, row, block.d);
  for (int g = 0; g < 8; ++g)
    scales[32 + 16 * g + row] = static_cast<uint8_t>(ScaleIQ4_XS(block, g));
  for (int c = 0; c < 8; ++c) {
    const uint64_t a = Load8(block.qs + 16 * c), b = Load8(block.qs + 16 * c + 8);
    const uint64_t codes[4] = {Low(a), Low(b), High(a), High(b)};
    RowWriter{chunks + c * kNibBytes, row}.Nibbles(codes, 0);
  }
}

// ---- whole groups

struct GroupArgs {
  const uint8_t* src;  // first row of the group
  int64_t row_bytes;
  int64_t rows;  // 1..16
  int64_t cols;
  uint8_t* group;
  const Shape* shape;
};

template <class Block>
void PackGroup32(const GroupArgs& g, int64_t scale_unit) {
  for (int64_t c = 0; c < g.cols / 32; ++c) {
    for (int64_t r = 0; r < g.rows; ++r) {
      PackBlock32(reinterpret_cast<const Block*>(g.src + r * g.row_bytes)[c],
                  g.group + g.shape->StripOffset(c) + c % kStripChunks * scale_unit,
                  g.group + g.shape->CodesOffset(c), r);
    }
  }
}

template <class Block>
void PackGroupSuper(const GroupArgs& g) {
  for (int64_t s = 0; s < g.cols / kSuper; ++s) {
    for (int64_t r = 0; r < g.rows; ++r) {
      uint8_t* strip = g.group + s * g.shape->strip_bytes;
      PackSuper(reinterpret_cast<const Block*>(g.src + r * g.row_bytes)[s], strip,
                strip + g.shape->scale_bytes, r);
    }
  }
}

// Two chunks with the scale that they share.
void PackGroupBnb4(const GroupArgs& g) {
  for (int64_t c = 0; c < g.cols / kChunk; c += 2) {
    for (int64_t r = 0; r < g.rows; ++r) {
      const BlockBnb4& block =
          reinterpret_cast<const BlockBnb4*>(g.src + r * g.row_bytes)[c / 2];
      uint8_t* scale = g.group + g.shape->StripOffset(c) + c % kStripChunks * kF32ScaleBytes;
      std::memcpy(scale + 4 * r, &block.absmax, 4);
      for (int64_t i = 0; i < 2; ++i) {
        uint64_t codes[4];
        for (int j = 0; j < 4; ++j) {
          uint32_t four;
          std::memcpy(&four, block.qs + 16 * i + 4 * j, 4);
          const uint64_t swapped = _pdep_u64(four, 15 * kEach);  // low nibbles first
          codes[j] = (swapped & 0x00ff00ff00ff00ffull) << 8 | (swapped >> 8 & 0x00ff00ff00ff00ffull);
        }
        RowWriter{g.group + g.shape->CodesOffset(c + i), r}.Nibbles(codes, 0);
      }
    }
  }
}

// Blocks of 16, scales of the whole row.
void PackGroupBnbInt8(const GroupArgs& g) {
  for (int64_t r = 0; r < g.rows; ++r) {
    const auto* block = reinterpret_cast<const BlockBnbInt8*>(g.src + r * g.row_bytes);
    for (int64_t b = 0; b < g.cols / 16; ++b, ++block) {
      const int64_t c = b / 2;
      uint8_t* scale = g.group + g.shape->StripOffset(c) + c % kStripChunks / 2 * 2 * kF32ScaleBytes;
      std::memcpy(scale + 4 * r, &block->scb, 4);
      for (int64_t i = 0; i < 4; ++i) {
        uint32_t four;
        std::memcpy(&four, block->qs + 4 * i, 4);
        RowWriter{g.group + g.shape->CodesOffset(c), r}.Store(64 * (b % 2 * 4 + i),
                                                              four ^ 0x80808080u);
      }
    }
  }
}

void PackGroupWords(const GroupArgs& g) {
  for (int64_t r = 0; r < g.rows; ++r) {
    const uint8_t* row = g.src + r * g.row_bytes;
    for (int64_t k = 0; k < g.cols; ++k) {
      std::memcpy(g.group + (k / 2) * 64 + 4 * r + 2 * (k % 2), row + 2 * k, 2);
    }
  }
}

void PackGroupFloats(const GroupArgs& g) {
  for (int64_t r = 0; r < g.rows; ++r) {
    for (int64_t k = 0; k < g.cols; ++k) {
      std::memcpy(g.group + k * 64 + 4 * r, g.src + r * g.row_bytes + 4 * k, 4);
    }
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
    case DType::kNF4:
    case DType::kFP4:
    case DType::kINT8:
      return kF32ScaleBytes;
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

void PackRows(DType dtype, const uint8_t* src, int64_t rows, int64_t cols, int64_t row0,
              int64_t row1, uint8_t* dst) {
  GALEN_CHECK(row0 % kRows == 0 && row1 <= rows);
  const Shape shape = ShapeOf(dtype, rows, cols);
  const int64_t unit = ScaleUnitBytes(dtype);
  const bool padded = cols % kChunk != 0;
  for (int64_t row = row0; row < row1; row += kRows) {
    uint8_t* group = dst + row / kRows * shape.group_bytes;
    const GroupArgs args{src + row * RowBytes(dtype, cols),
                         RowBytes(dtype, cols),
                         std::min(kRows, row1 - row),
                         cols,
                         group,
                         &shape};
    if (args.rows < kRows || padded) std::memset(group, 0, shape.group_bytes);
    switch (dtype) {
      case DType::kQ4_0:
        PackGroup32<BlockQ4_0>(args, unit);
        break;
      case DType::kQ4_1:
        PackGroup32<BlockQ4_1>(args, unit);
        break;
      case DType::kQ5_0:
        PackGroup32<BlockQ5_0>(args, unit);
        break;
      case DType::kQ5_1:
        PackGroup32<BlockQ5_1>(args, unit);
        break;
      case DType::kQ8_0:
        PackGroup32<BlockQ8_0>(args, unit);
        break;
      case DType::kIQ4_NL:
        PackGroup32<BlockIQ4_NL>(args, unit);
        break;
      case DType::kQ2_K:
        PackGroupSuper<BlockQ2_K>(args);
        break;
      case DType::kQ3_K:
        PackGroupSuper<BlockQ3_K>(args);
        break;
      case DType::kQ4_K:
        PackGroupSuper<BlockQ4_K>(args);
        break;
      case DType::kQ5_K:
        PackGroupSuper<BlockQ5_K>(args);
        break;
      case DType::kQ6_K:
        PackGroupSuper<BlockQ6_K>(args);
        break;
      case DType::kIQ4_XS:
        PackGroupSuper<BlockIQ4_XS>(args);
        break;
      case DType::kNF4:
      case DType::kFP4:
        PackGroupBnb4(args);
        break;
      case DType::kINT8:
        PackGroupBnbInt8(args);
        break;
      case DType::kF16:
      case DType::kBF16:
        PackGroupWords(args);
        break;
      case DType::kF32:
        PackGroupFloats(args);
        break;
      default:
        GALEN_CHECK(!"a weight format");
    }
  }
}

}  // namespace galen::tile16

#pragma GCC pop_options

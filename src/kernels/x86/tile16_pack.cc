// Re-laying of weight rows into tile16, at load. Four rows at a time: a vector holds the same four
// adjacent columns of each, one row to a 32-bit lane, as the planes want them. SSE2 only, which
// every x86-64 processor has.
#include <emmintrin.h>

#include <algorithm>
#include <cstring>

#include "base/status.h"
#include "kernels/x86/tile16.h"
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

namespace galen::tile16 {
namespace {

constexpr int kFour = 4;                // rows at a time
constexpr int kQuads = kChunk / kFour;  // of a chunk; quad i: columns 4i..4i+3

using Quad = __m128i;

Quad Mask(Quad x, uint8_t mask) { return _mm_and_si128(x, _mm_set1_epi8(static_cast<char>(mask))); }
Quad Or(Quad a, Quad b) { return _mm_or_si128(a, b); }

// Bits [shift, shift + bits) of every byte, as a number.
template <int kBits>
Quad Field(Quad x, int shift) {
  return Mask(_mm_srl_epi32(x, _mm_cvtsi32_si128(shift)), (1 << kBits) - 1);
}
// Bytes below 2^(8 - shift), each times 2^shift.
Quad Left(Quad x, int shift) { return _mm_sll_epi32(x, _mm_cvtsi32_si128(shift)); }

// 16 bytes of each of four rows as four quads.
void Transpose(const uint8_t* const rows[kFour], Quad quads[4]) {
  Quad r[kFour];
  for (int i = 0; i < kFour; ++i) r[i] = _mm_loadu_si128(reinterpret_cast<const Quad*>(rows[i]));
  const Quad a = _mm_unpacklo_epi32(r[0], r[1]), b = _mm_unpacklo_epi32(r[2], r[3]);
  const Quad c = _mm_unpackhi_epi32(r[0], r[1]), d = _mm_unpackhi_epi32(r[2], r[3]);
  quads[0] = _mm_unpacklo_epi64(a, b);
  quads[1] = _mm_unpackhi_epi64(a, b);
  quads[2] = _mm_unpacklo_epi64(c, d);
  quads[3] = _mm_unpackhi_epi64(c, d);
}

// Four rows of a format's blocks, the same block of each.
template <class Block>
struct Rows {
  const Block* block[kFour];

  // `16 * num` bytes from `offset` on in a byte array of the block.
  template <int kNum, class Bytes>
  void Load(Bytes Block::*field, int64_t offset, Quad quads[4 * kNum]) const {
    for (int i = 0; i < kNum; ++i) {
      const uint8_t* at[kFour];
      for (int r = 0; r < kFour; ++r) {
        at[r] = reinterpret_cast<const uint8_t*>(&(block[r]->*field)) + offset + 16 * i;
      }
      Transpose(at, quads + 4 * i);
    }
  }
};

// Where four rows of a chunk's planes go. A plane takes the codes of a chunk as quads.
struct PlaneWriter {
  uint8_t* chunk;
  int64_t row;

  void Nibbles(const Quad codes[kQuads], int64_t offset) const {
    for (int i = 0; i < 4; ++i) {
      Store(offset + 64 * i, Or(Mask(codes[2 * i], 15), Left(Mask(codes[2 * i + 1], 15), 4)));
    }
  }
  void Bit1(const Quad codes[kQuads], int64_t offset, int bit) const {
    Quad bits = _mm_setzero_si128();
    for (int p = 0; p < kQuads; ++p) bits = Or(bits, Left(Field<1>(codes[p], bit), p));
    Store(offset, bits);
  }
  void Bit2(const Quad codes[kQuads], int64_t offset, int bit) const {
    for (int i = 0; i < 2; ++i) {
      Quad bits = _mm_setzero_si128();
      for (int p = 0; p < 4; ++p) bits = Or(bits, Left(Field<2>(codes[4 * i + p], bit), 2 * p));
      Store(offset + 64 * i, bits);
    }
  }
  void Bytes(const Quad codes[kQuads], int64_t offset) const {
    for (int i = 0; i < kQuads; ++i) Store(offset + 64 * i, codes[i]);
  }
  void Store(int64_t offset, Quad quad) const {
    _mm_storeu_si128(reinterpret_cast<Quad*>(chunk + offset + 4 * row), quad);
  }
};

// half_of(block): an f16 of a block, as its bits.
template <class Block, class HalfOf>
void PutHalves(const Rows<Block>& rows, HalfOf half_of, uint8_t* scales, int64_t row) {
  uint16_t halves[kFour];
  for (int r = 0; r < kFour; ++r) halves[r] = half_of(*rows.block[r]);
  std::memcpy(scales + 2 * row, halves, sizeof halves);
}
constexpr auto kD = [](const auto& block) -> uint16_t { return block.d; };
constexpr auto kM = [](const auto& block) -> uint16_t { return block.m; };
constexpr auto kDmin = [](const auto& block) -> uint16_t { return block.dmin; };

// ---- formats of 32 columns: one block is one chunk

// 16 bytes: low nibbles are the first 16 columns, high nibbles the others.
template <class Block>
void Codes4(const Rows<Block>& rows, int64_t offset, Quad codes[kQuads]) {
  Quad quads[4];
  rows.template Load<1>(&Block::qs, offset, quads);
  for (int i = 0; i < 4; ++i) {
    codes[i] = Field<4>(quads[i], 0);
    codes[4 + i] = Field<4>(quads[i], 4);
  }
}

// Exchanges bits j and k > j of every bit's index within its lane.
template <int kJ, int kK>
Quad SwapIndexBits(Quad x) {
  constexpr int kShift = (1 << kK) - (1 << kJ);
  constexpr uint32_t kWith[5] = {0xaaaaaaaa, 0xcccccccc, 0xf0f0f0f0, 0xff00ff00, 0xffff0000};
  constexpr uint32_t kMask = kWith[kJ] & ~kWith[kK];  // bits whose index has bit j and not bit k
  const Quad moved = _mm_and_si128(_mm_xor_si128(_mm_srli_epi32(x, kShift), x),
                                   _mm_set1_epi32(static_cast<int>(kMask)));
  return _mm_xor_si128(x, _mm_xor_si128(moved, _mm_slli_epi32(moved, kShift)));
}

// Bit n of qh belongs to column n = 4p + b and goes to bit p of byte b: the five bits of its index
// turn by two.
template <class Block>
void PutHighBits(const Rows<Block>& rows, uint8_t* chunk, int64_t row) {
  uint32_t high[kFour];
  for (int r = 0; r < kFour; ++r) std::memcpy(&high[r], &rows.block[r]->qh, sizeof high[r]);
  Quad bits = _mm_loadu_si128(reinterpret_cast<const Quad*>(high));
  bits = SwapIndexBits<1, 4>(bits);
  bits = SwapIndexBits<0, 3>(bits);
  bits = SwapIndexBits<1, 2>(bits);
  bits = SwapIndexBits<0, 1>(bits);
  PlaneWriter{chunk, row}.Store(kNibBytes, bits);
}

void PackFour(const Rows<BlockQ4_0>& rows, uint8_t* scales, uint8_t* chunk, int64_t row) {
  Quad codes[kQuads];
  Codes4(rows, 0, codes);
  PutHalves(rows, kD, scales, row);
  PlaneWriter{chunk, row}.Nibbles(codes, 0);
}

void PackFour(const Rows<BlockIQ4_NL>& rows, uint8_t* scales, uint8_t* chunk, int64_t row) {
  Quad codes[kQuads];
  Codes4(rows, 0, codes);
  PutHalves(rows, kD, scales, row);
  PlaneWriter{chunk, row}.Nibbles(codes, 0);
}

void PackFour(const Rows<BlockQ4_1>& rows, uint8_t* scales, uint8_t* chunk, int64_t row) {
  Quad codes[kQuads];
  Codes4(rows, 0, codes);
  PutHalves(rows, kD, scales, row);
  PutHalves(rows, kM, scales + 32, row);
  PlaneWriter{chunk, row}.Nibbles(codes, 0);
}

void PackFour(const Rows<BlockQ5_0>& rows, uint8_t* scales, uint8_t* chunk, int64_t row) {
  Quad codes[kQuads];
  Codes4(rows, 0, codes);
  PutHalves(rows, kD, scales, row);
  PlaneWriter{chunk, row}.Nibbles(codes, 0);
  PutHighBits(rows, chunk, row);
}

void PackFour(const Rows<BlockQ5_1>& rows, uint8_t* scales, uint8_t* chunk, int64_t row) {
  Quad codes[kQuads];
  Codes4(rows, 0, codes);
  PutHalves(rows, kD, scales, row);
  PutHalves(rows, kM, scales + 32, row);
  PlaneWriter{chunk, row}.Nibbles(codes, 0);
  PutHighBits(rows, chunk, row);
}

void PackFour(const Rows<BlockQ8_0>& rows, uint8_t* scales, uint8_t* chunk, int64_t row) {
  Quad codes[kQuads];
  rows.Load<2>(&BlockQ8_0::qs, 0, codes);
  for (Quad& quad : codes) quad = _mm_xor_si128(quad, _mm_set1_epi8(-128));
  PutHalves(rows, kD, scales, row);
  PlaneWriter{chunk, row}.Bytes(codes, 0);
}

// ---- superblocks of 256 columns: eight chunks

template <class Block>
void PutScaleMins(const Rows<Block>& rows, uint8_t* scales, int64_t row) {
  PutHalves(rows, kD, scales, row);
  PutHalves(rows, kDmin, scales + 32, row);
  for (int r = 0; r < kFour; ++r) {
    for (int g = 0; g < 8; ++g) {
      const ScaleMin6 pair = UnpackScaleMin6(rows.block[r]->scales, g);
      scales[64 + 16 * g + row + r] = pair.scale;
      scales[192 + 16 * g + row + r] = pair.min;
    }
  }
}

void PackFour(const Rows<BlockQ4_K>& rows, uint8_t* scales, uint8_t* chunks, int64_t row) {
  PutScaleMins(rows, scales, row);
  for (int c = 0; c < 8; c += 2) {  // two chunks share 32 bytes
    Quad quads[kQuads], codes[kQuads];
    rows.Load<2>(&BlockQ4_K::qs, 16 * c, quads);
    PlaneWriter{chunks + c * kNibBytes, row}.Nibbles(quads, 0);
    for (int i = 0; i < kQuads; ++i) codes[i] = Field<4>(quads[i], 4);
    PlaneWriter{chunks + (c + 1) * kNibBytes, row}.Nibbles(codes, 0);
  }
}

void PackFour(const Rows<BlockQ5_K>& rows, uint8_t* scales, uint8_t* chunks, int64_t row) {
  PutScaleMins(rows, scales, row);
  Quad high[kQuads];
  rows.Load<2>(&BlockQ5_K::qh, 0, high);
#pragma GCC unroll 8
  for (int c = 0; c < 8; ++c) {
    Quad codes[kQuads];
    rows.Load<2>(&BlockQ5_K::qs, 32 * (c / 2), codes);
    for (int i = 0; i < kQuads; ++i) {
      codes[i] = Or(Field<4>(codes[i], 4 * (c % 2)), Left(Field<1>(high[i], c), 4));
    }
    const PlaneWriter writer{chunks + c * (kNibBytes + kBit1Bytes), row};
    writer.Nibbles(codes, 0);
    writer.Bit1(codes, kNibBytes, 4);
  }
}

// Signed scales of 16 columns.
void PutScales16(const int8_t scales[16], uint8_t* to, int64_t row) {
  for (int g = 0; g < 16; ++g) to[32 + 16 * g + row] = static_cast<uint8_t>(scales[g]);
}

void PackFour(const Rows<BlockQ6_K>& rows, uint8_t* scales, uint8_t* chunks, int64_t row) {
  PutHalves(rows, kD, scales, row);
  for (int r = 0; r < kFour; ++r) PutScales16(rows.block[r]->scales, scales, row + r);
  for (int half = 0; half < 2; ++half) {
    Quad high[kQuads];
    rows.Load<2>(&BlockQ6_K::qh, 32 * half, high);
    // Chunk q of the half takes nibble q / 2 of low bytes 32 (q % 2).. and bits 2q of the high.
#pragma GCC unroll 4
    for (int q = 0; q < 4; ++q) {
      Quad codes[kQuads];
      rows.Load<2>(&BlockQ6_K::ql, 64 * half + 32 * (q % 2), codes);
      for (int i = 0; i < kQuads; ++i) {
        codes[i] = Or(Field<4>(codes[i], 4 * (q / 2)), Left(Field<2>(high[i], 2 * q), 4));
      }
      const PlaneWriter writer{chunks + (4 * half + q) * (kNibBytes + kBit2Bytes), row};
      writer.Nibbles(codes, 0);
      writer.Bit2(codes, kNibBytes, 4);
    }
  }
}

void PackFour(const Rows<BlockQ3_K>& rows, uint8_t* scales, uint8_t* chunks, int64_t row) {
  PutHalves(rows, kD, scales, row);
  for (int r = 0; r < kFour; ++r) {
    int8_t unpacked[16];
    UnpackScalesQ3_K(rows.block[r]->scales, unpacked);
    PutScales16(unpacked, scales, row + r);
  }
  Quad high[kQuads], low[kQuads];
  rows.Load<2>(&BlockQ3_K::hmask, 0, high);
#pragma GCC unroll 8
  for (int c = 0; c < 8; ++c) {
    if (c % 4 == 0) rows.Load<2>(&BlockQ3_K::qs, 8 * c, low);
    Quad codes[kQuads];
    for (int i = 0; i < kQuads; ++i) {
      codes[i] = Or(Field<2>(low[i], 2 * (c % 4)), Left(Field<1>(high[i], c), 2));
    }
    const PlaneWriter writer{chunks + c * (kBit2Bytes + kBit1Bytes), row};
    writer.Bit2(codes, 0, 0);
    writer.Bit1(codes, kBit2Bytes, 2);
  }
}

void PackFour(const Rows<BlockQ2_K>& rows, uint8_t* scales, uint8_t* chunks, int64_t row) {
  PutHalves(rows, kD, scales, row);
  PutHalves(rows, kDmin, scales + 32, row);
  for (int r = 0; r < kFour; ++r) {
    for (int g = 0; g < 16; ++g) scales[64 + 16 * g + row + r] = rows.block[r]->scales[g];
  }
  Quad low[kQuads];
#pragma GCC unroll 8
  for (int c = 0; c < 8; ++c) {
    if (c % 4 == 0) rows.Load<2>(&BlockQ2_K::qs, 8 * c, low);
    PlaneWriter{chunks + c * kBit2Bytes, row}.Bit2(low, 0, 2 * (c % 4));
  }
}

void PackFour(const Rows<BlockIQ4_XS>& rows, uint8_t* scales, uint8_t* chunks, int64_t row) {
  PutHalves(rows, kD, scales, row);
  for (int r = 0; r < kFour; ++r) {
    for (int g = 0; g < 8; ++g) {
      scales[32 + 16 * g + row + r] = static_cast<uint8_t>(ScaleIQ4_XS(*rows.block[r], g));
    }
  }
  for (int c = 0; c < 8; ++c) {
    Quad codes[kQuads];
    Codes4(rows, 16 * c, codes);
    PlaneWriter{chunks + c * kNibBytes, row}.Nibbles(codes, 0);
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

// Block `index` of rows row..row + 3 of the group; rows beyond its end are zero.
template <class Block>
Rows<Block> FourRows(const GroupArgs& g, int64_t row, int64_t index) {
  static constexpr Block kZero{};
  Rows<Block> rows;
  for (int r = 0; r < kFour; ++r) {
    rows.block[r] = row + r < g.rows
                        ? reinterpret_cast<const Block*>(g.src + (row + r) * g.row_bytes) + index
                        : &kZero;
  }
  return rows;
}

template <class Block>
void PackGroup32(const GroupArgs& g, int64_t scale_unit) {
  for (int64_t c = 0; c < g.cols / 32; ++c) {
    for (int64_t r = 0; r < kRows; r += kFour) {
      PackFour(FourRows<Block>(g, r, c),
               g.group + g.shape->StripOffset(c) + c % kStripChunks * scale_unit,
               g.group + g.shape->CodesOffset(c), r);
    }
  }
}

template <class Block>
void PackGroupSuper(const GroupArgs& g) {
  for (int64_t s = 0; s < g.cols / kSuper; ++s) {
    uint8_t* strip = g.group + s * g.shape->strip_bytes;
    for (int64_t r = 0; r < kRows; r += kFour) {
      PackFour(FourRows<Block>(g, r, s), strip, strip + g.shape->scale_bytes, r);
    }
  }
}

// Rows of 32-bit values: pairs of 16-bit ones, or floats.
void PackGroupPlain(const GroupArgs& g) {
  const int64_t whole = g.row_bytes / 16 * 16;
  for (int64_t row = 0; row < g.rows / kFour * kFour; row += kFour) {
    const uint8_t* at[kFour];
    for (int r = 0; r < kFour; ++r) at[r] = g.src + (row + r) * g.row_bytes;
    for (int64_t byte = 0; byte < whole; byte += 16) {
      Quad quads[4];
      Transpose(at, quads);
      for (int i = 0; i < 4; ++i) PlaneWriter{g.group + 16 * byte, row}.Store(64 * i, quads[i]);
      for (const uint8_t*& p : at) p += 16;
    }
  }
  for (int64_t row = 0; row < g.rows; ++row) {
    for (int64_t byte = row < g.rows / kFour * kFour ? whole : 0; byte < g.row_bytes; byte += 4) {
      std::memcpy(g.group + 16 * byte + 4 * row, g.src + row * g.row_bytes + byte,
                  static_cast<size_t>(std::min<int64_t>(4, g.row_bytes - byte)));
    }
  }
}

}  // namespace

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
      case DType::kF16:
      case DType::kBF16:
      case DType::kF32:
        PackGroupPlain(args);
        break;
      default:
        GALEN_CHECK(!"a weight format");
    }
  }
}

}  // namespace galen::tile16

// The tile16 layout: 16 rows (output features) interleaved, so that a vector lane is an output feature and a block's scale
// is one vector. docs/formats/tile16.md draws it. Per group of 16 rows:
//   scales  per chunk of 32 columns, or per superblock of 256 columns, the 16 rows' scales side by side; padded to 64 bytes
//   codes   per chunk of 32 columns, bit planes whose 32-bit lanes belong to one row each
// Rows and (for plain types) columns are padded with zeros to whole groups and chunks.
#pragma once

#include <cstdint>

#include "tensor/dtype.h"

namespace galen::tile16 {

inline constexpr int64_t kRows = 16;       // rows of a group
inline constexpr int64_t kChunk = 32;      // columns of a chunk
inline constexpr int64_t kSuper = 256;     // columns of a superblock

// Code planes of a chunk, bytes for 16 rows. Each puts four adjacent columns into the four bytes of a lane, as the dot
// products of bytes (vpdpbusd) take them.
inline constexpr int64_t kNibBytes = 256;    // dword i (of 4), byte b: low nibble column 8i + b, high nibble 8i + 4 + b
inline constexpr int64_t kBit1Bytes = 64;    // byte b, bit p: column 4p + b
inline constexpr int64_t kBit2Bytes = 128;   // dword i (of 2), byte b, bits 2p and 2p + 1: column 16i + 4p + b
inline constexpr int64_t kByteBytes = 512;   // dword i (of 8), byte b: column 4i + b, plus 128
inline constexpr int64_t kWord2Bytes = 1024; // [column pair][row][2] 16-bit values
inline constexpr int64_t kFloatBytes = 2048; // [column][row] floats

struct Shape {
  int64_t chunks = 0;        // of a row
  int64_t scale_bytes = 0;   // of a group, padded
  int64_t code_bytes = 0;    // of a chunk
  int64_t group_bytes = 0;
  int64_t groups = 0;
};

// Sizes for a [rows, cols] weight.
Shape ShapeOf(DType dtype, int64_t rows, int64_t cols);

// Bytes of scales of a chunk (32-column formats) or of a superblock.
int64_t ScaleUnitBytes(DType dtype);
bool IsSuperblock(DType dtype);

// KernelTable::packed_bytes and pack_rows.
int64_t PackedBytes(DType dtype, int64_t rows, int64_t cols);
void PackRows(DType dtype, const uint8_t* src, int64_t rows, int64_t cols, int64_t row0, int64_t row1, uint8_t* dst);

}  // namespace galen::tile16

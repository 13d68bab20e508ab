// The tile16 layout: 16 rows (output features) interleaved, so that a vector lane is an output
// feature and a block's scale is one vector. docs/formats/tile16.md draws it. A group of 16 rows is
// made of strips of 256 columns, so that a product reads it forwards from end to end:
//   scales  per chunk of 32 columns, or for all 256, the 16 rows' scales side by side; padded to 64
//   bytes codes   per chunk of 32 columns, bit planes whose 32-bit lanes belong to one row each
// Rows and (for plain types) columns are padded with zeros to whole groups and chunks.
#pragma once

#include <cstdint>

#include "tensor/dtype.h"

namespace galen::tile16 {

inline constexpr int64_t kRows = 16;    // rows of a group
inline constexpr int64_t kChunk = 32;   // columns of a chunk
inline constexpr int64_t kSuper = 256;  // columns of a superblock
inline constexpr int64_t kStripChunks = kSuper / kChunk;

// Code planes of a chunk, bytes for 16 rows. Each puts four adjacent columns into the four bytes of
// a lane, as the dot products of bytes (vpdpbusd) take them.
inline constexpr int64_t kNibBytes =
    256;  // dword i (of 4), byte b: low nibble column 8i + b, high nibble 8i + 4 + b
inline constexpr int64_t kBit1Bytes = 64;  // byte b, bit p: column 4p + b
inline constexpr int64_t kBit2Bytes =
    128;  // dword i (of 2), byte b, bits 2p and 2p + 1: column 16i + 4p + b
inline constexpr int64_t kByteBytes = 512;    // dword i (of 8), byte b: column 4i + b, plus 128
inline constexpr int64_t kWord2Bytes = 1024;  // [column pair][row][2] 16-bit values
inline constexpr int64_t kFloatBytes = 2048;  // [column][row] floats

// Of a chunk: half of the 16 fp32 scales that 64 columns share.
inline constexpr int64_t kF32ScaleBytes = 32;

struct Shape {
  int64_t chunks = 0;            // of a row
  int64_t code_bytes = 0;        // of a chunk
  int64_t scale_bytes = 0;       // of a strip, padded
  int64_t last_scale_bytes = 0;  // of a last strip of fewer chunks, padded
  int64_t strip_bytes = 0;
  int64_t group_bytes = 0;
  int64_t groups = 0;

  // Where the strip of a chunk begins in its group, the bytes of that strip's scales, and where the
  // chunk's codes begin.
  int64_t StripOffset(int64_t chunk) const { return chunk / kStripChunks * strip_bytes; }
  int64_t ScaleBytes(int64_t chunk) const {
    return chunk / kStripChunks < chunks / kStripChunks ? scale_bytes : last_scale_bytes;
  }
  int64_t CodesOffset(int64_t chunk) const {
    return StripOffset(chunk) + ScaleBytes(chunk) + chunk % kStripChunks * code_bytes;
  }
};

// Sizes for a [rows, cols] weight.
Shape ShapeOf(DType dtype, int64_t rows, int64_t cols);

// Bytes of scales of a chunk (32-column formats) or of a superblock.
int64_t ScaleUnitBytes(DType dtype);
bool IsSuperblock(DType dtype);

// KernelTable::packed_bytes and pack_rows.
int64_t PackedBytes(DType dtype, int64_t rows, int64_t cols);
void PackRows(DType dtype, const uint8_t* src, int64_t rows, int64_t cols, int64_t row0,
              int64_t row1, uint8_t* dst);

}  // namespace galen::tile16

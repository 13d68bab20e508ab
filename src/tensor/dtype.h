// Element types and block formats. A block format is layout + reference codec; generic matrix
// products take it from there.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/status.h"

namespace galen {

// Order is internal and never written to a file.
enum class DType : uint8_t {
  kF32,
  kF16,
  kBF16,
  kQ4_0,
  kQ4_1,
  kQ5_0,
  kQ5_1,
  kQ8_0,
  kQ2_K,
  kQ3_K,
  kQ4_K,
  kQ5_K,
  kQ6_K,
  kIQ4_NL,
  kIQ4_XS,
  kNF4,
  kFP4,
  kINT8,
  kI8,
  kI16,
  kI32,
  kI64,
  kF64,
  kU8,
  kBool,
};
inline constexpr int kNumDTypes = static_cast<int>(DType::kBool) + 1;

// How `block_elems` consecutive values of a row are stored in `block_bytes` bytes (plain types: one
// value a block).
struct BlockFormat {
  DType dtype;
  const char* name;  // "q4_k", as on the command line
  int gguf_type;     // GGUF's type id, or -1
  int block_elems;
  int block_bytes;
  // Decodes num_blocks blocks to floats; bit-exact with the gguf Python package. Null for types
  // that hold no weights.
  void (*decode)(const uint8_t* blocks, float* values, int64_t num_blocks);
  // Encodes num_blocks blocks. importance: null, or one non-negative weight per value for the error
  // that is minimised. Null where galen does not encode the format.
  void (*encode)(const float* values, const float* importance, uint8_t* blocks, int64_t num_blocks);
};

const BlockFormat& FormatOf(DType dtype);
// Finds a format by GGUF type id, or by name ("q4_k", "bf16"); not found is an Unsupported status
// that lists the known ones.
Result<DType> DTypeFromGguf(uint32_t gguf_type);
Result<DType> DTypeFromName(std::string_view name);

// Bytes of one row of `cols` values. cols must be a multiple of block_elems (GALEN_CHECK).
int64_t RowBytes(DType dtype, int64_t cols);

// IEEE conversions; bf16 and f16 round to nearest even.
float HalfToFloat(uint16_t half);
uint16_t FloatToHalf(float value);
inline float Bf16ToFloat(uint16_t bits) {
  const uint32_t wide = static_cast<uint32_t>(bits) << 16;
  float value;
  __builtin_memcpy(&value, &wide, sizeof(value));
  return value;
}
uint16_t FloatToBf16(float value);

}  // namespace galen

// bitsandbytes' 4-bit formats NF4 and FP4: a code indexes a table of 16 values between -1 and 1,
// which the largest magnitude of the block multiplies. docs/formats/bitsandbytes.md.
#pragma once

#include <cstdint>

namespace galen {

// One block in galen's rows: 64 values in 36 bytes. Files keep codes and absmax apart, in blocks
// that may be longer; formats/bitsandbytes.h brings them together.
struct [[gnu::packed]] BlockBnb4 {
  float absmax;
  uint8_t qs[32];  // byte j: element 2j in the high nibble, 2j + 1 in the low one
};
static_assert(sizeof(BlockBnb4) == 36);

enum class Bnb4Type : uint8_t { kNf4, kFp4 };

// The 16 values by code: bitsandbytes 0.50, functional.py, get_4bit_type.
inline constexpr float kNf4Values[16] = {
    -1.0f,
    -0.6961928009986877f,
    -0.5250730514526367f,
    -0.39491748809814453f,
    -0.28444138169288635f,
    -0.18477343022823334f,
    -0.09105003625154495f,
    0.0f,
    0.07958029955625534f,
    0.16093020141124725f,
    0.24611230194568634f,
    0.33791524171829224f,
    0.44070982933044434f,
    0.5626170039176941f,
    0.7229568362236023f,
    1.0f,
};
inline constexpr float kFp4Values[16] = {
    0.0f,  0.005208333333f,  0.66666667f,  1.0f,  0.33333333f,  0.5f,  0.16666667f,  0.25f,
    -0.0f, -0.005208333333f, -0.66666667f, -1.0f, -0.33333333f, -0.5f, -0.16666667f, -0.25f,
};
inline const float* Bnb4Values(Bnb4Type type) {
  return type == Bnb4Type::kNf4 ? kNf4Values : kFp4Values;
}

// Encodes n values, a stream of blocks of `blocksize`, to (n + 1) / 2 bytes of codes and one absmax
// a block, as bitsandbytes does on a CPU, bit for bit. A last block may be short; only the last
// call for a tensor may have one, and an odd n. Uses the widest vectors that the processor has; the
// result is the same with all of them. blocksize is even.
void EncodeBnb4(Bnb4Type type, const float* values, int64_t n, int64_t blocksize, uint8_t* codes,
                float* absmax);

void DecodeNF4(const uint8_t* blocks, float* values, int64_t num_blocks);
void DecodeFP4(const uint8_t* blocks, float* values, int64_t num_blocks);
// importance is not used: the scale of these formats is the block's largest magnitude.
void EncodeNF4(const float* values, const float* importance, uint8_t* blocks, int64_t num_blocks);
void EncodeFP4(const float* values, const float* importance, uint8_t* blocks, int64_t num_blocks);

}  // namespace galen

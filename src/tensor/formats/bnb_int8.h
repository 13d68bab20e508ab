// LLM.int8's weights: 8-bit codes with one scale for each row (output feature), w = q * SCB / 127.
#pragma once

#include <cstdint>

namespace galen {

// 16 values of a row in 20 bytes; all blocks of a row carry its scale.
struct [[gnu::packed]] BlockBnbInt8 {
  float scb;  // largest magnitude of the row
  int8_t qs[16];
};
static_assert(sizeof(BlockBnbInt8) == 20);

// 1/127 as bitsandbytes' dequantisation multiplies by it: (q * SCB) * kBnbInt8Step, in fp32.
inline constexpr float kBnbInt8Step = 7.874015718698502e-3f;

// Encodes one row as bitsandbytes does on a CPU, bit for bit: rounded to fp16 first.
void EncodeBnbInt8Row(const float* values, int64_t n, int8_t* codes, float* scb);

void DecodeINT8(const uint8_t* blocks, float* values, int64_t num_blocks);
// The blocks of one call are one row. importance is not used.
void EncodeINT8(const float* values, const float* importance, uint8_t* blocks, int64_t num_blocks);

}  // namespace galen

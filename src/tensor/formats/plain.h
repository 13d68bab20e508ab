// The element types that are stored one value at a time: F32, F16 and BF16, little-endian.
#pragma once

#include <cstdint>

namespace galen {

void DecodeF32(const uint8_t* bytes, float* values, int64_t count);
void DecodeF16(const uint8_t* bytes, float* values, int64_t count);
void DecodeBF16(const uint8_t* bytes, float* values, int64_t count);

// Rounds to nearest even. There is nothing to search, so `importance` is ignored. Infinities stay,
// NaN stays a (quiet) NaN, and F16 overflows to infinity: a plain type has a code for each of them.
void EncodeF32(const float* values, const float* importance, uint8_t* bytes, int64_t count);
void EncodeF16(const float* values, const float* importance, uint8_t* bytes, int64_t count);
void EncodeBF16(const float* values, const float* importance, uint8_t* bytes, int64_t count);

}  // namespace galen

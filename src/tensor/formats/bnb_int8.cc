#include "tensor/formats/bnb_int8.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "tensor/dtype.h"

namespace galen {

void EncodeBnbInt8Row(const float* values, int64_t n, int8_t* codes, float* scb) {
  float largest = 0.0f;
  for (int64_t i = 0; i < n; ++i) {
    largest = std::max(largest, std::fabs(HalfToFloat(FloatToHalf(values[i]))));
  }
  *scb = largest;
  // PyTorch divides a number by a tensor as reciprocal times number: two roundings. What has no
  // finite scale gets codes of zero: the row is NaN or infinite through its scale.
  const float scale = largest > 0.0f && std::isfinite(largest) ? 1.0f / largest * 127.0f : 0.0f;
  for (int64_t i = 0; i < n; ++i) {
    const float code = std::nearbyint(HalfToFloat(FloatToHalf(values[i])) * scale);
    codes[i] = code >= -127.0f && code <= 127.0f ? static_cast<int8_t>(code) : int8_t{0};
  }
}

void DecodeINT8(const uint8_t* blocks, float* values, int64_t num_blocks) {
  const auto* block = reinterpret_cast<const BlockBnbInt8*>(blocks);
  for (int64_t b = 0; b < num_blocks; ++b, ++block, values += 16) {
    for (int i = 0; i < 16; ++i) {
      values[i] = static_cast<float>(block->qs[i]) * block->scb * kBnbInt8Step;
    }
  }
}

void EncodeINT8(const float* values, const float*, uint8_t* blocks, int64_t num_blocks) {
  std::vector<int8_t> codes(static_cast<size_t>(num_blocks * 16));
  float scb = 0.0f;
  EncodeBnbInt8Row(values, num_blocks * 16, codes.data(), &scb);
  auto* block = reinterpret_cast<BlockBnbInt8*>(blocks);
  for (int64_t b = 0; b < num_blocks; ++b, ++block) {
    block->scb = scb;
    std::memcpy(block->qs, codes.data() + 16 * b, 16);
  }
}

}  // namespace galen

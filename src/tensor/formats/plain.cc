#include "tensor/formats/plain.h"

#include <cstring>

#include "tensor/dtype.h"

namespace galen {

void DecodeF32(const uint8_t* bytes, float* values, int64_t count) {
  if (count > 0) std::memcpy(values, bytes, static_cast<size_t>(count) * sizeof(float));
}

void DecodeF16(const uint8_t* bytes, float* values, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    uint16_t bits;
    std::memcpy(&bits, bytes + 2 * i, sizeof(bits));
    values[i] = HalfToFloat(bits);
  }
}

void DecodeBF16(const uint8_t* bytes, float* values, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    uint16_t bits;
    std::memcpy(&bits, bytes + 2 * i, sizeof(bits));
    values[i] = Bf16ToFloat(bits);
  }
}

void EncodeF32(const float* values, const float*, uint8_t* bytes, int64_t count) {
  if (count > 0) std::memcpy(bytes, values, static_cast<size_t>(count) * sizeof(float));
}

void EncodeF16(const float* values, const float*, uint8_t* bytes, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    const uint16_t bits = FloatToHalf(values[i]);
    std::memcpy(bytes + 2 * i, &bits, sizeof(bits));
  }
}

void EncodeBF16(const float* values, const float*, uint8_t* bytes, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    const uint16_t bits = FloatToBf16(values[i]);
    std::memcpy(bytes + 2 * i, &bits, sizeof(bits));
  }
}

}  // namespace galen

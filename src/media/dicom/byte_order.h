// Numbers from bytes of either order, unaligned.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

namespace galen::dicom {

static_assert(std::endian::native == std::endian::little,
              "decoded samples are in host order: little");

template <typename T>
T Load(const uint8_t* p, bool big_endian = false) {
  uint8_t bytes[sizeof(T)];
  for (size_t i = 0; i < sizeof(T); ++i) bytes[i] = p[big_endian ? sizeof(T) - 1 - i : i];
  T value;
  std::memcpy(&value, bytes, sizeof(T));
  return value;
}

}  // namespace galen::dicom

#include "media/dicom/sample_bits.h"

#include <type_traits>

namespace galen::dicom {
namespace {

template <typename T>
void Extend(std::span<uint8_t> bytes, int bits, int shift) {
  using Unsigned = std::make_unsigned_t<T>;
  const int width = 8 * sizeof(T);
  const int up = width - bits - shift;
  const int down = width - bits;
  T* values = reinterpret_cast<T*>(bytes.data());
  for (size_t i = 0; i < bytes.size() / sizeof(T); ++i) {
    values[i] = static_cast<T>(static_cast<T>(static_cast<Unsigned>(values[i]) << up) >> down);
  }
}

}  // namespace

void ExtendSamples(std::span<uint8_t> bytes, int bytes_per_sample, int bits, int shift,
                   bool is_signed) {
  if (bits == 8 * bytes_per_sample) return;
  switch (bytes_per_sample) {
    case 1:
      return is_signed ? Extend<int8_t>(bytes, bits, shift) : Extend<uint8_t>(bytes, bits, shift);
    case 2:
      return is_signed ? Extend<int16_t>(bytes, bits, shift) : Extend<uint16_t>(bytes, bits, shift);
    default:
      return is_signed ? Extend<int32_t>(bytes, bits, shift) : Extend<uint32_t>(bytes, bits, shift);
  }
}

}  // namespace galen::dicom

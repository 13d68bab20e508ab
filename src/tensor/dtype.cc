#include "tensor/dtype.h"

#include <bit>
#include <limits>
#include <string>

#include "tensor/formats/bnb_4bit.h"
#include "tensor/formats/bnb_int8.h"
#include "tensor/formats/iq4_nl.h"
#include "tensor/formats/iq4_xs.h"
#include "tensor/formats/plain.h"
#include "tensor/formats/q2_k.h"
#include "tensor/formats/q3_k.h"
#include "tensor/formats/q4_0.h"
#include "tensor/formats/q4_1.h"
#include "tensor/formats/q4_k.h"
#include "tensor/formats/q5_0.h"
#include "tensor/formats/q5_1.h"
#include "tensor/formats/q5_k.h"
#include "tensor/formats/q6_k.h"
#include "tensor/formats/q8_0.h"

// Files and blocks are little-endian and read in place.
static_assert(std::endian::native == std::endian::little);

namespace galen {
namespace {

constexpr BlockFormat kFormats[] = {
#define FORMAT(dtype, name, gguf, elems, bytes, decode, encode) \
  {DType::k##dtype, name, gguf, elems, static_cast<int>(bytes), decode, encode},
#include "tensor/formats.inc"
#undef FORMAT
};

constexpr bool TableFollowsEnum() {
  for (int i = 0; i < kNumDTypes; ++i) {
    if (static_cast<int>(kFormats[i].dtype) != i) return false;
  }
  return std::size(kFormats) == kNumDTypes;
}
static_assert(TableFollowsEnum());

// GGUF types that exist but that galen does not read, so that the message can name them.
struct ForeignType {
  uint32_t gguf_type;
  const char* name;
};
constexpr ForeignType kForeignTypes[] = {
    {9, "Q8_1"},   {15, "Q8_K"},  {16, "IQ2_XXS"}, {17, "IQ2_XS"}, {18, "IQ3_XXS"},
    {19, "IQ1_S"}, {21, "IQ3_S"}, {22, "IQ2_S"},   {29, "IQ1_M"},  {34, "TQ1_0"},
    {35, "TQ2_0"}, {39, "MXFP4"}, {40, "NVFP4"},   {41, "Q1_0"},
};

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool EqualIgnoringCase(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (Lower(a[i]) != Lower(b[i])) return false;
  }
  return true;
}

std::string KnownNames(bool only_gguf) {
  std::string names;
  for (const BlockFormat& format : kFormats) {
    if (only_gguf && format.gguf_type < 0) continue;
    if (!names.empty()) names += ' ';
    names += format.name;
  }
  return names;
}

}  // namespace

const BlockFormat& FormatOf(DType dtype) {
  const int index = static_cast<int>(dtype);
  GALEN_CHECK(index < kNumDTypes);
  return kFormats[index];
}

Result<DType> DTypeFromGguf(uint32_t gguf_type) {
  for (const BlockFormat& format : kFormats) {
    if (format.gguf_type >= 0 && static_cast<uint32_t>(format.gguf_type) == gguf_type) {
      return format.dtype;
    }
  }
  std::string what = std::to_string(gguf_type);
  for (const ForeignType& foreign : kForeignTypes) {
    if (foreign.gguf_type == gguf_type) what += std::string(" (") + foreign.name + ")";
  }
  return Unsupported("GGUF tensor type " + what + " is not supported; use a file of the types " +
                     KnownNames(/*only_gguf=*/true));
}

Result<DType> DTypeFromName(std::string_view name) {
  for (const BlockFormat& format : kFormats) {
    if (EqualIgnoringCase(name, format.name)) return format.dtype;
  }
  return Unsupported("element type '" + std::string(name.substr(0, 64)) +
                     "' is not supported; known are " + KnownNames(/*only_gguf=*/false));
}

int64_t RowBytes(DType dtype, int64_t cols) {
  const BlockFormat& format = FormatOf(dtype);
  GALEN_CHECK(cols >= 0 && cols % format.block_elems == 0);
  const int64_t blocks = cols / format.block_elems;
  GALEN_CHECK(blocks <= std::numeric_limits<int64_t>::max() / format.block_bytes);
  return blocks * format.block_bytes;
}

float HalfToFloat(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16;
  const uint32_t exponent = (half >> 10) & 31u;
  const uint32_t mantissa = half & 0x3ffu;
  if (exponent == 0) {  // zero or subnormal: mantissa * 2^-24, exact in fp32
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
    return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(magnitude));
  }
  if (exponent == 31) {  // infinity, or NaN made quiet as the CPU's own conversion does
    const uint32_t quiet = mantissa != 0 ? 0x400000u : 0u;
    return std::bit_cast<float>(sign | 0x7f800000u | quiet | (mantissa << 13));
  }
  return std::bit_cast<float>(sign | ((exponent + 112u) << 23) | (mantissa << 13));
}

uint16_t FloatToHalf(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (bits >> 16) & 0x8000u;
  const uint32_t magnitude = bits & 0x7fffffffu;
  uint32_t half;
  if (magnitude > 0x7f800000u) {  // NaN, made quiet; the top of its payload stays
    half = 0x7e00u | ((magnitude >> 13) & 0x3ffu);
  } else if (magnitude >= 0x477ff000u) {  // 65520 and above round to infinity
    half = 0x7c00u;
  } else if (magnitude >= 0x38800000u) {  // 2^-14 and above: normal
    const uint32_t rounded = magnitude + 0xfffu + ((magnitude >> 13) & 1u);
    half = (rounded - (112u << 23)) >> 13;
  } else {
    // Subnormal: adding 0.5 leaves steps of 2^-24, so that the addition rounds to nearest even.
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    half = std::bit_cast<uint32_t>(shifted) - std::bit_cast<uint32_t>(0.5f);
  }
  return static_cast<uint16_t>(sign | half);
}

uint16_t FloatToBf16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>((bits >> 16) | 0x40u);
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

}  // namespace galen

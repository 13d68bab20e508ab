#include "media/dicom/colour.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

namespace galen::dicom {
namespace {

constexpr float kCrToRed = 1.402F;
constexpr float kCbToGreen = static_cast<float>(-0.114 * 1.772 / 0.587);
constexpr float kCrToGreen = static_cast<float>(-0.299 * 1.402 / 0.587);
constexpr float kCbToBlue = 1.772F;

// A product of two floats is exact in double, so that this is a fused multiply-add, and vectorises.
inline float MulAdd(float a, float b, float c) {
  return static_cast<float>(static_cast<double>(a) * static_cast<double>(b) +
                            static_cast<double>(c));
}

inline uint8_t RoundedByte(float x) {
  return static_cast<uint8_t>(std::clamp(std::floor(x + 0.5F), 0.0F, 255.0F));
}

Result<LookupTable> ReadChannel(const DataSet& data_set, Tag channel, bool is_signed) {
  const std::optional<LutDescriptor> descriptor =
      ReadDescriptor(data_set, kRedDescriptor + channel, is_signed);
  if (!descriptor) return DataLoss("palette without a descriptor");
  const size_t count = descriptor->count;
  LookupTable table;
  table.first = descriptor->first;
  table.bits = descriptor->bits;
  if (table.bits != 8 && table.bits != 16)
    return DataLoss("palette of " + std::to_string(table.bits) + " bits");
  if (const Element* data = data_set.Find(kRedData + channel)) {
    const size_t size = data->value.size();
    if (size == count ||
        size == count + count % 2) {  // bytes, packed, whatever the descriptor says
      table.bits = 8;
      table.entries.assign(data->value.begin(),
                           data->value.begin() + static_cast<std::ptrdiff_t>(count));
      return table;
    }
    table.entries = data_set.Words(kRedData + channel);
    if (table.entries.size() < count) return DataLoss("palette with too few entries");
    table.entries.resize(count);
    // Two bytes an entry are sixteen bits, unless only the low byte is used.
    const uint16_t top = *std::max_element(table.entries.begin(), table.entries.end());
    table.bits = table.bits == 8 && top <= 255 ? 8 : 16;
    return table;
  }
  const Element* segmented = data_set.Find(kSegmentedRedData + channel);
  if (segmented == nullptr) return DataLoss("palette without data");
  std::vector<uint16_t> segments;
  if (table.bits == 8) {
    segments.assign(segmented->value.begin(), segmented->value.end());
  } else {
    segments = data_set.Words(kSegmentedRedData + channel);
  }
  ASSIGN_OR_RETURN(table.entries,
                   ExpandSegments(segments, count, table.bits == 8, data_set.big_endian()));
  return table;
}

// The state of one expansion. An indirect segment copies segments, never another indirect one, so
// that depth is two.
struct Expansion {
  std::span<const uint16_t> data;
  size_t count;
  bool bytes;
  bool big_endian;
  std::vector<uint16_t> out;

  bool Append(uint16_t value) {
    if (out.size() == count) return false;
    out.push_back(value);
    return true;
  }

  bool Linear(size_t length, uint16_t end) {
    if (out.empty() || length == 0) return false;
    const double from = out.back();
    const double step = (static_cast<double>(end) - from) / static_cast<double>(length);
    for (size_t k = 1; k <= length; ++k) {
      // Half to even, as numpy's around does.
      const double value = k == length ? static_cast<double>(end)
                                       : std::nearbyint(from + step * static_cast<double>(k));
      if (!Append(static_cast<uint16_t>(value))) return false;
    }
    return true;
  }

  // Runs up to `limit` segments from `at` on.
  bool Run(size_t at, size_t limit, bool nested) {
    for (size_t segment = 0; segment < limit && at + 1 < data.size(); ++segment) {
      const uint16_t opcode = data[at];
      const size_t length = data[at + 1];
      at += 2;
      if (opcode == 0) {
        if (length > data.size() - at) return false;
        for (size_t k = 0; k < length; ++k) {
          if (!Append(data[at + k])) return false;
        }
        at += length;
      } else if (opcode == 1) {
        if (at >= data.size() || !Linear(length, data[at])) return false;
        ++at;
      } else if (opcode == 2 && !nested) {
        const size_t words = bytes ? 4 : 2;
        if (out.empty() || data.size() - at < words) return false;
        if (!Run(Offset(at), length, true)) return false;
        at += words;
      } else {
        return false;
      }
    }
    return true;
  }

  // Where an indirect segment points, as an index into data. The file has a byte offset in two
  // 16-bit words, least significant first, each in the byte order of the file (PS3.3 C.7.9.2.3).
  size_t Offset(size_t at) const {
    if (!bytes) return (static_cast<size_t>(data[at + 1]) << 16 | data[at]) / 2;
    const std::array<size_t, 4> order =
        big_endian ? std::array<size_t, 4>{2, 3, 0, 1} : std::array<size_t, 4>{3, 2, 1, 0};
    size_t offset = 0;
    for (const size_t k : order) offset = offset << 8 | data[at + k];
    return offset;
  }
};

}  // namespace

Result<std::vector<uint16_t>> ExpandSegments(std::span<const uint16_t> segments, size_t count,
                                             bool bytes, bool big_endian) {
  Expansion expansion{segments, count, bytes, big_endian, {}};
  expansion.out.reserve(count);
  if (!expansion.Run(0, segments.size(), false) || expansion.out.empty())
    return DataLoss("segmented palette that cannot be expanded");
  if (expansion.out.size() < count) expansion.out.resize(count, expansion.out.back());
  return std::move(expansion.out);
}

Result<Palette> ReadPalette(const DataSet& data_set, bool is_signed) {
  Palette palette;
  ASSIGN_OR_RETURN(palette.red, ReadChannel(data_set, 0, is_signed));
  ASSIGN_OR_RETURN(palette.green, ReadChannel(data_set, 1, is_signed));
  ASSIGN_OR_RETURN(palette.blue, ReadChannel(data_set, 2, is_signed));
  // The standard wants the three tables alike; then one depth rules.
  palette.red.bits = palette.green.bits = palette.blue.bits =
      std::max({palette.red.bits, palette.green.bits, palette.blue.bits});
  return palette;
}

void YbrToRgb(std::span<uint8_t> pixels) {
  for (size_t i = 0; i + 3 <= pixels.size(); i += 3) {
    const float y = static_cast<float>(pixels[i]);
    const float cb = static_cast<float>(pixels[i + 1]) - 128.0F;
    const float cr = static_cast<float>(pixels[i + 2]) - 128.0F;
    pixels[i] = RoundedByte(MulAdd(cr, kCrToRed, y));
    pixels[i + 1] = RoundedByte(MulAdd(cr, kCrToGreen, MulAdd(cb, kCbToGreen, y)));
    pixels[i + 2] = RoundedByte(MulAdd(cb, kCbToBlue, y));
  }
}

}  // namespace galen::dicom

#include "media/image/tiff_directory.h"

namespace galen {
namespace {

enum Type : uint32_t { kShort = 3, kLong = 4, kSignedShort = 8, kSignedLong = 9 };

}  // namespace

std::optional<uint32_t> FindTiffTag(std::string_view tiff, uint64_t offset, TiffForm form,
                                    uint32_t tag) {
  const auto has = [&](uint64_t at, uint64_t size) {
    return size <= tiff.size() && at <= tiff.size() - size;
  };
  const auto read = [&](uint64_t at, int size) {
    uint64_t value = 0;
    for (int i = 0; i < size; ++i) {
      value = value << 8 | static_cast<uint8_t>(tiff[at + (form.big_endian ? i : size - 1 - i)]);
    }
    return value;
  };
  const int count_size = form.big_tiff ? 8 : 2, word = form.big_tiff ? 8 : 4;
  const uint64_t entry_size = form.big_tiff ? 20 : 12;
  if (!has(offset, count_size)) return std::nullopt;
  std::optional<uint32_t> found;
  const uint64_t count = read(offset, count_size);
  uint64_t at = offset + count_size;
  for (uint64_t i = 0; i < count && has(at, entry_size); ++i, at += entry_size) {
    if (read(at, 2) != tag || read(at + 4, word) != 1) continue;
    const uint64_t type = read(at + 2, 2), value = at + 4 + word;
    if (type == kShort || type == kSignedShort) found = static_cast<uint32_t>(read(value, 2));
    if (type == kLong || type == kSignedLong) found = static_cast<uint32_t>(read(value, 4));
  }
  return found;
}

}  // namespace galen

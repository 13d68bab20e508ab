#include "media/image/orientation.h"

#include <cctype>
#include <cstdint>
#include <cstring>
#include <optional>

namespace galen {
namespace {

constexpr uint16_t kOrientationTag = 0x0112;

class TiffView {
 public:
  TiffView(std::string_view data, bool big_endian) : data_(data), big_endian_(big_endian) {}
  bool Has(uint64_t at, uint64_t size) const {
    return size <= data_.size() && at <= data_.size() - size;
  }
  uint32_t Read(uint64_t at, int size) const {
    uint32_t value = 0;
    for (int i = 0; i < size; ++i) {
      const auto byte = static_cast<uint8_t>(data_[at + (big_endian_ ? i : size - 1 - i)]);
      value = value << 8 | byte;
    }
    return value;
  }

 private:
  std::string_view data_;
  bool big_endian_;
};

// The tag of the first directory; the last one counts, as Pillow's dictionary keeps it.
std::optional<uint32_t> FromExif(std::string_view exif) {
  constexpr std::string_view kPrefix("Exif\0\0", 6);
  for (int i = 0; i < 2 && exif.starts_with(kPrefix); ++i) exif.remove_prefix(kPrefix.size());
  if (exif.size() < 8) return std::nullopt;
  const bool big_endian = exif.starts_with("MM");
  if (!big_endian && !exif.starts_with("II")) return std::nullopt;
  const TiffView view(exif, big_endian);
  const uint64_t directory = view.Read(4, 4);
  if (!view.Has(directory, 2)) return std::nullopt;
  std::optional<uint32_t> found;
  const uint32_t count = view.Read(directory, 2);
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t entry = directory + 2 + 12 * i;
    if (!view.Has(entry, 12)) break;
    if (view.Read(entry, 2) != kOrientationTag || view.Read(entry + 4, 4) != 1) continue;
    const uint32_t type = view.Read(entry + 2, 2);
    if (type == 3 || type == 8) found = view.Read(entry + 8, 2);  // SHORT, SSHORT
    if (type == 4 || type == 9) found = view.Read(entry + 8, 4);  // LONG, SLONG
  }
  return found;
}

// tiff:Orientation="6" or <tiff:Orientation>6.
std::optional<uint32_t> FromXmp(std::string_view xmp) {
  constexpr std::string_view kName = "tiff:Orientation";
  for (size_t at = xmp.find(kName); at != xmp.npos; at = xmp.find(kName, at + 1)) {
    std::string_view rest = xmp.substr(at + kName.size());
    rest.remove_prefix(rest.starts_with("=\"") ? 2 : rest.starts_with(">") ? 1 : rest.size());
    if (!rest.empty() && std::isdigit(static_cast<unsigned char>(rest[0]))) return rest[0] - '0';
  }
  return std::nullopt;
}

}  // namespace

int FindOrientation(std::string_view exif, std::string_view xmp) {
  std::optional<uint32_t> found = FromExif(exif);
  if (!found) found = FromXmp(xmp);
  return found && *found >= 1 && *found <= 8 ? static_cast<int>(*found) : 1;
}

Image ApplyOrientation(Image image, int orientation) {
  if (orientation <= 1 || orientation > 8) return image;
  const bool swapped = orientation >= 5;
  Image out;
  out.width = swapped ? image.height : image.width;
  out.height = swapped ? image.width : image.height;
  out.channels = image.channels;
  out.pixels.resize(image.pixels.size());
  // Where the source's x and y run when the target's do: right to left, bottom to top.
  const bool mirror_x =
      orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool mirror_y =
      orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  const int64_t channels = image.channels;
  const int64_t step_x = (mirror_x ? -1 : 1) * channels;
  const int64_t step_y = (mirror_y ? -1 : 1) * image.width * channels;
  const int64_t first = (mirror_x ? (image.width - 1) * channels : 0) +
                        (mirror_y ? (image.height - 1) * image.width * channels : 0);
  for (int64_t y = 0; y < out.height; ++y) {
    int64_t from = first + y * (swapped ? step_x : step_y);
    uint8_t* to = out.row(y);
    for (int64_t x = 0; x < out.width; ++x, to += channels, from += swapped ? step_y : step_x) {
      for (int64_t c = 0; c < channels; ++c) to[c] = image.pixels[from + c];
    }
  }
  return out;
}

}  // namespace galen

#include "media/image/orientation.h"

#include <cctype>
#include <cstdint>
#include <optional>

#include "media/image/tiff_directory.h"

namespace galen {
namespace {

constexpr uint32_t kOrientationTag = 0x0112;

// The tag of the first directory.
std::optional<uint32_t> FromExif(std::string_view exif) {
  constexpr std::string_view kPrefix("Exif\0\0", 6);
  for (int i = 0; i < 2 && exif.starts_with(kPrefix); ++i) exif.remove_prefix(kPrefix.size());
  if (exif.size() < 8) return std::nullopt;
  const TiffForm form = {.big_endian = exif.starts_with("MM")};
  if (!form.big_endian && !exif.starts_with("II")) return std::nullopt;
  uint64_t directory = 0;
  for (int i = 0; i < 4; ++i) {
    directory = directory << 8 | static_cast<uint8_t>(exif[form.big_endian ? 4 + i : 7 - i]);
  }
  return FindTiffTag(exif, directory, form, kOrientationTag);
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

#include "recipes/files.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>

#include "base/files.h"
#include "media/slide/slide.h"

namespace galen {
namespace {

// "DICM" follows a preamble of 128 bytes (PS3.10 7.1).
constexpr size_t kDicomAt = 128;
constexpr size_t kHead = 1024;

bool HasEnding(std::string_view path, std::initializer_list<std::string_view> endings) {
  std::string lower(path);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return std::any_of(endings.begin(), endings.end(), [&](std::string_view end) {
    return lower.size() >= end.size() &&
           std::string_view(lower).substr(lower.size() - end.size()) == end;
  });
}

// Preamble and mark; shorter files are filled up.
std::string HeadOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string head(kDicomAt + 4, '\0');
  file.read(head.data(), static_cast<std::streamsize>(head.size()));
  return head;
}

}  // namespace

std::string_view MediaKindName(MediaKind kind) {
  static constexpr std::array<std::string_view, 6> kNames = {"auto", "image",  "DICOM",
                                                             "PDF",  "volume", "slide"};
  return kNames[static_cast<size_t>(kind)];
}

bool IsPictureName(std::string_view path) {
  return HasEnding(path, {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif"});
}

Result<std::vector<std::string>> PicturesOfFolder(const std::string& path) {
  std::vector<std::string> pictures;
  std::error_code error;
  for (std::filesystem::recursive_directory_iterator it(path, error), end; !error && it != end;
       it.increment(error)) {
    if (!it->is_regular_file(error)) continue;
    const std::string file = it->path().string();
    if (it->path().filename() == "DICOMDIR" || HasEnding(file, {".dcm"}) ||
        HeadOf(file).substr(kDicomAt) == "DICM") {
      return std::vector<std::string>();
    }
    if (IsPictureName(file)) pictures.push_back(file);
  }
  if (error) return IoError("cannot read the folder " + path + ": " + error.message());
  std::sort(pictures.begin(), pictures.end());
  return pictures;
}

MediaKind DetectKind(std::string_view name, std::string_view bytes) {
  const std::string_view head = bytes.substr(0, kHead);
  if (head.find("%PDF-") != head.npos) return MediaKind::kPdf;
  if (head.size() >= kDicomAt + 4 && head.compare(kDicomAt, 4, "DICM") == 0) {
    return MediaKind::kDicom;
  }
  if (HasEnding(name, {".nii", ".nii.gz", ".hdr", ".hdr.gz", ".img.gz"})) return MediaKind::kVolume;
  if (HasEnding(name, {".dcm", ".zip", ".tar", ".tgz", ".tar.gz"})) return MediaKind::kDicom;
  return MediaKind::kImage;
}

Result<MediaKind> DetectKind(const std::string& path) {
  if (path == "-" || path.substr(0, 5) == "data:") return MediaKind::kImage;
  if (IsDirectory(path)) {
    ASSIGN_OR_RETURN(const std::vector<std::string> pictures, PicturesOfFolder(path));
    return pictures.empty() ? MediaKind::kDicom : MediaKind::kImage;
  }
  if (!FileExists(path)) return NotFound("there is no file " + path);
  std::ifstream file(path, std::ios::binary);
  std::string head(kHead, '\0');
  file.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<size_t>(std::max<std::streamsize>(0, file.gcount())));
  if (const MediaKind kind = DetectKind(path, head); kind != MediaKind::kImage) return kind;
  // Any tiled TIFF may be a slide; without a maker's marks it is taken for an image, unless the
  // user says otherwise.
  if (const auto format = DetectSlideFormat(path); format && *format != "generic-tiff") {
    return MediaKind::kSlide;
  }
  return MediaKind::kImage;
}

}  // namespace galen

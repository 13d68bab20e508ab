// Files that a user names, and what they are.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "media/dicom/dicom_set.h"
#include "media/document/pdf.h"
#include "media/image/decode.h"
#include "media/volume/volume.h"

namespace galen {

enum class MediaKind { kAuto, kImage, kDicom, kPdf, kVolume, kSlide };
std::string_view MediaKindName(MediaKind kind);

struct MediaFile {
  std::string path;
  MediaKind kind = MediaKind::kAuto;
};

struct MediaOptions {
  std::string question;
  std::string pages;            // of PDF files, as ParsePageRange; empty: all
  double dpi = 0;               // of pages; 0: the recipe's
  int64_t max_images = 0;       // 0: the recipe's
  uint64_t seed = 0;            // for the choice of patches
  Plane plane = Plane::kAxial;  // of volumes
  int64_t frame = 0;            // of volumes with a fourth dimension
  // {centre, width} in units of the values, instead of the recipe's or the file's own.
  std::optional<std::array<double, 2>> window;
  std::string slices;             // of a series, in the order shown, as ParsePageRange; empty: all
  std::optional<int64_t> series;  // number of the DICOM series, where a folder holds several
  bool allow_mixed_patients = false;
  bool keep_identity = false;  // of DICOM: who and when, as facts for people; never for the model
  PdfLimits pdf;
  VolumeLimits volume;
  DicomOptions dicom;  // keep_identity is set from above
  int64_t max_archive_bytes = DicomSetOptions().max_archive_bytes;
  DecodeOptions image;
  // Of all images together. Looked at before each is drawn, or kept where its size is known then
  // alone.
  int64_t max_all_pixels = std::numeric_limits<int64_t>::max();
};

// By the first bytes, the ending, and what a folder holds; never kAuto. What nothing else claims
// is an image.
Result<MediaKind> DetectKind(const std::string& path);
// Whether the ending is one of pictures: jpg, jpeg, png, webp, tif, tiff, bmp, gif.
bool IsPictureName(std::string_view path);
// The pictures of a folder and below it, by name, where there are some and no file there begins as
// DICOM does; else nothing.
Result<std::vector<std::string>> PicturesOfFolder(const std::string& path);
// By the first bytes and the ending of a name alone, of what is in memory.
MediaKind DetectKind(std::string_view name, std::string_view bytes);

}  // namespace galen

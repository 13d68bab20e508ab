// Which media options apply to what.
#include <algorithm>

#include "media_options.h"

namespace galen::cli {
namespace {

bool IsPaged(MediaKind kind) { return kind == MediaKind::kPdf || kind == MediaKind::kImage; }
bool IsPdf(MediaKind kind) { return kind == MediaKind::kPdf; }
bool IsVolume(MediaKind kind) { return kind == MediaKind::kVolume; }
bool IsDicom(MediaKind kind) { return kind == MediaKind::kDicom; }
bool HasValues(MediaKind kind) { return IsVolume(kind) || IsDicom(kind); }
bool IsSlide(MediaKind kind) { return kind == MediaKind::kSlide || IsDicom(kind); }
bool IsAny(MediaKind) { return true; }

struct Use {
  const char* option;
  bool (*fits)(MediaKind);
  const char* what;
};

constexpr Use kUses[] = {
    {"--pages", IsPaged, "PDF files and pictures of several pages"},
    {"--dpi", IsPdf, "PDF files"},
    {"--plane", IsVolume, "NIfTI volumes"},
    {"--frame", IsVolume, "NIfTI volumes"},
    {"--slices", HasValues, "volumes and DICOM series"},
    {"--window", HasValues, "volumes and DICOM files"},
    {"--series", IsDicom, "DICOM files"},
    {"--allow-mixed-patients", IsDicom, "DICOM files"},
    {"--keep-identity", IsDicom, "DICOM files"},
    {"--recipe", IsAny, "files"},
    {"--max-images", IsAny, "files"},
    {"--box", IsAny, "images"},
    {"--image-tokens", IsAny, "images"},
    {"--min-pixels", IsAny, "images"},
    {"--max-pixels", IsAny, "images"},
    {"--pan-and-scan", IsAny, "images"},
};
// The seed of `run` is that of its draws, too.
constexpr Use kSeed = {"--seed", IsSlide, "slides"};

}  // namespace

Status CheckMediaUsage(const CLI::App& verb, const MediaCliOptions& o) {
  std::vector<MediaKind> kinds;
  for (const MediaFile& file : MediaFilesOf(o)) {
    kinds.push_back(file.kind);
    if (file.kind != MediaKind::kAuto) continue;
    const Result<MediaKind> kind = DetectKind(file.path);
    if (!kind.ok()) return OkStatus();
    kinds.back() = *kind;
  }
  std::vector<Use> uses(std::begin(kUses), std::end(kUses));
  if (verb.get_name() == "look") uses.push_back(kSeed);
  for (const Use& use : uses) {
    const CLI::Option* option = verb.get_option_no_throw(use.option);
    if (option == nullptr || option->count() == 0) continue;
    if (std::any_of(kinds.begin(), kinds.end(), use.fits)) continue;
    return InvalidArgument(std::string(use.option) + " is for " + use.what + "; " +
                           (kinds.empty() ? "no file is named" : "none of the files is one"));
  }
  return OkStatus();
}

}  // namespace galen::cli

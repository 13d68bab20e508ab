#include "image_items.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>

#include "base/files.h"
#include "base/sha256.h"
#include "media/image/decode.h"
#include "recipes/files.h"

namespace galen::cli {
namespace {

namespace fs = std::filesystem;

bool IsArchiveName(const fs::path& path) {
  const std::string extension = path.extension().string();
  return extension == ".zip" || extension == ".tar" || extension == ".tgz" || extension == ".gz";
}

// The kind of a file that is no image but that `galen look` reads.
std::optional<MediaKind> OtherMedia(const fs::path& path) {
  std::error_code error;
  // Detection opens the file again, and a pipe would wait for ever.
  if (!fs::is_regular_file(path, error)) return std::nullopt;
  const Result<MediaKind> kind = DetectKind(path.string());
  if (!kind.ok() || *kind == MediaKind::kImage) return std::nullopt;
  return *kind;
}

std::string LookHint(const std::string& kinds) {
  return "; `galen look FILE --out FOLDER` makes images of " + kinds;
}

std::string SkippedText(const std::vector<fs::path>& skipped) {
  std::map<std::string, int64_t> kinds;
  for (const fs::path& path : skipped) {
    if (const auto kind = OtherMedia(path)) ++kinds[std::string(MediaKindName(*kind))];
  }
  std::string listed;
  for (const auto& [kind, count] : kinds) {
    if (!listed.empty()) listed += ", ";
    listed.append(kind).append(" files (").append(std::to_string(count)).append(")");
  }
  return std::to_string(skipped.size()) + (skipped.size() == 1 ? " file" : " files") +
         " passed over, not named as images" + (listed.empty() ? "" : LookHint(listed));
}

}  // namespace

Status ImageItems::AddFolder(const std::string& path, bool keep_identity,
                             std::vector<std::string>* notes) {
  std::vector<std::string> found;
  std::vector<fs::path> skipped;
  bool dicom = false;
  std::error_code error;
  for (fs::recursive_directory_iterator it(path, error), end; !error && it != end;
       it.increment(error)) {
    if (!it->is_regular_file(error)) continue;
    if (IsPictureName(it->path().string())) {
      found.push_back(it->path().string());
    } else if (OtherMedia(it->path()) == MediaKind::kDicom && !IsArchiveName(it->path())) {
      dicom = true;
    } else {
      skipped.push_back(it->path());
    }
  }
  if (error) return IoError(path + ": " + error.message());
  if (found.empty() && !dicom) {
    return NotFound(path + " holds no image (jpg, png, webp, tif, bmp, gif, DICOM)" +
                    (skipped.empty() ? "" : ": " + SkippedText(skipped)));
  }
  if (!skipped.empty()) notes->push_back(path + ": " + SkippedText(skipped));
  std::sort(found.begin(), found.end());
  for (std::string& file : found) items_.push_back({std::move(file), nullptr, 0, OkStatus()});
  if (dicom) AddDicom(path, keep_identity, false, notes);
  return OkStatus();
}

void ImageItems::AddDicom(const std::string& path, bool keep_identity, bool tell_others,
                          std::vector<std::string>* notes) {
  MediaOptions options;
  options.keep_identity = keep_identity;
  Result<DicomPictures> opened = DicomPictures::Open(path, options);
  if (!opened.ok()) {
    items_.push_back({path, nullptr, 0, opened.status()});
    return;
  }
  const auto pictures = std::make_shared<const DicomPictures>(*std::move(opened));
  for (int64_t i = 0; i < pictures->count(); ++i) {
    items_.push_back({pictures->Source(i), pictures, i, OkStatus()});
  }
  if (pictures->count() == 0) {
    items_.push_back({path, nullptr, 0, NotFound(path + ": DICOM without a picture")});
  }
  notes->insert(notes->end(), pictures->notes().begin(), pictures->notes().end());
  if (tell_others && pictures->not_dicom() > 0) {
    notes->push_back(path + ": " + std::to_string(pictures->not_dicom()) +
                     " files are no DICOM and were passed over");
  }
  if (pictures->files() < 2 || keep_identity) return;
  const std::string digests = dicom_digest_ + pictures->NamesDigest();
  dicom_digest_ = Sha256Hex({reinterpret_cast<const uint8_t*>(digests.data()), digests.size()});
}

Result<ImageItems> ImageItems::Open(const std::vector<std::string>& images,
                                    const std::vector<std::string>& dicom, bool keep_identity,
                                    std::vector<std::string>* notes) {
  ImageItems items;
  for (const std::string& path : images) {
    if (IsDirectory(path)) {
      RETURN_IF_ERROR(items.AddFolder(path, keep_identity, notes));
    } else if (OtherMedia(path) == MediaKind::kDicom) {
      items.AddDicom(path, keep_identity, true, notes);
    } else {
      items.items_.push_back({path, nullptr, 0, OkStatus()});
    }
  }
  for (const std::string& path : dicom) {
    items.AddDicom(path, keep_identity, true, notes);
  }
  const bool identity = std::any_of(items.items_.begin(), items.items_.end(),
                                    [](const Item& item) { return item.dicom != nullptr; });
  if (keep_identity && !identity) {
    notes->push_back("--keep-identity: none of the images is of a DICOM file");
  }
  return items;
}

Result<Image> ImageItems::Read(int64_t i, std::vector<std::string>* warnings) const {
  const Item& item = items_[static_cast<size_t>(i)];
  if (!item.status.ok()) return item.status;
  if (item.dicom != nullptr) {
    Result<Image> image = item.dicom->Read(item.picture, warnings);
    if (!image.ok()) return image.status().WithContext(item.source);
    return image;
  }
  ASSIGN_OR_RETURN(const std::string bytes, ReadFile(item.source, DecodeOptions().max_bytes));
  Result<Image> image =
      DecodeImage({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, {}, warnings);
  if (image.ok()) return image;
  const std::optional<MediaKind> kind = OtherMedia(item.source);
  if (!kind) return image.status().WithContext(item.source);
  return DataLoss(item.source + ": " + image.status().message() +
                  LookHint(std::string(MediaKindName(*kind)) + " files"));
}

std::vector<std::pair<std::string, std::string>> ImageItems::Identity(int64_t i) const {
  const Item& item = items_[static_cast<size_t>(i)];
  if (item.dicom == nullptr) return {};
  return item.dicom->Identity(item.picture);
}

void ImageItems::EraseIf(const std::function<bool(const std::string& source)>& done) {
  std::erase_if(items_, [&](const Item& item) { return done(item.source); });
}

}  // namespace galen::cli

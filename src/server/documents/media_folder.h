// Uploaded files where recipes can open them: in a folder of this process alone that goes with the
// object, or a received study where it lies. Their names there are made up; what is said of them
// has the names that were sent.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/child.h"
#include "recipes/apply.h"
#include "server/documents/upload.h"

namespace galen::server {

// Bytes of a volume, an archive, a deflated file; of one frame.
inline constexpr int64_t kMostUnpacked = int64_t{512} << 20;
inline constexpr int64_t kMostFrame = int64_t{256} << 20;

class MediaFolder {
 public:
  // InvalidArgument: an empty file, or a slide of several files, which names others by their paths.
  static Result<MediaFolder> Make(std::vector<extract::NamedBytes> files);
  // The study where it lies: its instances that have pictures.
  static MediaFolder OfStudy(dicomnet::Study study);
  // What an upload has. InvalidArgument, too: a study without pictures.
  static Result<MediaFolder> Of(Upload* upload);

  // As recipes take them: several DICOM files are one folder where `series` says so, which they are
  // sorted in by position.
  std::vector<MediaFile> Files(bool series) const;
  bool several_dicom() const { return all_dicom_ && entries_.size() > 1; }
  // The text with the names that were sent in place of paths.
  std::string Named(std::string text) const;
  Status Named(const Status& status) const { return {status.code(), Named(status.message())}; }
  void Rename(MediaInput* input) const;

 private:
  MediaFolder() = default;
  const std::string& path() const { return study_ ? study_->folder() : folder_->path(); }

  std::optional<TemporaryFolder> folder_;  // of its own, or
  std::optional<dicomnet::Study> study_;
  struct Entry {
    std::string path, name;
    MediaKind kind;  // kAuto: a TIFF, which alone may be looked at as a slide
  };
  std::vector<Entry> entries_;
  bool all_dicom_ = true;
};

// The fields of media: recipe (of the built-in ones), question, window, slices, ...
struct MediaCall {
  std::string recipe;
  MediaOptions options;
};
Status ReadMediaFields(const ServerOptions& server, Fields* fields, MediaCall* call);
// Of a form's texts, those that are something else.
std::span<const FormField> MediaFormFields();

// As BuildInput, with names. What it draws is bounded by ServerOptions::max_image_pixels in all:
// ResourceExhausted.
Result<MediaInput> BuildUploaded(const ServerOptions& server, const MediaFolder& folder,
                                 const MediaCall& call);

// Files that cannot be read, recipes that do not fit them: 400; limits: 413.
ApiError ErrorOfMedia(const Status& status);

}  // namespace galen::server

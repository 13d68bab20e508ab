// Every picture of a DICOM file, folder or archive by itself, as its own window shows it: the
// pixels that the plain X-ray recipe gives.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "media/dicom/dicom_file.h"
#include "media/dicom/dicom_set.h"
#include "media/image/image.h"
#include "recipes/files.h"

namespace galen {

struct DicomPicture {
  Image image;  // RGB
  DicomWarnings warnings;
  std::vector<std::pair<std::string, std::string>> facts;  // spacing, window
};

// The frame `index` of an opened file. Options: the window.
Result<DicomPicture> RenderDicomPicture(const DicomFile& file, int64_t index,
                                        const MediaOptions& options);
// "scan.dcm", "folder file 3 frame 2".
std::string DicomPictureName(const std::string& path, const DicomSet& set, const DicomFile& file,
                             const DicomSlice& slice);

// For who looks at each picture apart: those of several patients may be among them.
class DicomPictures {
 public:
  // Headers are read, by all threads. Files that are no DICOM are passed over, unless it is `path`
  // itself. options.keep_identity: sources are named by their files. Errors: of ReadDicomSet.
  static Result<DicomPictures> Open(const std::string& path, const MediaOptions& options);

  // Pictures in the order of `galen look` (studies, series, slices), then files that cannot be
  // read.
  int64_t count() const { return static_cast<int64_t>(places_.size()); }
  std::string Source(int64_t i) const;
  // *warnings: "text (code)". Errors: of the file, without its name; Unsupported: a whole slide,
  // whose tiles are no pictures.
  Result<Image> Read(int64_t i, std::vector<std::string>* warnings) const;
  // Who and when the picture is of, where the options keep it.
  std::vector<std::pair<std::string, std::string>> Identity(int64_t i) const;
  // Of folders and archives: what was noticed about all, and how many files are no DICOM.
  const std::vector<std::string>& notes() const { return notes_; }
  int64_t not_dicom() const { return set_->not_dicom; }
  int64_t files() const { return static_cast<int64_t>(set_->files.size()); }  // of any kind
  // SHA-256 of the files' names: the numbers of Source mean the same files while it is the same.
  std::string NamesDigest() const;

 private:
  struct Place {
    const DicomSeries* series = nullptr;  // null: the file cannot be read
    DicomSlice slice;
    bool several = false;  // pictures in the file
    std::string error;
  };
  std::string path_;
  MediaOptions options_;
  std::shared_ptr<const DicomSet> set_;
  std::vector<Place> places_;
  std::vector<std::string> notes_;
};

}  // namespace galen

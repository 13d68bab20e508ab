// What `galen classify` and `galen embed` look at: the pictures of image files, folders and DICOM
// files, one row each.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "media/image/image.h"
#include "recipes/dicom_pictures.h"

namespace galen::cli {

class ImageItems {
 public:
  // Files in the order given, what is wrong with one becomes its row; of a folder all images in it
  // and below, by name, and behind them its DICOM pictures. Then `dicom` in its order. *notes tells
  // of files that were passed over. NotFound for a folder without pictures.
  static Result<ImageItems> Open(const std::vector<std::string>& images,
                                 const std::vector<std::string>& dicom, bool keep_identity,
                                 std::vector<std::string>* notes);

  int64_t count() const { return static_cast<int64_t>(items_.size()); }
  const std::string& Source(int64_t i) const { return items_[static_cast<size_t>(i)].source; }
  // Errors name the source. Used by one thread at a time.
  Result<Image> Read(int64_t i, std::vector<std::string>* warnings) const;
  // Of DICOM: who and when, where it is kept.
  std::vector<std::pair<std::string, std::string>> Identity(int64_t i) const;
  void EraseIf(const std::function<bool(const std::string& source)>& done);
  // Of the names behind the numbers of DICOM folders; empty: there are none.
  const std::string& dicom_digest() const { return dicom_digest_; }

 private:
  struct Item {
    std::string source;
    std::shared_ptr<const DicomPictures> dicom;  // null: an image file
    int64_t picture = 0;
    Status status;
  };
  Status AddFolder(const std::string& path, bool keep_identity, std::vector<std::string>* notes);
  // What cannot be opened is one row. tell_others: a note tells of files that are no DICOM.
  void AddDicom(const std::string& path, bool keep_identity, bool tell_others,
                std::vector<std::string>* notes);

  std::vector<Item> items_;
  std::string dicom_digest_;
};

}  // namespace galen::cli

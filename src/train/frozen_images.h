// Vectors of images by a tower that is not trained: made once, before the text model is loaded, and
// kept in a file, so that neither the tower nor the vectors take memory in the training.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

#include "base/status.h"
#include "models/open_model.h"
#include "train/train_images.h"
#include "train/vector_file.h"

namespace galen {

struct FrozenImagesSetup {
  const ModelFiles* files = nullptr;
  const TrainImages* images = nullptr;  // those that were remembered
  std::string path;                     // of the file
  Compute compute = Compute::kBf16;
  uint64_t seed = 0;      // of the places of parts
  int64_t available = 0;  // bytes of memory
  const KernelTable* kernels = nullptr;
  ThreadPool* pool = nullptr;
  ReadProgress progress;
};

class FrozenImages {
 public:
  // Makes what the file does not hold yet; what another run with the same tower, images and
  // arithmetic has put there is taken over, also where it was killed midway. ResourceExhausted: the
  // tower needs more memory than is available.
  static Result<FrozenImages> Make(const FrozenImagesSetup& setup);

  // The vectors of a view of a remembered image, [tokens, cols()]. Any thread.
  Status Read(const std::string& path, size_t view, float* vectors) const;

  int64_t cols() const { return file_.cols(); }
  int64_t file_bytes() const { return file_.BytesOf(rows_); }
  int64_t made() const { return made_; }  // views that were not in the file

 private:
  class Maker;
  struct Place {
    int64_t first_row = 0;
    const PreparedViews* views = nullptr;
  };
  VectorFile file_;
  int64_t rows_ = 0, made_ = 0;
  std::unordered_map<std::string, Place> places_;
};

}  // namespace galen

// What a frozen image tower makes of the images, once: it is loaded, run and dropped before the
// trained part takes memory.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/dual_encoder/image_preparer.h"
#include "models/dual_encoder/open_dual_encoder.h"
#include "train/read_lines.h"
#include "train/vector_file.h"

namespace galen {

enum class ImageVector {
  kMean,       // what a classification head sees: DualEncoder::PoolImages
  kEmbedding,  // what is compared with texts: DualEncoder::EmbedImages
};

struct ImageEmbeddingsSetup {
  std::string model;  // the base's path
  ImageVector kind = ImageVector::kMean;
  const ImagePreparer* preparer = nullptr;
  const std::vector<std::string>* images = nullptr;  // paths
  std::string path;                                  // of the file of vectors
  Compute compute = Compute::kBf16;
  int64_t available = 0;  // bytes of memory
  const KernelTable* kernels = nullptr;
  ThreadPool* pool = nullptr;
  ReadProgress progress;
};

// Fills the file; row i is of image i. What another run with the same tower, images and arithmetic
// has put there is taken over. *made: rows that were not there. ResourceExhausted: the tower needs
// more memory than is available. DataLoss: an image cannot be read any more.
Result<VectorFile> MakeImageEmbeddings(const ImageEmbeddingsSetup& setup, int64_t* made);

}  // namespace galen

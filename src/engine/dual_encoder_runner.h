// Runs an image-text model on batches: memory, arithmetic, scores.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "models/dual_encoder/dual_encoder.h"
#include "models/dual_encoder/image_preparer.h"

namespace galen {

struct DualEncoderRunnerOptions {
  Compute compute = Compute::kBf16;  // of the towers; similarities are always fp32
  bool batch_invariant = false;
  int64_t max_images = 8;  // of a call
};

enum class ScoreKind { kSigmoid, kSoftmax };
// Probabilities of one row of logits, in double.
std::vector<double> Scores(std::span<const float> logits, ScoreKind kind);

// How two sets of rows agree: cosines between equal rows.
struct Agreement {
  double least = 1.0;
  double mean = 1.0;
};
Agreement CompareRows(std::span<const float> a, std::span<const float> b, int64_t cols);

class DualEncoderRunner {
 public:
  // Everything is borrowed; the pool is used by one thread at a time.
  static Result<std::unique_ptr<DualEncoderRunner>> Create(const DualEncoder& model,
                                                           const KernelTable& kernels,
                                                           ThreadPool& pool,
                                                           const DualEncoderRunnerOptions& options);
  // Bytes that Create reserves; they become resident as far as they are used.
  static int64_t ArenaBytes(const DualEncoder& model, const KernelTable& kernels, int num_threads,
                            const DualEncoderRunnerOptions& options);

  // Images as ImagePreparer::Fit gives them, at most max_images. [n, embedding_size], not
  // normalised. The model must have embeddings of images.
  std::vector<float> EmbedImages(const ImagePreparer& preparer, std::span<const Image> images);
  // Logits [n, labels] of the model's head.
  std::vector<float> ClassifyImages(const ImagePreparer& preparer, std::span<const Image> images);
  // Any number of texts, as TextInput::EncodePadded gives them. [n, embedding_size].
  std::vector<float> EmbedTexts(std::span<const std::vector<int32_t>> texts);
  // Logits [images, texts] of embeddings as the above give them.
  std::vector<float> ImageTextLogits(std::span<const float> images, std::span<const float> texts);

  void set_compute(Compute compute) { compute_ = compute; }
  const DualEncoder& model() const { return model_; }

 private:
  DualEncoderRunner(const DualEncoder& model, const KernelTable& kernels, ThreadPool& pool,
                    const DualEncoderRunnerOptions& options, Arena arena);
  ExecContext Context();
  Tensor Patches(const ImagePreparer& preparer, std::span<const Image> images);

  const DualEncoder& model_;
  const KernelTable& kernels_;
  ThreadPool& pool_;
  const DualEncoderRunnerOptions options_;
  Compute compute_;
  Arena arena_;
};

// Each row divided by its Euclidean norm.
void NormalizeEmbeddings(std::span<float> rows, int64_t cols);

}  // namespace galen

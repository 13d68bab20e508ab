// DualEncoder: images and texts in one space of embeddings, and classification heads on the image
// tower. Like CausalLM it is parameters and functions without state, for inference and, on a tape,
// training.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "models/dual_encoder/dual_encoder_config.h"
#include "models/dual_encoder/text_encoder.h"
#include "models/dual_encoder/vision_encoder.h"
#include "models/param_sources.h"

namespace galen {

// The weights of one part, and where a checkpoint keeps them.
struct ParamGroup {
  std::vector<ParamSpec> specs;
  ParamScope scope;
};

class DualEncoder {
 public:
  // The config must be valid (ReadDualEncoderConfig), but for towers that were taken out: what is
  // on top of them (classifier, similarity) works on rows that another instance made.
  explicit DualEncoder(DualEncoderConfig config);
  DualEncoder(const DualEncoder&) = delete;
  DualEncoder& operator=(const DualEncoder&) = delete;

  // n images as rows of patches, [n * patches, patch_values] (VisionEncoder::Forward). Needs
  // config().vision. [n, embedding_size], not normalised; a SigLIP tower without pooling head has
  // no embeddings (can_embed_images).
  Tensor EmbedImages(ExecContext& ctx, const Tensor& patches, int64_t n) const;
  // TextEncoder::Forward and CLIP's projection. Needs config().text. [n, embedding_size].
  Tensor EmbedTexts(ExecContext& ctx, std::span<const int32_t> ids,
                    std::span<const int32_t> cu_seqlens) const;
  // Logits [images, texts] of embeddings as the two above give them: exp(logit_scale) times their
  // cosine, plus SigLIP's logit_bias. Needs config().similarity.
  Tensor ImageTextLogits(ExecContext& ctx, const Tensor& images, const Tensor& texts) const;
  // What a classification head sees of images, [n, config().vision's hidden_size].
  Tensor PoolImages(ExecContext& ctx, const Tensor& patches, int64_t n) const;
  // Logits [n, labels] of rows of PoolImages. Needs config().classifier.
  Tensor ClassifyPooled(ExecContext& ctx, const Tensor& pooled) const;
  // Both.
  Tensor ClassifyImages(ExecContext& ctx, const Tensor& patches, int64_t n) const;

  bool can_embed_images() const;

  // Gives the image tower's blocks int8 matrices beside their own (EncoderStack::MakeInt8), for
  // Compute::kInt8; everything else, and without this call all, computes in bf16 then. Needs
  // config().vision.
  Status MakeInt8Images(const KernelTable& kernels, ThreadPool& pool);
  int64_t Int8ImageBytes(const KernelTable& kernels) const;

  // One group for each part: image tower, text tower, what belongs to neither.
  std::vector<ParamGroup> Params();

  // Upper bounds of what the functions take from the arena in inference, the caller's patches and
  // the results included.
  int64_t ImageArenaBytes(const KernelTable& kernels, int num_threads, int64_t n) const;
  int64_t TextArenaBytes(const KernelTable& kernels, int num_threads, int64_t n) const;

  const DualEncoderConfig& config() const { return config_; }

 private:
  const DualEncoderConfig config_;
  std::unique_ptr<VisionEncoder> vision_;
  std::unique_ptr<TextEncoder> text_;
  LinearLayer visual_projection_;
  LinearLayer text_projection_;
  LinearLayer classifier_;
  VectorParam logit_scale_;  // [1]
  VectorParam logit_bias_;   // [1]; SigLIP
};

}  // namespace galen

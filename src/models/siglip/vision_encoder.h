// SigLIP's image encoder as part of a multimodal model: patches, learned positions, which may be
// interpolated, pre-norm transformer blocks, a final norm. https://arxiv.org/abs/2303.15343;
// reference transformers 5.23, models/siglip. Models that compare images with texts have
// dual_encoder/vision_encoder.h.
#pragma once

#include "models/dual_encoder/encoder_stack.h"
#include "models/param_table.h"
#include "models/vision/image_tower.h"

namespace galen {

class SiglipVisionEncoder {
 public:
  explicit SiglipVisionEncoder(const VisionConfig& config);

  // [patches, hidden_size] after post_layernorm. A grid of another size than the position table's
  // gets its positions by bicubic interpolation, as transformers' interpolate_pos_encoding; then
  // all grids of a batch have one size. Images with corners take rows of the table. Observed:
  // "vision.embeddings", "vision.layers.N", "vision.post_layernorm".
  Tensor Forward(ExecContext& ctx, const ImageBatch& batch) const;

  // Adds the rows of all weights, under the names of VisionScope.
  static ParamTable Table() { return ParamTable("vision_tower.encoder.layers.", "v.blk."); }
  void AddParams(ParamTable* table);

  // Upper bound of Forward's temporaries in inference.
  int64_t ArenaBytes(const KernelTable& kernels, int num_threads, int64_t num_patches) const;

 private:
  Tensor AddPositions(ExecContext& ctx, const ImageBatch& batch, const Tensor& x) const;

  const VisionConfig config_;
  LinearLayer patch_embedding_;
  VectorParam position_embedding_;  // [side * side, hidden_size]
  EncoderStack stack_;
  VectorParam post_layernorm_w_;
  VectorParam post_layernorm_b_;
};

}  // namespace galen

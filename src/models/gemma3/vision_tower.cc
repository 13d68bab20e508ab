// SigLIP encoder, then: mean over squares of patches, RMSNorm, one product. Reference: transformers
// 5.23, Gemma3MultiModalProjector.
#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "models/gemma3/vision.h"
#include "models/siglip/vision_encoder.h"

namespace galen {
namespace {

class Gemma3Tower final : public ImageTower {
 public:
  explicit Gemma3Tower(VisionConfig config)
      : ImageTower(std::move(config)),
        encoder_(config_),
        pool_(config_.patches_per_side() / static_cast<int64_t>(std::lround(std::sqrt(
                                               static_cast<double>(config_.tokens_per_image))))) {}

  Tensor Forward(ExecContext& ctx, const ImageBatch& batch) const override;
  int64_t Tokens(const ImageGrid& grid) const override { return grid.patches() / (pool_ * pool_); }
  Status CheckGrid(const ImageGrid& grid) const override;
  Status CheckPart(const ImageGrid& grid) const override;
  std::vector<ParamSpec> Params() override;
  int64_t ArenaBytes(const KernelTable& kernels, int num_threads,
                     int64_t num_patches) const override;

 private:
  SiglipVisionEncoder encoder_;
  int64_t pool_;  // patches along the side of a square that becomes one token
  VectorParam mm_soft_emb_norm_;
  LinearLayer mm_input_projection_;
};

Status Gemma3Tower::CheckGrid(const ImageGrid& grid) const {
  const int64_t side = config_.patches_per_side();
  if (grid.height == grid.width && grid.height >= pool_ && grid.height <= side &&
      grid.height % pool_ == 0) {
    return OkStatus();
  }
  return InvalidArgument("an image of " + std::to_string(grid.height) + " x " +
                         std::to_string(grid.width) + " patches; this tower takes squares of " +
                         std::to_string(pool_) + " to " + std::to_string(side) +
                         " patches, in steps of " + std::to_string(pool_));
}

Status Gemma3Tower::CheckPart(const ImageGrid& grid) const {
  const int64_t side = config_.patches_per_side();
  const auto fits = [&](int64_t n) { return n >= pool_ && n <= side && n % pool_ == 0; };
  if (fits(grid.height) && fits(grid.width)) return OkStatus();
  return InvalidArgument(
      "an image of " + std::to_string(grid.width * config_.patch_size) + " x " +
      std::to_string(grid.height * config_.patch_size) +
      " pixels (width x height); as a part of a page this tower takes multiples of " +
      std::to_string(pool_ * config_.patch_size) + " up to " + std::to_string(config_.image_size));
}

// The patches of each token's square, token by token, row-major.
std::vector<int32_t> PoolRows(std::span<const ImageGrid> grids, int64_t pool) {
  std::vector<int32_t> rows;
  int64_t first = 0;
  for (const ImageGrid& grid : grids) {
    for (int64_t y = 0; y < grid.height; y += pool) {
      for (int64_t x = 0; x < grid.width; x += pool) {
        for (int64_t i = 0; i < pool * pool; ++i) {
          rows.push_back(static_cast<int32_t>(first + (y + i / pool) * grid.width + x + i % pool));
        }
      }
    }
    first += grid.patches();
  }
  return rows;
}

Tensor Gemma3Tower::Forward(ExecContext& ctx, const ImageBatch& batch) const {
  for (const ImageGrid& grid : batch.grids) {
    GALEN_CHECK((batch.corners.empty() ? CheckGrid(grid) : CheckPart(grid)).ok());
  }
  Tensor x = encoder_.Forward(ctx, batch);
  x = MeanRows(ctx, x, PoolRows(batch.grids, pool_), pool_ * pool_);
  Observe(ctx, "vision.pooled", x);
  x = RmsNorm(ctx, x, mm_soft_emb_norm_, config_.layer_norm_eps);
  x = Project(ctx, mm_input_projection_, x);
  Observe(ctx, "vision.projected", x);
  return x;
}

std::vector<ParamSpec> Gemma3Tower::Params() {
  ParamTable t = SiglipVisionEncoder::Table();
  encoder_.AddParams(&t);
  // Stored as 1 + w in GGUF files, like the norms of the text part; the encoder's norms are as they
  // are.
  t.Vector("multi_modal_projector.mm_soft_emb_norm.weight", "mm.soft_emb_norm.weight",
           config_.hidden_size, &mm_soft_emb_norm_)
      .hf_offset = 1.0f;
  // A parameter [in, out] in every kind of file, no nn.Linear.
  t.Matrix("multi_modal_projector.mm_input_projection_weight", "mm.input_projection.weight",
           config_.projection_dim, config_.hidden_size, &mm_input_projection_.weight)
      .transposed = true;
  return t.Take();
}

int64_t Gemma3Tower::ArenaBytes(const KernelTable& kernels, int num_threads,
                                int64_t num_patches) const {
  const int64_t tokens = num_patches / (pool_ * pool_);
  const int64_t projector = tokens * (2 * config_.hidden_size + config_.projection_dim) *
                            static_cast<int64_t>(sizeof(float));
  return encoder_.ArenaBytes(kernels, num_threads, num_patches) + projector;
}

}  // namespace

std::unique_ptr<ImageTower> MakeGemma3Tower(VisionConfig config) {
  return std::make_unique<Gemma3Tower>(std::move(config));
}

const VisionArchitecture kGemma3Vision = {
    .config_from_hf = Gemma3VisionFromHf,
    .config_from_gguf = Gemma3VisionFromGguf,
    .make_tower = MakeGemma3Tower,
    .make_processor = MakeGemma3Processor,
};

}  // namespace galen

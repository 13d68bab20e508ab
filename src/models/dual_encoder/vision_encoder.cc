#include "models/dual_encoder/vision_encoder.h"

#include <vector>

namespace galen {
namespace {

// first, first + step, ...
std::vector<int32_t> Rows(int64_t first, int64_t step, int64_t count) {
  std::vector<int32_t> rows;
  for (int64_t i = 0; i < count; ++i) rows.push_back(static_cast<int32_t>(first + i * step));
  return rows;
}

}  // namespace

VisionEncoder::VisionEncoder(const DualEncoderConfig& config)
    : config_(*config.vision),
      siglip_(config.family == DualEncoderFamily::kSiglip),
      stack_(config_.stack),
      head_(config_.stack) {}

Tensor VisionEncoder::Forward(ExecContext& ctx, const Tensor& patches, int64_t n) const {
  GALEN_CHECK(n > 0 && patches.rows() == n * config_.patches());
  GALEN_CHECK(patches.cols() == config_.patch_values());
  const float eps = config_.stack.layer_norm_eps;
  Tensor x = Project(ctx, patch_embedding_, patches);
  if (!siglip_) x = PrependRow(ctx, x, class_embedding_, config_.patches());
  x = AddRows(ctx, x, position_embedding_);
  Observe(ctx, "vision.embeddings", x);
  if (!siglip_) {
    x = LayerNorm(ctx, x, pre_norm_w_, pre_norm_b_, eps);
    Observe(ctx, "vision.pre_layrnorm", x);
  }
  x = stack_.Forward(ctx, EqualSegments(n, tokens()), false, "vision.layers", x);
  if (siglip_) {
    x = LayerNorm(ctx, x, post_norm_w_, post_norm_b_, eps);
    Observe(ctx, "vision.post_layernorm", x);
  }
  return x;
}

Tensor VisionEncoder::Pool(ExecContext& ctx, const Tensor& tokens, int64_t n) const {
  if (siglip_) return head_.Forward(ctx, tokens, this->tokens());
  const Tensor x = LayerNorm(ctx, GatherRows(ctx, tokens, Rows(0, this->tokens(), n)), post_norm_w_,
                             post_norm_b_, config_.stack.layer_norm_eps);
  Observe(ctx, "vision.post_layernorm", x);
  return x;
}

Tensor VisionEncoder::MeanPatches(ExecContext& ctx, const Tensor& tokens, int64_t n) const {
  std::vector<int32_t> rows;
  const int64_t step = this->tokens();
  for (int64_t i = 0; i < n; ++i) {
    const std::vector<int32_t> own =
        Rows(i * step + step - config_.patches(), 1, config_.patches());
    rows.insert(rows.end(), own.begin(), own.end());
  }
  return MeanRows(ctx, tokens, rows, config_.patches());
}

void VisionEncoder::AddParams(ParamTable* table) {
  const int64_t hidden = config_.stack.hidden_size;
  if (!siglip_) table->Vector("embeddings.class_embedding", "", hidden, &class_embedding_);
  table
      ->Matrix("embeddings.patch_embedding.weight", "", hidden, config_.patch_values(),
               &patch_embedding_.weight)
      .flat = true;
  if (siglip_) {
    table->Vector("embeddings.patch_embedding.bias", "", hidden, &patch_embedding_.bias);
  }
  table->Vector("embeddings.position_embedding.weight", "", tokens() * hidden, &position_embedding_)
      .flat = true;
  if (!siglip_) AddNormParams(table, "pre_layrnorm", hidden, &pre_norm_w_, &pre_norm_b_);
  stack_.AddParams(table);
  AddNormParams(table, "post_layernorm", hidden, &post_norm_w_, &post_norm_b_);
  if (config_.pooling_head) head_.AddParams(table);
}

int64_t VisionEncoder::ArenaBytes(const KernelTable& kernels, int num_threads, int64_t n) const {
  constexpr int64_t kFloat = sizeof(float);
  const int64_t rows = n * tokens();
  const int64_t hidden = config_.stack.hidden_size;
  const int64_t patches = rows * config_.patch_values() * kFloat;
  const int64_t embeddings = 4 * rows * hidden * kFloat;
  const int64_t first = LinearArenaBytes(kernels, num_threads, rows, config_.patch_values());
  return patches + embeddings + first + stack_.ArenaBytes(kernels, num_threads, rows, tokens()) +
         head_.ArenaBytes(kernels, num_threads, n, tokens());
}

}  // namespace galen

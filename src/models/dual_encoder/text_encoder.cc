#include "models/dual_encoder/text_encoder.h"

#include <algorithm>

namespace galen {
namespace {

// Released configurations of CLIP carry this id, which is wrong; transformers then takes the row of
// the highest id, which in their vocabulary is the end token (CLIPTextModel, pull request 24773).
constexpr int32_t kWrongEos = 2;

}  // namespace

TextEncoder::TextEncoder(const DualEncoderConfig& config)
    : config_(*config.text),
      siglip_(config.family == DualEncoderFamily::kSiglip),
      embedding_size_(config.embedding_size),
      stack_(config_.stack) {}

int64_t TextEncoder::PooledRow(std::span<const int32_t> ids) const {
  if (siglip_) return static_cast<int64_t>(ids.size()) - 1;
  if (config_.eos_token_id == kWrongEos) {
    return std::max_element(ids.begin(), ids.end()) - ids.begin();
  }
  const auto eos = std::find(ids.begin(), ids.end(), config_.eos_token_id);
  return eos == ids.end() ? 0 : eos - ids.begin();
}

Tensor TextEncoder::Forward(ExecContext& ctx, std::span<const int32_t> ids,
                            std::span<const int32_t> cu_seqlens) const {
  GALEN_CHECK(cu_seqlens.size() >= 2 && cu_seqlens.front() == 0);
  GALEN_CHECK(cu_seqlens.back() == static_cast<int32_t>(ids.size()));
  std::vector<int32_t> positions;
  std::vector<int32_t> pooled;
  for (size_t i = 0; i + 1 < cu_seqlens.size(); ++i) {
    const int64_t length = cu_seqlens[i + 1] - cu_seqlens[i];
    GALEN_CHECK(length > 0 && length <= config_.max_position_embeddings);
    for (int64_t p = 0; p < length; ++p) positions.push_back(static_cast<int32_t>(p));
    const auto text = ids.subspan(static_cast<size_t>(cu_seqlens[i]), static_cast<size_t>(length));
    pooled.push_back(cu_seqlens[i] + static_cast<int32_t>(PooledRow(text)));
  }
  Tensor x = Add(ctx, Embedding(ctx, token_embedding_, ids, 1.0f),
                 Embedding(ctx, position_embedding_, positions, 1.0f));
  Observe(ctx, "text.embeddings", x);
  x = stack_.Forward(ctx, cu_seqlens, !siglip_, "text.layers", x);
  x = LayerNorm(ctx, x, final_norm_w_, final_norm_b_, config_.stack.layer_norm_eps);
  Observe(ctx, "text.final_layer_norm", x);
  x = GatherRows(ctx, x, pooled);
  return siglip_ ? Project(ctx, head_, x) : x;
}

void TextEncoder::AddParams(ParamTable* table) {
  const int64_t hidden = config_.stack.hidden_size;
  table->Matrix("embeddings.token_embedding.weight", "", config_.vocab_size, hidden,
                &token_embedding_);
  table->Matrix("embeddings.position_embedding.weight", "", config_.max_position_embeddings, hidden,
                &position_embedding_);
  stack_.AddParams(table);
  AddNormParams(table, "final_layer_norm", hidden, &final_norm_w_, &final_norm_b_);
  if (siglip_) AddLinearParams(table, "head", embedding_size_, hidden, true, &head_);
}

int64_t TextEncoder::ArenaBytes(const KernelTable& kernels, int num_threads, int64_t n) const {
  const int64_t rows = n * config_.max_position_embeddings;
  const int64_t values = (4 * rows + n) * config_.stack.hidden_size + n * embedding_size_;
  return values * static_cast<int64_t>(sizeof(float)) +
         LinearArenaBytes(kernels, num_threads, n, config_.stack.hidden_size) +
         stack_.ArenaBytes(kernels, num_threads, rows, config_.max_position_embeddings);
}

}  // namespace galen

// What the layers of a decoder need to know about a batch, worked out once per Forward.
#pragma once

#include <vector>

#include "models/causal_lm.h"
#include "nn/layers.h"

namespace galen {

// Inverse frequencies of the two kinds of layers, worked out once per model.
struct RotaryFrequencies {
  explicit RotaryFrequencies(const ModelConfig& config);
  std::vector<float> full;
  std::vector<float> sliding;
};

// Lives in ctx.arena, for one Forward; meanwhile ctx.adapter_runs is the batch's. The attention
// call of a layer is valid until the next one is asked for.
class DecoderStep {
 public:
  // Checks the batch (GALEN_CHECK).
  DecoderStep(ExecContext& ctx, const ModelConfig& config, const RotaryFrequencies& frequencies,
              const Batch& batch);
  ~DecoderStep();
  DecoderStep(const DecoderStep&) = delete;
  DecoderStep& operator=(const DecoderStep&) = delete;

  // Layers but the last serve all rows; of the last one, only rows whose logits are wanted leave
  // its attention.
  AttentionCall attention(int64_t layer);

 private:
  void SelectAdapters();

  ExecContext& ctx_;
  const ModelConfig& config_;
  const Batch& batch_;
  bool paged_;
  bool all_rows_wanted_;
  std::span<AttentionSpan> spans_;
  Tensor cos_sin_full_;
  Tensor cos_sin_sliding_;
  // Of the rows whose logits are wanted; empty where those are all.
  std::span<const AdapterRun> logit_adapter_runs_;
};

// What enters the first layer, [T, hidden_size]: rows of the table, scaled, and the batch's own
// embeddings in place of some. Observed as "embed_tokens".
Tensor EmbedTokens(ExecContext& ctx, const EmbeddingLayer& table, const ModelConfig& config,
                   const Batch& batch);

// The rows of x that leave the layer of this call.
Tensor WantedRows(ExecContext& ctx, const AttentionCall& call, const Tensor& x);

}  // namespace galen

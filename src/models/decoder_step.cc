#include "models/decoder_step.h"

#include <algorithm>
#include <new>

#include "ops/tape.h"

namespace galen {

RotaryFrequencies::RotaryFrequencies(const ModelConfig& config)
    : full(InverseFrequencies(config.rope, config.head_dim)),
      sliding(InverseFrequencies(config.rope_local, config.head_dim)) {}

DecoderStep::DecoderStep(ExecContext& ctx, const ModelConfig& config,
                         const RotaryFrequencies& frequencies, const Batch& batch)
    : ctx_(ctx), config_(config), batch_(batch) {
  GALEN_CHECK(CheckBatch(config, batch).ok());
  paged_ = batch.spans[0].kv != nullptr;
  all_rows_wanted_ = batch.logit_rows.size() == batch.tokens.size();
  for (size_t i = 0; all_rows_wanted_ && i < batch.logit_rows.size(); ++i) {
    all_rows_wanted_ = batch.logit_rows[i] == static_cast<int32_t>(i);
  }
  const size_t n = batch.spans.size();
  void* memory = ctx.arena->Allocate(static_cast<int64_t>(n * sizeof(AttentionSpan)));
  spans_ = {static_cast<AttentionSpan*>(memory), n};
  for (size_t s = 0; s < n; ++s) {
    const SequenceSpan& from = batch.spans[s];
    new (&spans_[s]) AttentionSpan{from.begin, from.end, from.position, {}};
  }
  bool full = false;
  bool sliding = false;
  for (int64_t i = 0; i < config.num_hidden_layers; ++i) {
    (config.layer_is_sliding[i] ? sliding : full) = true;
  }
  if (full && !batch.row_positions.empty()) {
    const std::vector<int64_t>& n = config.mrope_section;
    const RotarySection sections[] = {
        {n[0], batch.positions}, {n[1], batch.row_positions}, {n[2], batch.column_positions}};
    cos_sin_full_ = RotaryTable(ctx, frequencies.full, sections);
  } else if (full) {
    cos_sin_full_ = RotaryTable(ctx, frequencies.full, batch.positions);
  }
  if (sliding && full && frequencies.sliding == frequencies.full) {
    cos_sin_sliding_ = cos_sin_full_;
  } else if (sliding) {
    cos_sin_sliding_ = RotaryTable(ctx, frequencies.sliding, batch.positions);
  }
  SelectAdapters();
}

DecoderStep::~DecoderStep() { ctx_.adapter_runs = {}; }

void DecoderStep::SelectAdapters() {
  std::vector<AdapterRun> all_rows, logit_rows;
  const auto add = [](std::vector<AdapterRun>* runs, int64_t rows, uint64_t adapters) {
    if (!runs->empty() && runs->back().adapters == adapters) {
      runs->back().end += rows;
    } else {
      const int64_t begin = runs->empty() ? 0 : runs->back().end;
      runs->push_back({begin, begin + rows, adapters});
    }
  };
  for (const SequenceSpan& span : batch_.spans) {
    add(&all_rows, span.end - span.begin, span.adapters);
  }
  if (!all_rows_wanted_) {
    for (const int32_t row : batch_.logit_rows) {
      const auto run = std::find_if(all_rows.begin(), all_rows.end(),
                                    [row](const AdapterRun& r) { return row < r.end; });
      add(&logit_rows, 1, run->adapters);
    }
  }
  // In the arena, where a tape finds them after this object is gone.
  const auto keep = [this](std::span<const AdapterRun> runs) {
    return std::span<const AdapterRun>(SaveValues(ctx_.arena, runs), runs.size());
  };
  logit_adapter_runs_ = keep(logit_rows);
  ctx_.adapter_runs = keep(all_rows);
}

AttentionCall DecoderStep::attention(int64_t layer) {
  AttentionCall call;
  call.shape = config_.attention_shape(layer, batch_.kv_type);
  if (paged_) {
    for (size_t s = 0; s < spans_.size(); ++s) spans_[s].kv = batch_.spans[s].kv[layer];
  }
  call.spans = spans_;
  call.paged = paged_;
  call.cos_sin = config_.layer_is_sliding[layer] ? cos_sin_sliding_ : cos_sin_full_;
  call.look_ahead = batch_.look_ahead;
  call.all_rows = layer + 1 < config_.num_hidden_layers || all_rows_wanted_;
  call.rows = batch_.logit_rows;
  call.adapter_runs = logit_adapter_runs_;
  return call;
}

Tensor EmbedTokens(ExecContext& ctx, const EmbeddingLayer& table, const ModelConfig& config,
                   const Batch& batch) {
  const Tensor x = ReplaceRows(ctx, EmbedRows(ctx, table, batch.tokens, config.embedding_scale),
                               batch.embeddings);
  Observe(ctx, "embed_tokens", x);
  return x;
}

Tensor WantedRows(ExecContext& ctx, const AttentionCall& call, const Tensor& x) {
  return call.all_rows ? x : GatherRows(ctx, x, call.rows);
}

}  // namespace galen

#include "engine/runner.h"

#include <algorithm>

#include "models/token_position.h"

namespace galen {

TokenPosition PositionOf(std::span<const MediaSpan> media, int64_t t) {
  const RotaryPosition p = PositionAmong(media, t, [](const MediaSpan& image) {
    return TokenBlock{image.begin, image.embedding->rows, image.token_rows, image.token_columns};
  });
  return {p.time, p.row, p.column};
}

int64_t ModelRunner::ArenaBytes(const CausalLM& model, const KernelTable& kernels, int num_threads,
                                const RunnerOptions& options) {
  return ForwardArenaBytes(model.config(), kernels, num_threads, options.max_batch_tokens,
                           options.max_logit_rows) +
         options.adapters.ArenaBytes(kernels, num_threads, options.max_batch_tokens,
                                     options.max_logit_rows);
}

Result<ModelRunner> ModelRunner::Create(const CausalLM& model, const KernelTable& kernels,
                                        ThreadPool& threads, const RunnerOptions& options) {
  ModelRunner runner;
  runner.model_ = &model;
  runner.options_ = options;
  ASSIGN_OR_RETURN(Arena arena, Arena::Create(ArenaBytes(model, kernels, threads.size(), options)));
  runner.arena_ = std::make_unique<Arena>(std::move(arena));
  runner.ctx_.kernels = &kernels;
  runner.ctx_.pool = &threads;
  runner.ctx_.arena = runner.arena_.get();
  runner.ctx_.compute = options.compute;
  runner.ctx_.invariant_head = options.batch_invariant;
  return runner;
}

// The images of a sequence that the span touches; its first row in the batch is `row`.
void ModelRunner::AddMedia(const ScheduledSpan& span, int64_t row) {
  const int64_t span_end = span.begin + span.count;
  for (const MediaSpan& media : span.sequence->request.media) {
    const int64_t begin = std::max(media.begin, span.begin), end = std::min(media.end(), span_end);
    if (begin >= end) continue;
    const MediaEmbedding& from = *media.embedding;
    // The model only reads the values.
    const Tensor values =
        MakeTensor(const_cast<float*>(from.values.data()), {from.rows, from.cols});
    embeddings_.push_back({values, begin - media.begin, row + begin - span.begin, end - begin});
    if (!media.bidirectional) continue;
    GALEN_CHECK(end == media.end());  // the scheduler never cuts such a block
    look_ahead_.resize(tokens_.size(), -1);
    for (int64_t t = begin; t < end; ++t)
      look_ahead_[row + t - span.begin] = static_cast<int32_t>(end - 1);
  }
}

Tensor ModelRunner::Run(const KvPool& pool, std::span<const ScheduledSpan> spans,
                        std::span<const int64_t> logit_counts, bool prompt, Output output) {
  const int64_t layers = pool.num_layers();
  tokens_.clear(), positions_.clear(), logit_rows_.clear(), addresses_.clear(), kv_.clear(),
      spans_.clear();
  embeddings_.clear(), look_ahead_.clear(), row_positions_.clear(), column_positions_.clear();
  int64_t num_addresses = 0;
  for (const ScheduledSpan& span : spans) {
    for (int g = 0; g < pool.num_groups(); ++g) {
      num_addresses +=
          pool.group(g).num_layers * static_cast<int64_t>(span.sequence->tables[g].pages.size());
    }
  }
  addresses_.reserve(num_addresses);  // kv_ points into it
  kv_.reserve(spans.size() * layers);
  for (size_t i = 0; i < spans.size(); ++i) {
    const ScheduledSpan& span = spans[i];
    const Sequence& sequence = *span.sequence;
    const int64_t row = static_cast<int64_t>(tokens_.size());
    for (int64_t t = span.begin; t < span.begin + span.count; ++t) {
      tokens_.push_back(sequence.tokens[t]);
      const TokenPosition position = PositionOf(sequence.request.media, t);
      positions_.push_back(position.time);
      row_positions_.push_back(position.row);
      column_positions_.push_back(position.column);
    }
    const int64_t end = static_cast<int64_t>(tokens_.size());
    AddMedia(span, row);
    for (int64_t r = end - logit_counts[i]; r < end; ++r)
      logit_rows_.push_back(static_cast<int32_t>(r));
    const KvPages* kv = kv_.data() + kv_.size();
    for (int64_t layer = 0; layer < layers; ++layer) {
      const BlockTable& table = sequence.tables[pool.group_of_layer(layer)];
      kv_.push_back({addresses_.data() + addresses_.size(), table.first_page});
      for (int32_t page : table.pages) addresses_.push_back(pool.Address(layer, page));
    }
    spans_.push_back({row, end, span.begin, kv, sequence.request.adapters});
  }
  Batch batch;
  batch.tokens = tokens_;
  batch.positions = positions_;
  if (!model_->config().mrope_section.empty()) {
    batch.row_positions = row_positions_;
    batch.column_positions = column_positions_;
  }
  batch.spans = spans_;
  batch.logit_rows = logit_rows_;
  batch.embeddings = embeddings_;
  if (!look_ahead_.empty()) {
    look_ahead_.resize(tokens_.size(), -1);  // rows without an image see no further than themselves
    batch.look_ahead = look_ahead_.data();
  }
  batch.kv_type = pool.type();
  arena_->Rewind(0);
  // Prompts are computed invariantly always: the bits of a cached prefix do not depend on how it
  // was cut into chunks.
  ctx_.batch_invariant = options_.batch_invariant || prompt;
  ctx_.invariant_attention = options_.invariant_attention;
  return output == Output::kHidden ? model_->Hidden(ctx_, batch) : model_->Forward(ctx_, batch);
}

}  // namespace galen

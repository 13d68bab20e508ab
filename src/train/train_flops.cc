#include "train/train_flops.h"

#include <algorithm>

namespace galen {

double StepFlops(const ModelConfig& c, const FlatBatch& batch) {
  const double hidden = static_cast<double>(c.hidden_size);
  const double matrices =
      hidden * static_cast<double>(2 * c.query_size() + 2 * c.kv_size() + 3 * c.intermediate_size);
  const auto tokens = static_cast<double>(batch.tokens.size());
  const auto labels = static_cast<double>(batch.targets.size());
  double flops = 4 * matrices * static_cast<double>(c.num_hidden_layers) * tokens +
                 4 * hidden * static_cast<double>(c.vocab_size) * labels;
  for (int64_t layer = 0; layer < c.num_hidden_layers; ++layer) {
    for (const SequenceSpan& span : batch.spans) {
      const int64_t n = span.end - span.begin;
      const auto window =
          static_cast<double>(c.window(layer) == 0 ? n : std::min(n, c.window(layer)));
      const double pairs = window * static_cast<double>(n) - 0.5 * window * window;
      flops += 12 * pairs * static_cast<double>(c.num_attention_heads * c.head_dim);
    }
  }
  return flops;
}

}  // namespace galen

// The memory of one Forward, added up op by op in the order of the models' blocks. A test runs the
// models and compares.
#include <algorithm>

#include "models/arena_bytes.h"
#include "models/causal_lm.h"
#include "ops/attention_products.h"

namespace galen {
namespace {

constexpr int64_t kFloatBytes = sizeof(float);

// Paged attention: scratch of the workers, and partial sums over segments of keys: of spans of few
// rows together, of longer spans for each worker (ops/paged_attention.cc).
int64_t PagedBytes(const ModelConfig& c, const KernelTable& kernels, int threads, int64_t tokens,
                   int64_t sequences, int64_t context) {
  constexpr int64_t kFewRows = 8;
  constexpr int64_t kBlockRows = 64;
  int64_t bytes = 0;
  for (int64_t layer = 0; layer < c.num_hidden_layers; ++layer) {
    AttentionShape shape = c.attention_shape(layer, KvType::kF32);
    // Rows of an image see keys ahead of them, all in the same batch.
    const int64_t keys = shape.window == 0
                             ? context
                             : std::min(context, shape.window + std::max(kBlockRows, tokens));
    const int64_t segments = keys / kSegmentTokens + 2;
    const int64_t partial_row = (c.head_dim + 2) * kFloatBytes;
    const int64_t few = std::min(tokens, kFewRows * sequences) * c.num_attention_heads;
    const int64_t group = c.num_attention_heads / c.num_key_value_heads;
    const int64_t own = kBlockRows * group;
    int64_t scratch = 0;
    for (const bool invariant : {false, true}) {
      shape.invariant = invariant;
      scratch = std::max(scratch, kernels.paged_attention_scratch_bytes(shape, kBlockRows) + 64);
    }
    bytes = std::max(bytes, (few + threads * own) * segments * partial_row + threads * scratch);
  }
  return bytes + tokens * 64;
}

int64_t VarlenBytes(const ModelConfig& c, const KernelTable& kernels, int threads, int64_t tokens) {
  const AttentionShape shape = c.attention_shape(0, KvType::kF32);
  return threads * (VarlenAttentionBytes(kernels, shape, tokens) + 64) +
         tokens * c.num_attention_heads * kFloatBytes;
}

}  // namespace

int64_t ForwardArenaBytes(const ModelConfig& config, const KernelTable& kernels, int num_threads,
                          int64_t num_tokens, int64_t num_logit_rows, int64_t num_sequences,
                          int64_t context) {
  const ModelConfig& c = config;
  const int64_t t = num_tokens;
  if (num_sequences == 0) num_sequences = std::max<int64_t>(num_logit_rows, 1);
  if (context == 0) context = c.max_position_embeddings;
  const int64_t hidden = c.hidden_size;
  const int64_t q = c.query_size();
  const int64_t kv = c.kv_size();
  const int64_t inner = c.intermediate_size;
  // Two rotary tables, spans, and the residual before and after a layer.
  const int64_t fixed = t * (2 * c.head_dim + 2 * hidden) * kFloatBytes + num_sequences * 128;
  // A Gemma block makes the most: norm; q, k, v; their norms and rotations; heads, gathered heads;
  // o; norm; gathered residual; sum; norm; gate, up, product; down; norm; sum.
  const int64_t block = t * (9 * hidden + 5 * q + 4 * kv + 3 * inner) * kFloatBytes;
  const int64_t widest = std::max({hidden, q, inner});
  const int64_t scratch = std::max({LinearArenaBytes(kernels, num_threads, t, widest),
                                    PagedBytes(c, kernels, num_threads, t, num_sequences, context),
                                    VarlenBytes(c, kernels, num_threads, t)});
  const int64_t head = num_logit_rows * (hidden + c.vocab_size) * kFloatBytes +
                       LinearArenaBytes(kernels, num_threads, num_logit_rows, hidden);
  constexpr int64_t kRounding = 64 * 64;  // each allocation is rounded up to 64 bytes
  return fixed + std::max(block + scratch, head) + kRounding;
}

}  // namespace galen

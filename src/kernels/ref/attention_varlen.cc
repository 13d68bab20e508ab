// Variable-length attention in plain C++, forward and backward. Scores of one row at a time; the
// backward pass recomputes the probabilities from the saved log-sum-exp.
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/attention_mask.h"
#include "kernels/kernel_table.h"

namespace galen {
namespace {

float Dot(const float* a, const float* b, int64_t n) {
  float sum = 0.0f;
  for (int64_t i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

int64_t AttentionScratchBytes(const AttentionShape& /*shape*/, int64_t tokens) {
  return tokens * int64_t{sizeof(float)};
}

KeyInterval KeysOfRow(const AttentionShape& shape, const AttentionSpan& span,
                      const int32_t* look_ahead, int64_t row) {
  return VisibleKeys(shape, row - span.begin, look_ahead == nullptr ? nullptr : look_ahead + row,
                     span.end - span.begin);
}

void Attention(const AttentionShape& shape, const AttentionSpan& span, const float* q,
               const float* k, const float* v, const int32_t* look_ahead, int64_t h, float* out,
               float* lse, void* scratch) {
  const int64_t head_dim = shape.head_dim;
  const int64_t g = h / (shape.num_heads / shape.num_kv_heads);
  const int64_t kv_stride = shape.num_kv_heads * head_dim;
  const float* keys_of_span = k + span.begin * kv_stride + g * head_dim;
  const float* values_of_span = v + span.begin * kv_stride + g * head_dim;
  float* scores = static_cast<float*>(scratch);
  for (int64_t row = span.begin; row < span.end; ++row) {
    const KeyInterval keys = KeysOfRow(shape, span, look_ahead, row);
    const int64_t at = (row * shape.num_heads + h) * head_dim;
    float maximum = -std::numeric_limits<float>::infinity();
    for (int64_t j = keys.begin; j < keys.end; ++j) {
      scores[j] = Dot(q + at, keys_of_span + j * kv_stride, head_dim) * shape.scale;
      maximum = std::max(maximum, scores[j]);
    }
    float total = 0.0f;
    for (int64_t j = keys.begin; j < keys.end; ++j)
      total += scores[j] = std::exp(scores[j] - maximum);
    std::fill_n(out + at, head_dim, 0.0f);
    for (int64_t j = keys.begin; j < keys.end; ++j) {
      const float p = scores[j] / total;
      for (int64_t d = 0; d < head_dim; ++d) out[at + d] += p * values_of_span[j * kv_stride + d];
    }
    lse[row * shape.num_heads + h] = maximum + std::log(total);
  }
}

// With p = exp(s - lse) and delta = dout . out:  dv += p dout,  ds = p (dout . v - delta),  dq +=
// scale ds k, dk += scale ds q.
void AttentionBackward(const AttentionShape& shape, const AttentionSpan& span, const float* q,
                       const float* k, const float* v, const int32_t* look_ahead, const float* out,
                       const float* lse, const float* dout, int64_t g, float* dq, float* dk,
                       float* dv, void* /*scratch*/) {
  const int64_t head_dim = shape.head_dim;
  const int64_t group = shape.num_heads / shape.num_kv_heads;
  const int64_t kv_stride = shape.num_kv_heads * head_dim;
  const int64_t kv_begin = span.begin * kv_stride + g * head_dim;
  for (int64_t h = g * group; h < (g + 1) * group; ++h) {
    for (int64_t row = span.begin; row < span.end; ++row) {
      const KeyInterval keys = KeysOfRow(shape, span, look_ahead, row);
      const int64_t at = (row * shape.num_heads + h) * head_dim;
      const float delta = Dot(dout + at, out + at, head_dim);
      for (int64_t j = keys.begin; j < keys.end; ++j) {
        const int64_t kv_at = kv_begin + j * kv_stride;
        const float score = Dot(q + at, k + kv_at, head_dim) * shape.scale;
        const float p = std::exp(score - lse[row * shape.num_heads + h]);
        const float ds = p * (Dot(dout + at, v + kv_at, head_dim) - delta) * shape.scale;
        for (int64_t d = 0; d < head_dim; ++d) {
          dv[kv_at + d] += p * dout[at + d];
          dq[at + d] += ds * k[kv_at + d];
          dk[kv_at + d] += ds * q[at + d];
        }
      }
    }
  }
}

}  // namespace

void AddRefVarlenAttention(KernelTable* table) {
  table->attention = Attention;
  table->attention_scratch_bytes = AttentionScratchBytes;
  table->attention_backward = AttentionBackward;
}

}  // namespace galen

#include "ops/attention_products.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "kernels/attention_mask.h"
#include "ops/round_up.h"

namespace galen {
namespace {

constexpr int64_t kLeastTokens = 96;
constexpr int64_t kQueryRows = 128;    // queries at a time: scores of 512 keys are 256 KiB
constexpr int64_t kProductRows = 512;  // rows that the products' scratch is for, at most
constexpr LinearPlan kPlan = LinearPlan::kBf16Panels;

// One worker's memory.
struct Workspace {
  float *keys, *values;                     // [tokens, D] of the head
  float *dkeys, *dvalues;                   // the same: their gradients
  float *scores, *probabilities, *dscores;  // [block, tokens]
  float *rows, *drows, *product;            // [block, D]: queries, their outputs' gradients
  void* operand;                            // of [block, max(D, tokens)], or [tokens, block]
  void* kernel;

  int64_t LayOut(const KernelTable& kernels, const AttentionShape& shape, int64_t tokens,
                 void* base) {
    uint8_t* at = reinterpret_cast<uint8_t*>(RoundUp(reinterpret_cast<int64_t>(base), 64));
    uint8_t* const start = at;
    const auto take = [&at](int64_t bytes) {
      void* taken = at;
      at += RoundUp(bytes, 64);
      return taken;
    };
    const auto floats = [&](int64_t n) { return static_cast<float*>(take(n * 4)); };
    const int64_t d = shape.head_dim, block = std::min(kQueryRows, tokens);
    for (float** matrix : {&keys, &values, &dkeys, &dvalues}) *matrix = floats(tokens * d);
    for (float** matrix : {&scores, &probabilities, &dscores}) *matrix = floats(block * tokens);
    for (float** matrix : {&rows, &drows, &product}) *matrix = floats(block * d);
    operand = take(std::max({kernels.linear_operand_bytes(kPlan, block, std::max(d, tokens)),
                             kernels.linear_operand_bytes(kPlan, tokens, block)}));
    const int64_t most = std::min(std::max(block, tokens), kProductRows);
    kernel = take(std::max({kernels.linear_scratch_bytes(kPlan, block, d),
                            kernels.linear_backward_bf16_scratch_bytes(most)}));
    return at - start + 64;
  }
};

WeightView Rows(const float* values, int64_t rows, int64_t cols) {
  return {reinterpret_cast<const uint8_t*>(values), DType::kF32, WeightLayout::kRows, rows, cols};
}

void Gather(const float* from, int64_t stride, int64_t rows, int64_t cols, float* to) {
  for (int64_t i = 0; i < rows; ++i)
    std::memcpy(to + i * cols, from + i * stride, static_cast<size_t>(cols) * sizeof(float));
}

// One span and one query head.
class Head {
 public:
  Head(const KernelTable& kernels, const AttentionShape& shape, const AttentionSpan& span,
       const int32_t* look_ahead, Workspace* w)
      : kernels_(kernels),
        shape_(shape),
        tokens_(span.end - span.begin),
        look_ahead_(look_ahead == nullptr ? nullptr : look_ahead + span.begin),
        w_(*w) {}

  // The queries [row0, row1) of a block, and the keys that any of them sees.
  void Begin(int64_t row0, int64_t row1) {
    row0_ = row0;
    rows_ = row1 - row0;
    key0_ = tokens_;
    int64_t key1 = 0;
    for (int64_t r = 0; r < rows_; ++r) {
      const int64_t t = row0 + r;
      seen_[static_cast<size_t>(r)] =
          VisibleKeys(shape_, t, look_ahead_ == nullptr ? nullptr : look_ahead_ + t, tokens_);
      key0_ = std::min(key0_, seen_[static_cast<size_t>(r)].begin);
      key1 = std::max(key1, seen_[static_cast<size_t>(r)].end);
    }
    num_keys_ = key1 - key0_;
  }

  // y [rows, keys] = x [rows, D] (stride apart) times the rows of `matrix` [tokens, D].
  void TimesRows(const float* x, int64_t stride, const float* matrix, float* y) {
    const int64_t d = shape_.head_dim;
    const LinearOperand operand{kPlan, rows_, d, w_.operand};
    kernels_.linear_prepare(x, stride, 0, rows_, operand);
    const WeightView view = Rows(matrix + key0_ * d, num_keys_, d);
    kernels_.linear_compute(view, operand, 0, kernels_.linear_units(view),
                            {y, num_keys_, nullptr, false}, w_.kernel);
  }
  // y [rows, D] = x [rows, keys] times `matrix` [tokens, D].
  void TimesColumns(const float* x, const float* matrix, float* y) {
    const int64_t d = shape_.head_dim;
    const LinearOperand operand{kPlan, rows_, num_keys_, w_.operand};
    kernels_.linear_prepare(x, num_keys_, 0, rows_, operand);
    kernels_.linear_backward_input_bf16(Rows(matrix + key0_ * d, num_keys_, d), operand, 0, d, y,
                                        false, w_.kernel);
  }
  // sum [tokens, D] += x^T [keys, rows] times `matrix` [rows, D].
  void AddTurned(const float* x, const float* matrix, float* sum) {
    const int64_t d = shape_.head_dim;
    const LinearOperand operand{kPlan, num_keys_, rows_, w_.operand};
    kernels_.linear_prepare_turned(x, num_keys_, 0, num_keys_, operand);
    kernels_.linear_backward_input_bf16(Rows(matrix, rows_, d), operand, 0, d, sum + key0_ * d,
                                        true, w_.kernel);
  }

  // Probabilities of the scores; lse: of row r at lse[r * stride], written or read.
  template <bool known>
  void Softmax(float* lse, int64_t stride) {
    std::memset(w_.probabilities, 0, static_cast<size_t>(rows_ * num_keys_) * sizeof(float));
    for (int64_t r = 0; r < rows_; ++r) {
      const int64_t first = seen_[static_cast<size_t>(r)].begin - key0_;
      const int64_t n = seen_[static_cast<size_t>(r)].end - key0_ - first;
      float* scores = w_.scores + r * num_keys_ + first;
      kernels_.scale(scores, shape_.scale, n, scores);
      if constexpr (!known) kernels_.log_sum_exp(scores, 1, n, lse + r * stride);
      kernels_.scaled_softmax(scores, lse[r * stride], 1.0f, n,
                              w_.probabilities + r * num_keys_ + first);
    }
  }

  // dscores = p (dp - delta) scale, where dp stands in dscores and delta is dout . out of each row.
  void ScoreGradients(const float* dout, const float* out, int64_t stride) {
    for (int64_t r = 0; r < rows_; ++r) {
      float delta = 0;
      for (int64_t i = 0; i < shape_.head_dim; ++i)
        delta += dout[r * stride + i] * out[r * stride + i];
      const float* p = w_.probabilities + r * num_keys_;
      float* ds = w_.dscores + r * num_keys_;
      for (int64_t j = 0; j < num_keys_; ++j) ds[j] = p[j] * (ds[j] - delta) * shape_.scale;
    }
  }

 private:
  const KernelTable& kernels_;
  const AttentionShape& shape_;
  const int64_t tokens_;
  const int32_t* look_ahead_;
  Workspace& w_;
  int64_t row0_ = 0, rows_ = 0, key0_ = 0, num_keys_ = 0;
  std::array<KeyInterval, kQueryRows> seen_;
};

}  // namespace

bool UsesAttentionProducts(const KernelTable& kernels, Compute compute, int64_t tokens) {
  return compute == Compute::kBf16 && kernels.linear_backward_input_bf16 != nullptr &&
         tokens >= kLeastTokens;
}

int64_t AttentionProductsBytes(const KernelTable& kernels, const AttentionShape& shape,
                               int64_t tokens) {
  if (kernels.linear_backward_input_bf16 == nullptr || tokens < kLeastTokens) return 0;
  return Workspace().LayOut(kernels, shape, tokens, nullptr);
}

int64_t VarlenAttentionBytes(const KernelTable& kernels, const AttentionShape& shape,
                             int64_t tokens) {
  return std::max(kernels.attention_scratch_bytes(shape, tokens),
                  AttentionProductsBytes(kernels, shape, tokens));
}

void AttendByProducts(const KernelTable& kernels, const AttentionShape& shape,
                      const AttentionSpan& span, const float* q, const float* k, const float* v,
                      const int32_t* look_ahead, int64_t h, float* out, float* lse, void* scratch) {
  const int64_t tokens = span.end - span.begin, d = shape.head_dim;
  const int64_t stride = shape.num_heads * d, kv_stride = shape.num_kv_heads * d;
  const int64_t kv = span.begin * kv_stride + h / (shape.num_heads / shape.num_kv_heads) * d;
  const int64_t at = span.begin * stride + h * d;
  Workspace w;
  w.LayOut(kernels, shape, tokens, scratch);
  Gather(k + kv, kv_stride, tokens, d, w.keys);
  Gather(v + kv, kv_stride, tokens, d, w.values);
  Head head(kernels, shape, span, look_ahead, &w);
  for (int64_t row = 0; row < tokens; row += kQueryRows) {
    const int64_t end = std::min(row + kQueryRows, tokens);
    head.Begin(row, end);
    head.TimesRows(q + at + row * stride, stride, w.keys, w.scores);
    head.Softmax<false>(lse + (span.begin + row) * shape.num_heads + h, shape.num_heads);
    head.TimesColumns(w.probabilities, w.values, w.product);
    for (int64_t r = row; r < end; ++r) {
      std::memcpy(out + at + r * stride, w.product + (r - row) * d,
                  static_cast<size_t>(d) * sizeof(float));
    }
  }
}

void AttendBackwardByProducts(const KernelTable& kernels, const AttentionShape& shape,
                              const AttentionSpan& span, const float* q, const float* k,
                              const float* v, const int32_t* look_ahead, const float* out,
                              const float* lse, const float* dout, int64_t g, float* dq, float* dk,
                              float* dv, void* scratch) {
  const int64_t tokens = span.end - span.begin, d = shape.head_dim;
  const int64_t stride = shape.num_heads * d, kv_stride = shape.num_kv_heads * d;
  const int64_t group = shape.num_heads / shape.num_kv_heads;
  const int64_t kv = span.begin * kv_stride + g * d;
  Workspace w;
  w.LayOut(kernels, shape, tokens, scratch);
  Gather(k + kv, kv_stride, tokens, d, w.keys);
  Gather(v + kv, kv_stride, tokens, d, w.values);
  std::fill_n(w.dkeys, tokens * d, 0.0f);
  std::fill_n(w.dvalues, tokens * d, 0.0f);
  Head head(kernels, shape, span, look_ahead, &w);
  for (int64_t h = g * group; h < (g + 1) * group; ++h) {
    const int64_t at = span.begin * stride + h * d;
    for (int64_t row = 0; row < tokens; row += kQueryRows) {
      const int64_t rows = std::min(kQueryRows, tokens - row), from = at + row * stride;
      head.Begin(row, row + rows);
      Gather(q + from, stride, rows, d, w.rows);
      Gather(dout + from, stride, rows, d, w.drows);
      head.TimesRows(w.rows, d, w.keys, w.scores);
      // Only read.
      float* known = const_cast<float*>(lse) + (span.begin + row) * shape.num_heads + h;
      head.Softmax<true>(known, shape.num_heads);
      head.AddTurned(w.probabilities, w.drows, w.dvalues);
      head.TimesRows(w.drows, d, w.values, w.dscores);
      head.ScoreGradients(dout + from, out + from, stride);
      head.TimesColumns(w.dscores, w.keys, w.product);
      for (int64_t r = 0; r < rows; ++r)
        kernels.add(dq + from + r * stride, w.product + r * d, d, dq + from + r * stride);
      head.AddTurned(w.dscores, w.rows, w.dkeys);
    }
  }
  for (int64_t t = 0; t < tokens; ++t) {
    float *to_k = dk + kv + t * kv_stride, *to_v = dv + kv + t * kv_stride;
    kernels.add(to_k, w.dkeys + t * d, d, to_k);
    kernels.add(to_v, w.dvalues + t * d, d, to_v);
  }
}

}  // namespace galen

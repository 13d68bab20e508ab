// What the tests and the benchmark of attention share: a sequence with its pages, and attention in
// float64 over the values that the pages really hold.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "kernels/attention_mask.h"
#include "kernels/kernel_cases.h"
#include "kernels/kernel_table.h"

namespace galen::cases {

// Memory with a chosen alignment of its first byte, filled with 0xff: NaN in every float type.
class PoisonedBytes {
 public:
  explicit PoisonedBytes(int64_t bytes) : bytes_(static_cast<size_t>(bytes) + 63, 0xff) {}
  uint8_t* data() { return bytes_.data() + (-reinterpret_cast<uintptr_t>(bytes_.data()) & 63); }

 private:
  std::vector<uint8_t> bytes_;
};

// One sequence of `length` tokens with random q, k, v (row = position) and the pages of its cache,
// all NaN at first. Pages before first_page do not exist.
class Sequence {
 public:
  Sequence(const AttentionShape& shape, int64_t length, uint64_t seed, int64_t first_page = 0)
      : shape_(shape), length_(length), first_page_(first_page) {
    q = Uniform(length * shape.num_heads * shape.head_dim, seed, 2.0f);
    k = Uniform(length * shape.num_kv_heads * shape.head_dim, seed + 1, 2.0f);
    v = Uniform(length * shape.num_kv_heads * shape.head_dim, seed + 2);
    const int64_t bytes = KvPageBytes(shape.kv_type, shape.num_kv_heads, shape.head_dim);
    for (int64_t page = first_page; page * kPageTokens < length; ++page)
      memory_.emplace_back(bytes);
    for (PoisonedBytes& page : memory_) pages_.push_back(page.data());
  }

  // The rows of positions [begin, end) as a span: row i of q, k, v and out is position i.
  AttentionSpan Span(int64_t begin, int64_t end) const {
    return {begin, end, begin, {pages_.data(), first_page_}};
  }

  void Write(const KernelTable& kernels, int64_t begin, int64_t end) const {
    kernels.kv_write(shape_, Span(begin, end), k.data(), v.data(), begin, end);
  }
  // Writes all tokens that have a page, in spans of uneven length.
  void WriteAll(const KernelTable& kernels) const {
    int64_t step = 1;
    for (int64_t begin = first_page_ * kPageTokens; begin < length_; step = step % 45 + 11) {
      const int64_t end = std::min(length_, begin + step);
      Write(kernels, begin, end);
      begin = end;
    }
  }

  // Rows [begin, end) of one span over all its heads; out as q.
  void Attend(const KernelTable& kernels, const AttentionSpan& span, int64_t begin, int64_t end,
              const int32_t* look_ahead, std::vector<float>* out) const {
    PoisonedBytes scratch(kernels.paged_attention_scratch_bytes(shape_, end - begin));
    out->resize(q.size(), std::numeric_limits<float>::quiet_NaN());
    for (int64_t g = 0; g < shape_.num_kv_heads; ++g) {
      kernels.paged_attention(shape_, span, q.data(), look_ahead, g, begin, end, 0, 0, nullptr,
                              out->data(), scratch.data());
    }
  }

  // Element of K (or V) of a position as the page holds it.
  double Key(int64_t position, int64_t g, int64_t d) const {
    return Stored(position, g, KvPageLayout::KIndex(position % kPageTokens, d, shape_.head_dim), 0);
  }
  double Value(int64_t position, int64_t g, int64_t d) const {
    return Stored(position, g, KvPageLayout::VIndex(position % kPageTokens, d, shape_.head_dim), 1);
  }

  const AttentionShape& shape() const { return shape_; }
  int64_t length() const { return length_; }
  const std::vector<uint8_t*>& pages() const { return pages_; }

  std::vector<float> q, k, v;

 private:
  double Stored(int64_t position, int64_t g, int64_t index, int64_t which) const {
    const KvPageLayout layout = KvLayoutOf(shape_.kv_type, shape_.head_dim);
    const uint8_t* head = pages_[position / kPageTokens - first_page_] + g * layout.head_bytes;
    const uint8_t* base = head + which * layout.v_offset;
    switch (shape_.kv_type) {
      case KvType::kF32:
        return reinterpret_cast<const float*>(base)[index];
      case KvType::kBf16:
        return Bf16ToFloat(reinterpret_cast<const uint16_t*>(base)[index]);
      case KvType::kF16:
        return HalfToFloat(reinterpret_cast<const uint16_t*>(base)[index]);
      case KvType::kI8:
        break;
    }
    const float* scales =
        reinterpret_cast<const float*>(head + layout.scale_offset) + which * kPageTokens;
    return double{scales[position % kPageTokens]} * reinterpret_cast<const int8_t*>(base)[index];
  }

  AttentionShape shape_;
  int64_t length_;
  int64_t first_page_;
  std::vector<PoisonedBytes> memory_;
  std::vector<uint8_t*> pages_;
};

struct ExactRow {
  std::vector<double> out;  // [D]
  double lse = 0.0;
  double magnitude = 0.0;  // largest sum over d of |scale q k| of a key that is seen: what errors
                           // of the scores scale with
  double largest_value = 0.0;
};

// Attention of one query in float64. key(j, d) and value(j, d) give the operands.
template <typename Key, typename Value>
ExactRow ExactAttention(const AttentionShape& shape, const float* q, KeyInterval seen, Key&& key,
                        Value&& value) {
  ExactRow row;
  row.out.assign(shape.head_dim, 0.0);
  std::vector<double> scores;
  double maximum = -std::numeric_limits<double>::infinity();
  for (int64_t j = seen.begin; j < seen.end; ++j) {
    double score = 0.0, magnitude = 0.0;
    for (int64_t d = 0; d < shape.head_dim; ++d) {
      const double product = double{q[d]} * key(j, d) * double{shape.scale};
      score += product;
      magnitude += std::fabs(product);
    }
    scores.push_back(score);
    maximum = std::max(maximum, score);
    row.magnitude = std::max(row.magnitude, magnitude);
  }
  double total = 0.0;
  for (double& score : scores) total += score = std::exp(score - maximum);
  for (int64_t j = seen.begin; j < seen.end; ++j) {
    for (int64_t d = 0; d < shape.head_dim; ++d) {
      const double x = value(j, d);
      row.out[d] += scores[j - seen.begin] / total * x;
      row.largest_value = std::max(row.largest_value, std::fabs(x));
    }
  }
  row.lse = maximum + std::log(total);
  return row;
}

// Rounding errors of a computed row, from the norms of its operands (see ExactRow). All arithmetic
// in fp32, or (bf16) with the query, the weights and pages of another type rounded to bf16 first.
inline double Tolerance(const AttentionShape& shape, const ExactRow& exact, int64_t keys,
                        bool bf16) {
  constexpr double kFp32 = 0x1p-24, kBf16 = 0x1p-8;  // unit roundoffs
  const double dot = (shape.head_dim + 4) * kFp32 * exact.magnitude;
  // Scores near each other are exponentiated after subtracting the maximum: absolute errors turn
  // into relative ones.
  double weight = 2 * dot + 4 * kFp32;
  double sums = (keys + 16) * kFp32;
  if (bf16) {
    const double operand =
        shape.kv_type == KvType::kF16 ? 2 * kBf16 : kBf16;  // f16 keys and values are rounded too
    weight += 2 * operand * exact.magnitude;
    sums += kBf16 + (shape.kv_type == KvType::kF16 ? kBf16 : 0.0);
  }
  return (std::expm1(2 * weight) + 2 * sums) * exact.largest_value + 1e-30;
}

}  // namespace galen::cases

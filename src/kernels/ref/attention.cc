// Paged attention in plain C++: the definition of the kernels, and what machines without a faster
// table compute with.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/attention_mask.h"
#include "kernels/kernel_table.h"

namespace galen {
namespace {

constexpr float kEmpty = -std::numeric_limits<float>::infinity();

float LoadElement(KvType type, const uint8_t* base, int64_t index) {
  switch (type) {
    case KvType::kF32:
      return reinterpret_cast<const float*>(base)[index];
    case KvType::kBf16:
      return Bf16ToFloat(reinterpret_cast<const uint16_t*>(base)[index]);
    case KvType::kF16:
      return HalfToFloat(reinterpret_cast<const uint16_t*>(base)[index]);
    case KvType::kI8:
      return static_cast<float>(reinterpret_cast<const int8_t*>(base)[index]);
  }
  return 0.0f;
}

// inverse_scale: of int8, 1 / scale; 0 stores zeros whatever the value.
void StoreElement(KvType type, uint8_t* base, int64_t index, float value, float inverse_scale) {
  switch (type) {
    case KvType::kF32:
      reinterpret_cast<float*>(base)[index] = value;
      break;
    case KvType::kBf16:
      reinterpret_cast<uint16_t*>(base)[index] = FloatToBf16(value);
      break;
    case KvType::kF16:
      reinterpret_cast<uint16_t*>(base)[index] = FloatToHalf(value);
      break;
    case KvType::kI8: {
      const float rounded = inverse_scale == 0.0f ? 0.0f : std::nearbyint(value * inverse_scale);
      reinterpret_cast<int8_t*>(base)[index] =
          static_cast<int8_t>(std::clamp(rounded, -127.0f, 127.0f));
      break;
    }
  }
}

// The scale of one token's int8 vector: largest magnitude / 127. A vector that holds no finite
// maximum keeps a NaN scale, so that it is not mistaken for zeros.
float ScaleOf(const float* x, int64_t n) {
  float largest = 0.0f;
  for (int64_t i = 0; i < n; ++i) {
    const float magnitude = std::fabs(x[i]);
    if (!(magnitude <= std::numeric_limits<float>::max()))
      return std::numeric_limits<float>::quiet_NaN();
    largest = std::max(largest, magnitude);
  }
  return largest / 127.0f;
}

// 0 where the scale has no inverse: all values are (next to) zero, or some are not numbers.
float InverseOf(float scale) {
  const float inverse = scale > 0.0f ? 1.0f / scale : 0.0f;
  return inverse <= std::numeric_limits<float>::max() ? inverse : 0.0f;
}

void ClearSlots(KvType type, const KvPageLayout& layout, int64_t head_dim, int64_t slot0,
                uint8_t* head) {
  uint8_t* values = head + layout.v_offset;
  float* scales = reinterpret_cast<float*>(head + layout.scale_offset);
  for (int64_t slot = slot0; slot < kPageTokens; ++slot) {
    for (int64_t d = 0; d < head_dim; ++d) {
      StoreElement(type, values, KvPageLayout::VIndex(slot, d, head_dim), 0.0f, 0.0f);
    }
    if (type == KvType::kI8) scales[slot] = scales[kPageTokens + slot] = 0.0f;
  }
}

void KvWrite(const AttentionShape& shape, const AttentionSpan& span, const float* k, const float* v,
             int64_t row0, int64_t row1) {
  const int64_t head_dim = shape.head_dim;
  const KvType type = shape.kv_type;
  const KvPageLayout layout = KvLayoutOf(type, head_dim);
  const int64_t written = span.position + span.end - span.begin;
  for (int64_t row = row0; row < row1; ++row) {
    const int64_t position = span.position + row - span.begin;
    const int64_t slot = position % kPageTokens;
    uint8_t* page = span.kv.pages[position / kPageTokens - span.kv.first_page];
    for (int64_t g = 0; g < shape.num_kv_heads; ++g) {
      uint8_t* head = page + g * layout.head_bytes;
      const float* key = k + (row * shape.num_kv_heads + g) * head_dim;
      const float* value = v + (row * shape.num_kv_heads + g) * head_dim;
      float inverse_k = 0.0f, inverse_v = 0.0f;
      if (type == KvType::kI8) {
        float* scales = reinterpret_cast<float*>(head + layout.scale_offset);
        scales[slot] = ScaleOf(key, head_dim);
        scales[kPageTokens + slot] = ScaleOf(value, head_dim);
        inverse_k = InverseOf(scales[slot]);
        inverse_v = InverseOf(scales[kPageTokens + slot]);
      }
      for (int64_t d = 0; d < head_dim; ++d) {
        StoreElement(type, head, KvPageLayout::KIndex(slot, d, head_dim), key[d], inverse_k);
        StoreElement(type, head + layout.v_offset, KvPageLayout::VIndex(slot, d, head_dim),
                     value[d], inverse_v);
      }
      if (slot == 0)
        ClearSlots(type, layout, head_dim, std::min(written - position, kPageTokens), head);
    }
  }
}

// Unnormalised attention over some keys: sums[D] relative to the maximum score.
struct State {
  float* sums;
  float maximum;
  float total;
};

void Clear(State* state, int64_t head_dim) {
  std::fill_n(state->sums, head_dim, 0.0f);
  state->maximum = kEmpty;
  state->total = 0.0f;
}

float Weight(float maximum, float new_maximum) {
  return maximum == kEmpty ? 0.0f : std::exp(maximum - new_maximum);
}

void Merge(const float* sums, float maximum, float total, int64_t head_dim, State* into) {
  const float new_maximum = std::max(into->maximum, maximum);
  const float keep = Weight(into->maximum, new_maximum);
  const float add = Weight(maximum, new_maximum);
  for (int64_t d = 0; d < head_dim; ++d) into->sums[d] = into->sums[d] * keep + sums[d] * add;
  into->total = into->total * keep + total * add;
  into->maximum = new_maximum;
}

// One page: keys [key0, key1) of it, for the query row q.
void AddPage(const AttentionShape& shape, const KvPageLayout& layout, const uint8_t* head,
             const float* q, int64_t key0, int64_t key1, State* state) {
  const int64_t head_dim = shape.head_dim;
  const float* scales = reinterpret_cast<const float*>(head + layout.scale_offset);
  float scores[kPageTokens];
  float maximum = kEmpty;
  for (int64_t key = key0; key < key1; ++key) {
    const int64_t slot = key % kPageTokens;
    float sum = 0.0f;
    for (int64_t d = 0; d < head_dim; ++d) {
      sum += q[d] * LoadElement(shape.kv_type, head, KvPageLayout::KIndex(slot, d, head_dim));
    }
    if (shape.kv_type == KvType::kI8) sum *= scales[slot];
    scores[slot] = sum * shape.scale;
    maximum = std::max(maximum, scores[slot]);
  }
  const float new_maximum = std::max(state->maximum, maximum);
  const float keep = Weight(state->maximum, new_maximum);
  for (int64_t d = 0; d < head_dim; ++d) state->sums[d] *= keep;
  state->total *= keep;
  state->maximum = new_maximum;
  for (int64_t key = key0; key < key1; ++key) {
    const int64_t slot = key % kPageTokens;
    float p = std::exp(scores[slot] - (new_maximum == kEmpty ? 0.0f : new_maximum));
    state->total += p;
    if (shape.kv_type == KvType::kI8) p *= scales[kPageTokens + slot];
    for (int64_t d = 0; d < head_dim; ++d) {
      state->sums[d] += p * LoadElement(shape.kv_type, head + layout.v_offset,
                                        KvPageLayout::VIndex(slot, d, head_dim));
    }
  }
}

int64_t PagedAttentionScratchBytes(const AttentionShape& shape, int64_t /*rows*/) {
  return 2 * shape.head_dim * int64_t{sizeof(float)};
}

void PagedAttention(const AttentionShape& shape, const AttentionSpan& span, const float* q,
                    const int32_t* look_ahead, int64_t g, int64_t row0, int64_t row1, int64_t key0,
                    int64_t key1, float* partial, float* out, void* scratch) {
  const int64_t head_dim = shape.head_dim;
  const int64_t group = shape.num_heads / shape.num_kv_heads;
  const KvPageLayout layout = KvLayoutOf(shape.kv_type, head_dim);
  State segment{static_cast<float*>(scratch), 0, 0};
  State all{segment.sums + head_dim, 0, 0};
  for (int64_t row = row0; row < row1; ++row) {
    KeyInterval keys = VisibleKeysOfRow(shape, span, look_ahead, row);
    if (partial != nullptr) keys = {std::max(keys.begin, key0), std::min(keys.end, key1)};
    for (int64_t i = 0; i < group; ++i) {
      const int64_t at = (row * shape.num_heads + g * group + i) * head_dim;
      Clear(&all, head_dim);
      for (int64_t key = keys.begin; key < keys.end;) {
        const int64_t segment_end = std::min(keys.end, (key / kSegmentTokens + 1) * kSegmentTokens);
        Clear(&segment, head_dim);
        while (key < segment_end) {
          const int64_t page = key / kPageTokens;
          const int64_t page_end = std::min(segment_end, (page + 1) * kPageTokens);
          AddPage(shape, layout, span.kv.pages[page - span.kv.first_page] + g * layout.head_bytes,
                  q + at, key, page_end, &segment);
          key = page_end;
        }
        Merge(segment.sums, segment.maximum, segment.total, head_dim, &all);
      }
      if (partial != nullptr) {
        float* to = partial + ((row - row0) * group + i) * (head_dim + 2);
        std::copy_n(all.sums, head_dim, to);
        to[head_dim] = all.maximum;
        to[head_dim + 1] = all.total;
      } else {
        for (int64_t d = 0; d < head_dim; ++d)
          out[at + d] = all.total == 0.0f ? 0.0f : all.sums[d] / all.total;
      }
    }
  }
}

void MergePartials(const float* partials, int64_t parts, int64_t part_stride, int64_t rows,
                   int64_t head_dim, float* out) {
  for (int64_t row = 0; row < rows; ++row) {
    State all{out + row * head_dim, 0, 0};
    Clear(&all, head_dim);
    for (int64_t part = 0; part < parts; ++part) {
      const float* from = partials + part * part_stride + row * (head_dim + 2);
      Merge(from, from[head_dim], from[head_dim + 1], head_dim, &all);
    }
    for (int64_t d = 0; d < head_dim; ++d)
      all.sums[d] = all.total == 0.0f ? 0.0f : all.sums[d] / all.total;
  }
}

}  // namespace

void AddRefVarlenAttention(KernelTable* table);  // ref/attention_varlen.cc

void AddRefAttention(KernelTable* table) {
  table->kv_write = KvWrite;
  table->paged_attention = PagedAttention;
  table->paged_attention_scratch_bytes = PagedAttentionScratchBytes;
  table->merge_partials = MergePartials;
  AddRefVarlenAttention(table);
}

}  // namespace galen

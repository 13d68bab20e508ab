// Writes keys and values into pages: converts a token's vector, then spreads it over the
// interleaved layout. Stores the same bits as ref/attention.cc. Included once per instruction set,
// inside its target region and an anonymous namespace, after simd_*-inl.h: no #include here.

template <KvType type>
struct ElementOf {
  using T = uint16_t;
};
template <>
struct ElementOf<KvType::kF32> {
  using T = float;
};
template <>
struct ElementOf<KvType::kI8> {
  using T = int8_t;
};

constexpr int64_t kWriteFeatures = 256;  // features converted at a time

template <KvType type>
inline void ConvertFeatures(const float* x, int64_t n, float inverse_scale,
                            typename ElementOf<type>::T* to) {
  if constexpr (type == KvType::kF32) {
    __builtin_memcpy(to, x, static_cast<size_t>(n) * sizeof(float));
  } else if constexpr (type == KvType::kBf16) {
    for (int64_t i = 0; i < n; ++i) {
      uint32_t bits;
      __builtin_memcpy(&bits, x + i, sizeof(bits));
      const uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
      const uint32_t quiet_nan = (bits >> 16) | 0x40u;
      to[i] = static_cast<uint16_t>((bits & 0x7fffffffu) > 0x7f800000u ? quiet_nan : rounded);
    }
  } else if constexpr (type == KvType::kF16) {
    int64_t i = 0;
    for (; i + 8 <= n; i += 8) {
      _mm_storeu_si128(reinterpret_cast<__m128i*>(to + i),
                       _mm256_cvtps_ph(_mm256_loadu_ps(x + i), _MM_FROUND_TO_NEAREST_INT));
    }
    for (; i < n; ++i) to[i] = FloatToHalf(x[i]);
  } else {
    for (int64_t i = 0; i < n; ++i) {
      const float value = inverse_scale == 0.0f ? 0.0f : __builtin_nearbyintf(x[i] * inverse_scale);
      to[i] = static_cast<int8_t>(value > 127.0f ? 127.0f : value < -127.0f ? -127.0f : value);
    }
  }
}

// Largest magnitude / 127; NaN if a value is not finite.
inline float Int8Scale(const float* x, int64_t n) {
  V largest = Zero();
  V poison = Zero();  // turns NaN where a value is not finite
  int64_t i = 0;
  const auto add = [&](V v) {
    const V magnitude = MaxOrSecond(Zero() - v, v);
    largest = MaxOrSecond(magnitude, largest);
    poison = MulAdd(v, Zero(), poison);
  };
  for (; i + kLanes <= n; i += kLanes) add(Load(x + i));
  if (i < n) add(LoadFirst(x + i, n - i));
  return Sum(poison) == 0.0f ? Largest(largest) / 127.0f : std::numeric_limits<float>::quiet_NaN();
}

inline float InverseScale(float scale) {
  const float inverse = scale > 0.0f ? 1.0f / scale : 0.0f;
  return inverse <= std::numeric_limits<float>::max() ? inverse : 0.0f;
}

// One head of the tokens in slots [slot0, slot1) of a page; token i's vectors start at k, v + (i -
// slot0) * stride.
template <KvType type>
void WriteHead(int64_t head_dim, const KvPageLayout& layout, const float* k, const float* v,
               int64_t stride, int64_t slot0, int64_t slot1, uint8_t* head) {
  using T = typename ElementOf<type>::T;
  T* const keys = reinterpret_cast<T*>(head);
  T* const values = reinterpret_cast<T*>(head + layout.v_offset);
  float* const scales = reinterpret_cast<float*>(head + layout.scale_offset);
  T first[kWriteFeatures], second[kWriteFeatures];
  for (int64_t slot = slot0; slot < slot1; ++slot, k += stride) {
    float inverse = 0.0f;
    if constexpr (type == KvType::kI8) {
      scales[slot] = Int8Scale(k, head_dim);
      inverse = InverseScale(scales[slot]);
    }
    T* const column = keys + slot / 16 * head_dim * 16 + slot % 16 * 2;
    for (int64_t d0 = 0; d0 < head_dim; d0 += kWriteFeatures) {
      const int64_t n = std::min(kWriteFeatures, head_dim - d0);
      ConvertFeatures<type>(k + d0, n, inverse, first);
      T* to = column + d0 * 16;
      for (int64_t i = 0; i < n; i += 2, to += 32) __builtin_memcpy(to, first + i, 2 * sizeof(T));
    }
  }
  for (int64_t slot = slot0; slot < slot1;) {
    const bool both = slot % 2 == 0 && slot + 1 < slot1;
    float inverse[2] = {0.0f, 0.0f};
    if constexpr (type == KvType::kI8) {
      for (int64_t i = 0; i <= (both ? 1 : 0); ++i) {
        scales[kPageTokens + slot + i] = Int8Scale(v + i * stride, head_dim);
        inverse[i] = InverseScale(scales[kPageTokens + slot + i]);
      }
    }
    T* const row = values + slot / 2 * head_dim * 2;
    for (int64_t d0 = 0; d0 < head_dim; d0 += kWriteFeatures) {
      const int64_t n = std::min(kWriteFeatures, head_dim - d0);
      ConvertFeatures<type>(v + d0, n, inverse[0], first);
      T* const to = row + d0 * 2;
      if (both) {
        ConvertFeatures<type>(v + stride + d0, n, inverse[1], second);
        for (int64_t i = 0; i < n; ++i) {
          to[2 * i] = first[i];
          to[2 * i + 1] = second[i];
        }
      } else {
        for (int64_t i = 0; i < n; ++i) to[2 * i + slot % 2] = first[i];
      }
    }
    slot += both ? 2 : 1;
    v += both ? 2 * stride : stride;
  }
}

// Zeros the values (and scales) of the slots [slot0, kPageTokens).
template <KvType type>
void ClearSlots(int64_t head_dim, const KvPageLayout& layout, int64_t slot0, uint8_t* head) {
  using T = typename ElementOf<type>::T;
  T* values = reinterpret_cast<T*>(head + layout.v_offset);
  int64_t slot = slot0;
  if (slot % 2 == 1) {
    for (int64_t d = 0; d < head_dim; ++d) values[(slot / 2 * head_dim + d) * 2 + 1] = 0;
    ++slot;
  }
  std::fill(values + slot * head_dim, values + kPageTokens * head_dim, T{0});
  if constexpr (type == KvType::kI8) {
    float* scales = reinterpret_cast<float*>(head + layout.scale_offset);
    for (slot = slot0; slot < kPageTokens; ++slot) scales[slot] = scales[kPageTokens + slot] = 0.0f;
  }
}

template <KvType type>
void WriteRows(const AttentionShape& shape, const AttentionSpan& span, const float* k,
               const float* v, int64_t row0, int64_t row1) {
  const int64_t head_dim = shape.head_dim;
  const int64_t stride = shape.num_kv_heads * head_dim;
  const KvPageLayout layout = KvLayoutOf(type, head_dim);
  const int64_t to_position = span.position - span.begin;
  const int64_t written = span.end + to_position;
  for (int64_t row = row0; row < row1;) {
    const int64_t page = (row + to_position) / kPageTokens;
    const int64_t page_begin = page * kPageTokens;
    const int64_t row_end = std::min(row1, page_begin + kPageTokens - to_position);
    const int64_t slot0 = row + to_position - page_begin;
    const int64_t slot1 = row_end + to_position - page_begin;
    for (int64_t g = 0; g < shape.num_kv_heads; ++g) {
      uint8_t* head = span.kv.pages[page - span.kv.first_page] + g * layout.head_bytes;
      const int64_t from = row * stride + g * head_dim;
      WriteHead<type>(head_dim, layout, k + from, v + from, stride, slot0, slot1, head);
      if (slot0 == 0 && written - page_begin < kPageTokens) {
        ClearSlots<type>(head_dim, layout, written - page_begin, head);
      }
    }
    row = row_end;
  }
}

inline void KvWrite(const AttentionShape& shape, const AttentionSpan& span, const float* k,
                    const float* v, int64_t row0, int64_t row1) {
  switch (shape.kv_type) {
    case KvType::kF32:
      return WriteRows<KvType::kF32>(shape, span, k, v, row0, row1);
    case KvType::kBf16:
      return WriteRows<KvType::kBf16>(shape, span, k, v, row0, row1);
    case KvType::kF16:
      return WriteRows<KvType::kF16>(shape, span, k, v, row0, row1);
    case KvType::kI8:
      return WriteRows<KvType::kI8>(shape, span, k, v, row0, row1);
  }
}

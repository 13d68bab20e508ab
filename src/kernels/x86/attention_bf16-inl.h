// What the bf16 paths share: queries times scale and weights rounded to bf16, pages of other types
// converted to bf16 (int8 values are exact in it; their scales go to the scores and the weights).
// Included after attention_paged-inl.h, in a region with AVX512_BF16: no #include here.

// Two vectors of weights as 2 * kLanes neighbouring bf16.
inline void StoreBf16(uint16_t* to, V low, V high) {
  _mm512_storeu_si512(to, reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low)));
}

// n elements, a multiple of 32.
template <KvType type>
inline void ConvertToBf16(const uint8_t* from, int64_t n, uint16_t* to) {
  for (int64_t i = 0; i < n; i += 32) {
    if constexpr (type == KvType::kF16) {
      const __m256i* x = reinterpret_cast<const __m256i*>(from + 2 * i);
      StoreBf16(to + i, _mm512_cvtph_ps(_mm256_loadu_si256(x)),
                _mm512_cvtph_ps(_mm256_loadu_si256(x + 1)));
    } else {
      const __m128i* x = reinterpret_cast<const __m128i*>(from + i);
      StoreBf16(to + i, _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(x))),
                _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(x + 1))));
    }
  }
}

// Queries and pages in bf16, and powers of 2 in place of e, for the paths to inherit.
class Bf16Operands {
 public:
  static constexpr float kUnit =
      0x1.62e430p-1f;  // ln 2: queries are multiplied by log2(e) with the scale
  static constexpr bool kPrefetch = false;

  // 2^x for x <= 0 within 3e-6 of the exact value (the weights are rounded to bf16), 0 below
  // 2^-126. x = n + f with |f| <= 1/2; 2^f = 1 + f q(f), q fitted for least relative error by
  // reweighted least squares on Chebyshev nodes.
  static V Weight(V x) {
    const V lowest =
        Set(-126.0f);  // results that are no normal numbers would cost a trap to microcode each
    const V bounded = MaxOrSecond(lowest, x);
    const V n = RoundToInteger(bounded);
    const V f = bounded - n;
    V q = MulAdd(Set(0x1.3a02ccp-7f), f, Set(0x1.c9fc46p-5f));
    q = MulAdd(q, f, Set(0x1.ec0378p-3f));
    q = MulAdd(q, f, Set(0x1.62e12cp-1f));
    return _mm512_maskz_scalef_ps(_mm512_cmp_ps_mask(x, lowest, _CMP_NLT_UQ),
                                  MulAdd(q, f, Set(1.0f)), n);
  }
  static void StoreWeights(V low, V high, float* /*scores*/, uint16_t* weights) {
    StoreBf16(weights, low, high);
  }

 protected:
  Bf16Operands(const AttentionShape& shape, const Workspace& w)
      : shape_(shape), w_(w), scale_(shape.scale * 0x1.715476p+0f) {}

  void SetBf16Query(int64_t row, const float* q) const {
    uint16_t* to = query() + row * shape_.head_dim;
    int64_t d = 0;
    for (; d + 2 * kLanes <= shape_.head_dim; d += 2 * kLanes) {
      StoreBf16(to + d, Load(q + d) * Set(scale_), Load(q + d + kLanes) * Set(scale_));
    }
    for (; d < shape_.head_dim; d += kLanes) {
      const int64_t n = std::min(kLanes, shape_.head_dim - d);
      const __m256bh rounded = _mm512_cvtneps_pbh(LoadFirst(q + d, n) * Set(scale_));
      _mm256_mask_storeu_epi16(to + d, FirstLanes(n), reinterpret_cast<__m256i>(rounded));
    }
  }

  uint16_t* query() const { return reinterpret_cast<uint16_t*>(w_.query); }

  // K of a page; valid until the next call.
  const uint16_t* Keys(const uint8_t* head) const {
    return Convert(head, reinterpret_cast<uint16_t*>(w_.converted));
  }
  // V of page i of a block.
  const uint16_t* Values(const PageBlock& block, int64_t i) const {
    const int64_t elements = kPageTokens * shape_.head_dim;
    return Convert(block.heads[i] + block.layout.v_offset,
                   reinterpret_cast<uint16_t*>(w_.converted) + (1 + i) * elements);
  }

  const AttentionShape& shape_;
  const Workspace& w_;
  const float scale_;  // of the query, to scores in units

 private:
  const uint16_t* Convert(const uint8_t* from, uint16_t* to) const {
    const int64_t elements = kPageTokens * shape_.head_dim;
    switch (shape_.kv_type) {
      case KvType::kF16:
        ConvertToBf16<KvType::kF16>(from, elements, to);
        return to;
      case KvType::kI8:
        ConvertToBf16<KvType::kI8>(from, elements, to);
        return to;
      default:
        return reinterpret_cast<const uint16_t*>(from);
    }
  }
};

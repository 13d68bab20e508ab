// Row products by dot products of bytes (AVX-512 VNNI): x as one digit a value
// (LinearPlan::kDigits1) times q8_0 in tile16. Blocks of 32 columns are summed exactly; their
// scales multiply in fp32.
#include "kernels/x86/linear_headers.h"

#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")

namespace galen {
namespace {

constexpr int kRows = 6;   // x 2 units: 12 integer and 12 float sums
constexpr int kUnits = 2;  // 32 columns: a block of the next product's operand
constexpr int64_t kCols = kUnits * 16;
constexpr int64_t kScaleBytes = 32;  // of a chunk: 16 halfs

// An operand row: the digits of all chunks, then for each {scale, .., .., scale * sum of digits}.
inline int64_t RowBytes(int64_t chunks) { return (chunks * 48 + 63) / 64 * 64; }

struct Int8Tile {
  __m512 sums[kRows][kUnits];

  // units[i]: a group of 16 rows of the weight.
  __attribute__((always_inline)) void Multiply(const uint8_t* x, int64_t row_bytes,
                                               const uint8_t* const (&units)[kUnits],
                                               const tile16::Shape& shape) {
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
      for (int i = 0; i < kUnits; ++i) sums[r][i] = _mm512_setzero_ps();
    }
    const int64_t info = shape.chunks * 32;
    int64_t strip = 0, at = 0;  // offsets in a group: of the strip's scales, of the chunk's codes
    for (int64_t c = 0; c < shape.chunks; ++c, at += tile16::kByteBytes) {
      if (c % tile16::kStripChunks == 0) {
        strip = at;
        at += shape.ScaleBytes(c);
      }
      __m512i dots[kRows][kUnits];
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
        for (int i = 0; i < kUnits; ++i) dots[r][i] = _mm512_setzero_si512();
      }
#pragma GCC unroll 8
      for (int g = 0; g < 8; ++g) {
        __m512i codes[kUnits];
#pragma GCC unroll 4
        for (int i = 0; i < kUnits; ++i) {
          codes[i] = _mm512_loadu_si512(units[i] + at + 64 * g);
        }
#pragma GCC unroll 8
        for (int r = 0; r < kRows; ++r) {
          int32_t four;
          std::memcpy(&four, x + r * row_bytes + 32 * c + 4 * g, 4);
          const __m512i digits = _mm512_set1_epi32(four);
#pragma GCC unroll 4
          for (int i = 0; i < kUnits; ++i) {
            dots[r][i] = _mm512_dpbusd_epi32(dots[r][i], codes[i], digits);
          }
        }
      }
      __m512 scales[kUnits];
#pragma GCC unroll 4
      for (int i = 0; i < kUnits; ++i) {
        const auto* halfs = reinterpret_cast<const __m256i*>(
            units[i] + strip + c % tile16::kStripChunks * kScaleBytes);
        scales[i] = _mm512_cvtph_ps(_mm256_loadu_si256(halfs));
      }
      // Codes are stored plus 128: sum (w + 128) a = sum w a + 128 sum a.
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        const auto* row = reinterpret_cast<const float*>(x + r * row_bytes + info) + 4 * c;
        const __m512 scale = _mm512_set1_ps(row[0]), offset = _mm512_set1_ps(-128.0f * row[3]);
#pragma GCC unroll 4
        for (int i = 0; i < kUnits; ++i) {
          const __m512 value = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dots[r][i]), scale, offset);
          sums[r][i] = _mm512_fmadd_ps(value, scales[i], sums[r][i]);
        }
      }
    }
  }
};

// Columns [n0, n0 + cols) of operand rows over k columns, as linear_prepare rounds them.
void PutOperand(const RowProduct& p, int64_t m0, int64_t rows, int64_t n0, int64_t cols,
                const float* sums) {
  const int64_t chunks = (p.w.rows + 31) / 32, stride = RowBytes(chunks), c = n0 / 32;
  alignas(64) uint8_t block[kRows * 64];  // operand rows of one chunk
  p.prepare(sums, kCols, 0, rows, {LinearPlan::kDigits1, rows, cols, block});
  for (int64_t m = 0; m < rows; ++m) {
    uint8_t* row = static_cast<uint8_t*>(p.operand) + (m0 + m) * stride;
    std::memcpy(row + 32 * c, block + 64 * m, 32);
    std::memcpy(row + 32 * chunks + 16 * c, block + 64 * m + 32, 16);
  }
}

void MultiplyRowsInt8(const RowProduct& p, int64_t unit0, int64_t unit1) {
  const tile16::Shape shape = tile16::ShapeOf(p.w.dtype, p.w.rows, p.w.cols);
  const int64_t stride = RowBytes(shape.chunks);
  const auto* x = static_cast<const uint8_t*>(p.x);
  alignas(64) float sums[kRows * kCols];
  for (int64_t u = unit0; u < unit1; u += kUnits) {
    const uint8_t* first = p.w.data + u * shape.group_bytes;
    // A missing second unit reads the first one again; nobody reads its sums.
    const uint8_t* const units[kUnits] = {first, u + 1 < unit1 ? first + shape.group_bytes : first};
    const int64_t n0 = u * 16;
    const int64_t cols = std::min({p.w.rows - n0, kCols, (unit1 - u) * 16});
    for (int64_t m = 0; m < p.rows; m += kRows) {
      const int64_t rows = std::min<int64_t>(kRows, p.rows - m);
      Int8Tile tile;
      tile.Multiply(x + m * stride, stride, units, shape);
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
        for (int i = 0; i < kUnits; ++i) {
          _mm512_store_ps(sums + r * kCols + i * 16, tile.sums[r][i]);
        }
      }
      FinishRows(p, rows, n0, cols, kCols, sums);
      if (p.operand != nullptr) {
        PutOperand(p, m, rows, n0, cols, sums);
      } else {
        StoreRows(p, m, rows, n0, cols, kCols, sums);
      }
    }
  }
}

}  // namespace

void AddAvx512RowProduct(KernelTable* table) { table->row_product_int8 = MultiplyRowsInt8; }

}  // namespace galen

#pragma GCC pop_options

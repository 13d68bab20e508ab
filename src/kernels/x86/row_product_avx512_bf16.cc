// Row products by bf16 dot products.
#include "kernels/x86/linear_headers.h"

#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma")

namespace galen {
namespace {

#include "kernels/x86/bf16_tile-inl.h"

// The rows of an operand are padded to whole tiles: nobody reads what becomes of the padding.
struct RowTile {
  using Order = RowOrder;
  static constexpr int kRows = 8;
  static constexpr int kUnits = 3;
  struct Session {};
  static void Multiply(const uint16_t* x, int64_t stride, const uint16_t* panel,
                       int64_t panel_stride, int64_t units, int64_t chunks, float* sums) {
    if (units == kUnits) return MultiplyUnits<kUnits>(x, stride, panel, panel_stride, chunks, sums);
    for (int64_t u = 0; u < units; ++u) {
      MultiplyUnits<1>(x, stride, panel + u * panel_stride, 0, chunks, sums + u * 16);
    }
  }

 private:
  template <int kWide>
  static void MultiplyUnits(const uint16_t* x, int64_t stride, const uint16_t* panel,
                            int64_t panel_stride, int64_t chunks, float* sums) {
    Bf16Tile<kRows, kWide> tile;
    tile.ForEach([](int, int, __m512& sum) { sum = _mm512_setzero_ps(); });
    tile.Multiply(x, stride, 2, panel, panel_stride, 32, chunks * 16);
    tile.ForEach(
        [sums](int r, int i, __m512& sum) { _mm512_storeu_ps(sums + (r * kUnits + i) * 16, sum); });
  }
};

#include "kernels/x86/row_product-inl.h"

}  // namespace

void AddAvx512Bf16RowProduct(KernelTable* table) { table->row_product_bf16 = MultiplyRows; }

}  // namespace galen

#pragma GCC pop_options

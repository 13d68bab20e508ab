// The matrix product for Isa::kAmx.
#include "kernels/x86/linear_headers.h"

#pragma GCC push_options
#pragma GCC target( \
    "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni,avx512bf16,avx2,fma,f16c,bmi2,amx-tile,amx-bf16,amx-int8")
#define GALEN_VEC_AVX512
#define GALEN_PANEL_BF16

namespace galen::amx {
namespace {
#include "kernels/x86/vec-inl.h"
#include "kernels/x86/formats-inl.h"
#include "kernels/x86/linear-inl.h"
#include "kernels/x86/words-inl.h"
#include "kernels/x86/panels-inl.h"
#include "kernels/x86/backward-inl.h"
#include "kernels/x86/bf16-inl.h"

#include "kernels/x86/amx_micro-inl.h"

struct Bf16Panel : Bf16PanelBase<RowTiles> {
  static constexpr int64_t kRowsPerTile = 32;
  static constexpr int64_t kUnitsPerTile = 2;
  static constexpr int64_t kMaxRowsInRegisters = 8;  // tiles take 9 rows in the time of 8 here
  static constexpr int64_t kUnitsPerBlock = 16;  // 16 units x 32 chunks x 1 KiB = 512 KiB, in L2
  static constexpr int64_t kChunksPerBlock = 32;
  using Session = TileConfig;
  static void Multiply(int64_t rows, const uint16_t* a, int64_t lda, const uint16_t* panel,
                       int64_t panel_stride, int64_t chunks, bool first, float* c, int64_t ldc) {
    if (rows <= 16)
      Micro16(a, panel, panel_stride, chunks, first, c, ldc);
    else
      Micro32(a, lda, panel, panel_stride, chunks, first, c, ldc);
  }
};

#include "kernels/x86/backward_bf16-inl.h"
#include "kernels/x86/linear-table-inl.h"

struct RowTile {
  using Order = RowTiles;
  static constexpr int kRows = 32;
  static constexpr int kUnits = 2;
  using Session = TileConfig;
  static void Multiply(const uint16_t* x, int64_t stride, const uint16_t* panel,
                       int64_t panel_stride, int64_t units, int64_t chunks, float* sums) {
    Micro32(x, stride, panel, units == kUnits ? panel_stride : 0, chunks, true, sums, kUnits * 16);
  }
};

#include "kernels/x86/row_product-inl.h"
}  // namespace

void AddLinearKernels(KernelTable* table) {
  AddLinear(table);
  table->row_product_bf16 = MultiplyRows;
}

}  // namespace galen::amx

#undef GALEN_PANEL_BF16
#undef GALEN_VEC_AVX512
#pragma GCC pop_options

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
#include "kernels/x86/panels-inl.h"
#include "kernels/x86/backward-inl.h"
#include "kernels/x86/bf16-inl.h"

// Tiles 0-3 hold sums [16 rows][16 features], 4-5 rows of x, 6-7 panels of two units.
struct TileConfig {
  TileConfig() {
    struct alignas(64) {
      uint8_t palette = 1, start_row = 0, reserved[14] = {};
      uint16_t row_bytes[16] = {};
      uint8_t rows[16] = {};
    } config;
    for (int i = 0; i < 8; ++i) config.row_bytes[i] = 64, config.rows[i] = 16;
    // Not _tile_loadconfig: GCC 12 believes that it reads 8 bytes and may drop the stores to the
    // others.
    asm volatile("ldtilecfg %0" ::"m"(config));
  }
  ~TileConfig() { _tile_release(); }
};

// Tile t = c, or zero on the first block of K. (Tile numbers are part of the instruction, hence
// macros.)
#define GALEN_TILE_BEGIN(t, address, bytes) \
  if (first)                                \
    _tile_zero(t);                          \
  else                                      \
    _tile_loadd(t, address, bytes)

// c[32, 32] += (first: =) a[32, 32 chunks] * panels of two units. The operand has whole tiles of
// rows, and so has c.
inline void Micro32(const uint16_t* a, int64_t lda, const uint16_t* panel, int64_t panel_stride,
                    int64_t chunks, bool first, float* c, int64_t ldc) {
  const int64_t c_bytes = ldc * 4, a_bytes = lda * 2;
  const uint16_t* a1 = a + 16 * lda;
  const uint16_t* b1 = panel + panel_stride;
  GALEN_TILE_BEGIN(0, c, c_bytes);
  GALEN_TILE_BEGIN(1, c + 16, c_bytes);
  GALEN_TILE_BEGIN(2, c + 16 * ldc, c_bytes);
  GALEN_TILE_BEGIN(3, c + 16 * ldc + 16, c_bytes);
  for (int64_t i = 0; i < chunks; ++i) {
    _tile_loadd(4, a + 32 * i, a_bytes);
    _tile_loadd(6, panel + 512 * i, 64);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(7, b1 + 512 * i, 64);
    _tile_dpbf16ps(1, 4, 7);
    _tile_loadd(5, a1 + 32 * i, a_bytes);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, c, c_bytes);
  _tile_stored(1, c + 16, c_bytes);
  _tile_stored(2, c + 16 * ldc, c_bytes);
  _tile_stored(3, c + 16 * ldc + 16, c_bytes);
}

// The same for up to 16 rows.
inline void Micro16(const uint16_t* a, int64_t lda, const uint16_t* panel, int64_t panel_stride,
                    int64_t chunks, bool first, float* c, int64_t ldc) {
  GALEN_TILE_BEGIN(0, c, ldc * 4);
  GALEN_TILE_BEGIN(1, c + 16, ldc * 4);
  for (int64_t i = 0; i < chunks; ++i) {
    _tile_loadd(4, a + 32 * i, lda * 2);
    _tile_loadd(6, panel + 512 * i, 64);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(7, panel + panel_stride + 512 * i, 64);
    _tile_dpbf16ps(1, 4, 7);
  }
  _tile_stored(0, c, ldc * 4);
  _tile_stored(1, c + 16, ldc * 4);
}
#undef GALEN_TILE_BEGIN

struct Bf16Panel : Bf16PanelBase {
  static constexpr int64_t kRowsPerTile = 32;
  static constexpr int64_t kUnitsPerTile = 2;
  static constexpr int64_t kUnitsPerBlock = 16;  // 16 units x 16 chunks x 1 KiB = 256 KiB, in L2
  static constexpr int64_t kChunksPerBlock = 16;
  using Session = TileConfig;
  static void Multiply(int64_t rows, const uint16_t* a, int64_t lda, const uint16_t* panel,
                       int64_t panel_stride, int64_t chunks, bool first, float* c, int64_t ldc) {
    if (rows <= 16)
      Micro16(a, lda, panel, panel_stride, chunks, first, c, ldc);
    else
      Micro32(a, lda, panel, panel_stride, chunks, first, c, ldc);
  }
};

#include "kernels/x86/backward_bf16-inl.h"
#include "kernels/x86/linear-table-inl.h"

struct RowTile {
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

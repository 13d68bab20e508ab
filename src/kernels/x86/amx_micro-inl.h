// bf16 products on AMX tiles. Included inside a region with AMX-BF16 and an anonymous namespace,
// after <immintrin.h>: no #include here.

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

// Where an operand keeps its values: the columns of 16 rows as one tile [16 rows][32 columns] after
// the other, since lines that lie a whole row apart cost a load of a tile a third of its speed.
struct RowTiles {
  // The tile of row `row`, a multiple of 16, and chunk `chunk`; lda elements a row.
  static const uint16_t* At(const uint16_t* a, int64_t row, int64_t chunk, int64_t lda) {
    return a + row * lda + chunk * 512;
  }
  // 16 values of a row from column `col`, a multiple of 16.
  static uint16_t* Values(uint16_t* a, int64_t row, int64_t col, int64_t lda) {
    return a + row / 16 * 16 * lda + col / 32 * 512 + row % 16 * 32 + col % 32;
  }
};

// Tile t = c, or zero on the first block of K. (Tile numbers are part of the instruction, hence
// macros.)
#define GALEN_TILE_BEGIN(t, address, bytes) \
  if (first)                                \
    _tile_zero(t);                          \
  else                                      \
    _tile_loadd(t, address, bytes)

// c[32, 32] += (first: =) a[32, 32 chunks] * panels of two units. a: tiles of 16 rows as RowTiles
// places them, its own and, 16 lda further, the next rows'. c has whole tiles of rows.
[[gnu::noinline, maybe_unused]] void Micro32(const uint16_t* a, int64_t lda, const uint16_t* panel,
                                             int64_t panel_stride, int64_t chunks, bool first,
                                             float* c, int64_t ldc) {
  const int64_t c_bytes = ldc * 4;
  const uint16_t* a1 = a + 16 * lda;
  const uint16_t* b1 = panel + panel_stride;
  GALEN_TILE_BEGIN(0, c, c_bytes);
  GALEN_TILE_BEGIN(1, c + 16, c_bytes);
  GALEN_TILE_BEGIN(2, c + 16 * ldc, c_bytes);
  GALEN_TILE_BEGIN(3, c + 16 * ldc + 16, c_bytes);
  for (int64_t i = 0; i < chunks; ++i) {
    _tile_loadd(4, a + 512 * i, 64);
    _tile_loadd(6, panel + 512 * i, 64);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(7, b1 + 512 * i, 64);
    _tile_dpbf16ps(1, 4, 7);
    _tile_loadd(5, a1 + 512 * i, 64);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, c, c_bytes);
  _tile_stored(1, c + 16, c_bytes);
  _tile_stored(2, c + 16 * ldc, c_bytes);
  _tile_stored(3, c + 16 * ldc + 16, c_bytes);
}

// The same for up to 16 rows.
[[gnu::noinline, maybe_unused]] void Micro16(const uint16_t* a, const uint16_t* panel,
                                             int64_t panel_stride, int64_t chunks, bool first,
                                             float* c, int64_t ldc) {
  GALEN_TILE_BEGIN(0, c, ldc * 4);
  GALEN_TILE_BEGIN(1, c + 16, ldc * 4);
  for (int64_t i = 0; i < chunks; ++i) {
    _tile_loadd(4, a + 512 * i, 64);
    _tile_loadd(6, panel + 512 * i, 64);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(7, panel + panel_stride + 512 * i, 64);
    _tile_dpbf16ps(1, 4, 7);
  }
  _tile_stored(0, c, ldc * 4);
  _tile_stored(1, c + 16, ldc * 4);
}
#undef GALEN_TILE_BEGIN

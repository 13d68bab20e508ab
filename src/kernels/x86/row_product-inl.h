// KernelTable::row_product on bf16 operands. The including file has defined RowTile, the
// micro-kernel: kRows x kUnits * 16 sums at once. No #include here.

// Columns [n0, n0 + 16) of an operand row over k columns, from sums; those past k become 0.
inline void PutOperand(const float* sums, int64_t k, int64_t n0, uint16_t* values) {
  const int64_t left = std::clamp<int64_t>(k - n0, 0, 16);
  const __mmask16 mask = static_cast<__mmask16>((1u << left) - 1);
  const __m256bh rounded = _mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(mask, sums));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(values), (__m256i)rounded);
}

// Where the columns [n0, n0 + cols) of rows [m0, m0 + rows) go.
inline void PutTile(const RowProduct& p, int64_t m0, int64_t rows, int64_t n0, int64_t cols,
                    float* sums) {
  constexpr int64_t kCols = RowTile::kUnits * 16;
  FinishRows(p, rows, n0, cols, kCols, sums);
  if (p.operand == nullptr) return StoreRows(p, m0, rows, n0, cols, kCols, sums);
  const int64_t stride = Bf16Stride(p.w.rows);
  // The last columns fill their chunk of 32.
  const int64_t end = n0 + cols == p.w.rows ? (p.w.rows + 31) / 32 * 32 - n0 : cols;
  uint16_t* operand = static_cast<uint16_t*>(p.operand);
  for (int64_t m = 0; m < rows; ++m) {
    for (int64_t n = 0; n < end; n += 16) {
      PutOperand(sums + m * kCols + n, p.w.rows, n0 + n,
                 RowTile::Order::Values(operand, m0 + m, n0 + n, stride));
    }
  }
}

void MultiplyRows(const RowProduct& p, int64_t unit0, int64_t unit1) {
  [[maybe_unused]] const RowTile::Session session;
  const tile16::Shape shape = tile16::ShapeOf(p.w.dtype, p.w.rows, p.w.cols);
  const int64_t stride = Bf16Stride(p.w.cols);
  const uint16_t* x = static_cast<const uint16_t*>(p.x);
  // A chunk more than a tile: PutTile reads past the last column.
  alignas(64) float sums[RowTile::kRows * RowTile::kUnits * 16 + 32];
  for (int64_t u = unit0; u < unit1; u += RowTile::kUnits) {
    const int64_t units = std::min<int64_t>(unit1 - u, RowTile::kUnits);
    const auto* panel = reinterpret_cast<const uint16_t*>(p.w.data + u * shape.group_bytes);
    for (int64_t m = 0; m < p.rows; m += RowTile::kRows) {
      RowTile::Multiply(RowTile::Order::At(x, m, 0, stride), stride, panel, shape.group_bytes / 2,
                        units, shape.chunks, sums);
      PutTile(p, m, std::min<int64_t>(RowTile::kRows, p.rows - m), u * 16,
              std::min(p.w.rows - u * 16, units * 16), sums);
    }
  }
}

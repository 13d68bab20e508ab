// The kernel table's entries for the matrix product. Included last. The including file says with GALEN_PANEL_BF16 that it
// has defined Bf16Panel (the bf16 plan's operand, unpacking and micro-kernel).

// ---- the table's entries

inline int64_t Units(const WeightView& w) { return (w.rows + 15) / 16; }

inline int64_t OperandBytes(LinearPlan plan, int64_t m, int64_t k) {
  switch (plan) {
    case LinearPlan::kF32Rows: return m * RowsStride(k) * 4;
    case LinearPlan::kF32Panels: return m * PanelStrideF32(k) * 4;
#if defined(GALEN_PANEL_BF16)
    case LinearPlan::kBf16Panels: return (m + 31) / 32 * 32 * Bf16Panel::Stride(k) * 2;
#endif
    default: GALEN_CHECK(!"a plan of this instruction set");
  }
}

inline void Prepare(const float* x, int64_t ldx, int64_t begin, int64_t end, const LinearOperand& operand) {
  const int64_t k = operand.k;
  for (int64_t i = begin; i < end; ++i) {
    switch (operand.plan) {
      case LinearPlan::kF32Rows:
        PrepareRowsF32(x + i * ldx, k, static_cast<float*>(operand.data) + i * RowsStride(k), true);
        break;
      case LinearPlan::kF32Panels:
        PrepareRowsF32(x + i * ldx, k, static_cast<float*>(operand.data) + i * PanelStrideF32(k), false);
        break;
#if defined(GALEN_PANEL_BF16)
      case LinearPlan::kBf16Panels:
        Bf16Panel::Prepare(x + i * ldx, k, static_cast<uint16_t*>(operand.data) + i * Bf16Panel::Stride(k));
        break;
#endif
      default: GALEN_CHECK(!"a plan of this instruction set");
    }
  }
}

inline int64_t ScratchBytes(LinearPlan plan, int64_t, int64_t) {
  switch (plan) {
    case LinearPlan::kF32Panels: return PanelScratchBytes<F32Panel>();
#if defined(GALEN_PANEL_BF16)
    case LinearPlan::kBf16Panels: return PanelScratchBytes<Bf16Panel>();
#endif
    default: return 0;
  }
}

inline void ComputeLinear(const WeightView& w, const LinearOperand& operand, int64_t unit0, int64_t unit1,
                    const LinearOutput& out, void* scratch) {
  switch (operand.plan) {
    case LinearPlan::kF32Rows: return ComputeRows(w, operand, unit0, unit1, out);
    case LinearPlan::kF32Panels: return ComputePanels<F32Panel>(w, operand, unit0, unit1, out, scratch);
#if defined(GALEN_PANEL_BF16)
    case LinearPlan::kBf16Panels: return ComputePanels<Bf16Panel>(w, operand, unit0, unit1, out, scratch);
#endif
    default: GALEN_CHECK(!"a plan of this instruction set");
  }
}

// Up to this many rows, decoding in registers beats unpacking a panel. Measured in docs/SPEED.md.
#if defined(GALEN_PANEL_BF16)
constexpr int64_t kMaxRowsInRegisters = 4;
#else
constexpr int64_t kMaxRowsInRegisters = 8;
#endif

inline LinearPlan PlanLinear(const WeightView& w, int64_t m, Compute compute, bool invariant) {
  if (w.layout == WeightLayout::kTile16 && !invariant && m <= kMaxRowsInRegisters) return LinearPlan::kF32Rows;
#if defined(GALEN_PANEL_BF16)
  if (compute != Compute::kFp32) return LinearPlan::kBf16Panels;
#endif
  (void)compute;
  return LinearPlan::kF32Panels;
}

inline void AddLinear(KernelTable* table) {
  table->weight_layout = WeightLayout::kTile16;
  table->packed_bytes = tile16::PackedBytes;
  table->pack_rows = tile16::PackRows;
  table->decode_rows = DecodeRows;
  table->plan_linear = PlanLinear;
  table->linear_operand_bytes = OperandBytes;
  table->linear_prepare = Prepare;
  table->linear_units = Units;
  table->linear_scratch_bytes = ScratchBytes;
  table->linear_compute = ComputeLinear;
  table->linear_backward_scratch_bytes = BackwardScratchBytes;
  table->linear_backward_input = BackwardInput;
}

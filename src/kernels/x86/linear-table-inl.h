// The kernel table's entries for the matrix product. Included last. The including file says with
// GALEN_PANEL_BF16 that it has defined Bf16Panel (the bf16 plan's operand, unpacking and
// micro-kernel).

// ---- the table's entries

inline int64_t Units(const WeightView& w) { return (w.rows + 15) / 16; }

inline int64_t OperandRowBytes(LinearPlan plan, int64_t k) {
  if (PlanDigits(plan) > 0) return DigitsBytes(PadCols(k) / 32, PlanDigits(plan));
  if (plan == LinearPlan::kWords) return WordsBytes(PadCols(k) / 32);
#if defined(GALEN_PANEL_BF16)
  if (plan == LinearPlan::kBf16Panels) return Bf16Panel::Stride(k) * 2;
#endif
  return PanelStrideF32(k) * 4;
}

// Rows are padded to whole tiles of 32, which the tile kernels read.
inline int64_t OperandBytes(LinearPlan plan, int64_t m, int64_t k) {
  return (m + 31) / 32 * 32 * OperandRowBytes(plan, k);
}

inline void Prepare(const float* x, int64_t ldx, int64_t begin, int64_t end,
                    const LinearOperand& operand) {
  const int64_t k = operand.k, row_bytes = OperandRowBytes(operand.plan, k);
  for (int64_t i = begin; i < end; ++i) {
    uint8_t* row = static_cast<uint8_t*>(operand.data) + i * row_bytes;
    switch (operand.plan) {
      case LinearPlan::kWords:
        PrepareWords(x + i * ldx, k, row);
        break;
      case LinearPlan::kDigits1:
        PrepareDigits<1>(x + i * ldx, k, row);
        break;
      case LinearPlan::kDigits2:
        PrepareDigits<2>(x + i * ldx, k, row);
        break;
      case LinearPlan::kDigits3:
        PrepareDigits<3>(x + i * ldx, k, row);
        break;
#if defined(GALEN_PANEL_BF16)
      case LinearPlan::kBf16Panels:
        Bf16Panel::Prepare(x + i * ldx, k, i, static_cast<uint16_t*>(operand.data));
        break;
#endif
      default:
        PrepareF32(x + i * ldx, k, reinterpret_cast<float*>(row));
        break;
    }
  }
}

#if defined(GALEN_PANEL_BF16)
inline void PrepareTurned(const float* x, int64_t ldx, int64_t begin, int64_t end,
                          const LinearOperand& operand) {
  Bf16Panel::PrepareTurned(x, ldx, operand.k, begin, end, static_cast<uint16_t*>(operand.data));
}
#endif

inline int64_t ScratchBytes(LinearPlan plan, int64_t m, int64_t) {
  switch (plan) {
    case LinearPlan::kF32Panels:
      return PanelScratchBytes<F32Panel>(m);
#if defined(GALEN_PANEL_BF16)
    case LinearPlan::kBf16Panels:
      return PanelScratchBytes<Bf16Panel>(m);
#endif
    default:
      return 0;
  }
}

inline void ComputeLinear(const WeightView& w, const LinearOperand& operand, int64_t unit0,
                          int64_t unit1, const LinearOutput& out, void* scratch) {
  switch (operand.plan) {
    case LinearPlan::kF32Panels:
      return ComputePanels<F32Panel>(w, operand, unit0, unit1, out, scratch);
#if defined(GALEN_PANEL_BF16)
    case LinearPlan::kBf16Panels:
      return ComputePanels<Bf16Panel>(w, operand, unit0, unit1, out, scratch);
#endif
    case LinearPlan::kWords:
      return ComputeWords(w, operand, unit0, unit1, out);
    default:
      return ComputeRows(w, operand, unit0, unit1, out);
  }
}

// Up to this many rows, decoding in registers beats unpacking a panel. Measured in docs/SPEED.md.
constexpr int64_t kMaxRowsInRegisters = 32;
// In fp32, tables of floats are decoded again for every four rows: two passes cost what a panel
// does.
constexpr int64_t kMaxTableRows = 8;

inline LinearPlan PlanLinear(const WeightView& w, int64_t m, Compute compute, bool invariant) {
  // Without integer codes.
  const bool table = w.dtype == DType::kNF4 || w.dtype == DType::kFP4;
  const bool plain = FormatOf(w.dtype).block_elems == 1 || table;
  if (w.layout == WeightLayout::kTile16) {
    if (compute == Compute::kInt8 && !plain)
      return LinearPlan::kDigits1;  // one arithmetic for any m
    const bool words = table && compute != Compute::kFp32;
    int64_t few = table && !words ? kMaxTableRows : kMaxRowsInRegisters;
#if defined(GALEN_PANEL_BF16)
    if (compute != Compute::kFp32) few = std::min(few, Bf16Panel::kMaxRowsInRegisters);
#endif
    if (!invariant && m <= few) {
      if (words) return LinearPlan::kWords;
      if (plain) return LinearPlan::kF32Rows;
      return compute == Compute::kFp32 ? LinearPlan::kDigits3 : LinearPlan::kDigits2;
    }
  }
#if defined(GALEN_PANEL_BF16)
  if (compute != Compute::kFp32) return LinearPlan::kBf16Panels;
#endif
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
  table->linear_backward_weight = BackwardWeight;
#if defined(GALEN_PANEL_BF16)
  table->linear_prepare_turned = PrepareTurned;
  table->linear_backward_bf16_scratch_bytes = BackwardBf16ScratchBytes;
  table->linear_backward_input_bf16 = BackwardInputBf16;
#endif
}

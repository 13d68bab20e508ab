// The seam between ops and arithmetic: a plain struct of function pointers, one per instruction
// set. Entries that a faster table leaves out are taken from `ref`. Kernels compute only: no
// allocation, no locks, no I/O, no errors; any size and alignment is allowed unless stated. A
// kernel that takes a range does that part of the work; ops give ranges to workers.
#pragma once

#include <cstdint>

#include "kernels/attention.h"
#include "kernels/encoder_attention.h"
#include "kernels/isa.h"
#include "kernels/linear.h"
#include "kernels/row_product.h"

namespace galen {

enum class GateKind : uint8_t { kGeluTanh, kSilu };

struct KernelTable {
  const char* name = nullptr;

  // ---- linear (kernels/linear.h)
  WeightLayout weight_layout = WeightLayout::kRows;  // what `linear` computes from fastest
  // Bytes of a [rows, cols] weight in weight_layout.
  int64_t (*packed_bytes)(DType dtype, int64_t rows, int64_t cols) = nullptr;
  // Re-lays rows [row0, row1) of a kRows weight (src = address of row 0) into dst; row0 is a
  // multiple of 16.
  void (*pack_rows)(DType dtype, const uint8_t* src, int64_t rows, int64_t cols, int64_t row0,
                    int64_t row1, uint8_t* dst) = nullptr;
  // y[i, 0..cols) = weight row ids[i], as float, for i in [begin, end). Either layout.
  void (*decode_rows)(const WeightView& w, const int32_t* ids, int64_t begin, int64_t end, float* y,
                      int64_t ldy) = nullptr;
  // invariant: the same plan for every m (results of a row never depend on the other rows).
  LinearPlan (*plan_linear)(const WeightView& w, int64_t m, Compute compute,
                            bool invariant) = nullptr;
  int64_t (*linear_operand_bytes)(LinearPlan plan, int64_t m, int64_t k) = nullptr;
  // Converts rows [begin, end) of x (row stride ldx) into the operand.
  void (*linear_prepare)(const float* x, int64_t ldx, int64_t begin, int64_t end,
                         const LinearOperand& operand) = nullptr;
  // linear_prepare for the plan kBf16Panels from the transpose of x: row r of the operand is column
  // r of x [operand.k, ...]; begin is a multiple of 16. Null as
  // linear_backward_input_bf16 is.
  void (*linear_prepare_turned)(const float* x, int64_t ldx, int64_t begin, int64_t end,
                                const LinearOperand& operand) = nullptr;
  // Output features come in units (16 rows of W in kTile16); a worker computes units [unit0, unit1)
  // for all m rows.
  int64_t (*linear_units)(const WeightView& w) = nullptr;
  int64_t (*linear_scratch_bytes)(LinearPlan plan, int64_t m, int64_t k) = nullptr;  // per worker
  void (*linear_compute)(const WeightView& w, const LinearOperand& operand, int64_t unit0,
                         int64_t unit1, const LinearOutput& out, void* scratch) = nullptr;
  // dx[m, K] (+)= dy[m, N] * W[N, K] for columns [col0, col1) of K; col0 is a multiple of 256.
  // Scratch as linear_backward_scratch_bytes says. Either layout.
  int64_t (*linear_backward_scratch_bytes)(const WeightView& w) = nullptr;
  void (*linear_backward_input)(const WeightView& w, const float* dy, int64_t m, int64_t col0,
                                int64_t col1, float* dx, bool accumulate, void* scratch) = nullptr;
  // The same with dy and W rounded to bf16 and sums in fp32; dy as linear_prepare makes it for the
  // plan kBf16Panels (k of the operand: N). col0 is a multiple of 32. Null: this instruction set
  // has none.
  int64_t (*linear_backward_bf16_scratch_bytes)(int64_t m) = nullptr;
  void (*linear_backward_input_bf16)(const WeightView& w, const LinearOperand& dy, int64_t col0,
                                     int64_t col1, float* dx, bool accumulate,
                                     void* scratch) = nullptr;
  // dw[n, k] += sum_i dy[i, n] * x[i, k] for n in [n0, n1), x [m, K], dy [m, N], dw [N, K]. fp32.
  void (*linear_backward_weight)(const float* dy, const float* x, int64_t m, int64_t n, int64_t k,
                                 int64_t n0, int64_t n1, float* dw) = nullptr;

  // A block of rows times the units [unit0, unit1) of a weight (kernels/row_product.h). Null: this
  // instruction set has none, and ops compose the entries above.
  void (*row_product_bf16)(const RowProduct& product, int64_t unit0, int64_t unit1) = nullptr;
  void (*row_product_int8)(const RowProduct& product, int64_t unit0, int64_t unit1) = nullptr;

  // ---- rows: x, y [rows, cols] contiguous
  // y = x / sqrt(mean(x^2) + eps) * w, all in fp32. y may alias x.
  void (*rms_norm)(const float* x, const float* w, float eps, int64_t rows, int64_t cols,
                   float* y) = nullptr;
  // dx += d loss / d x; dw (or null) += d loss / d w.
  void (*rms_norm_backward)(const float* x, const float* w, float eps, const float* dy,
                            int64_t rows, int64_t cols, float* dx, float* dw) = nullptr;
  // y = (x - mean) / sqrt(variance + eps) * w + b, the variance (over n, not n - 1) in a second
  // pass. y may alias x.
  void (*layer_norm)(const float* x, const float* w, const float* b, float eps, int64_t rows,
                     int64_t cols, float* y) = nullptr;
  // dx += d loss / d x; dw, db (or null) += d loss / d w, d b.
  void (*layer_norm_backward)(const float* x, const float* w, float eps, const float* dy,
                              int64_t rows, int64_t cols, float* dx, float* dw,
                              float* db) = nullptr;
  // y = act(x) over n values; y may alias x.
  void (*activation)(ActivationKind kind, const float* x, int64_t n, float* y) = nullptr;
  void (*activation_backward)(ActivationKind kind, const float* x, const float* dy, int64_t n,
                              float* dx) = nullptr;  // dx +=
  // Half-split rotation (NeoX): for each row t and head h, pairs (i, i + D/2) turn by angle t.
  // cos_sin: [rows, D] holds D/2 cosines then D/2 sines. inverse turns back (the gradient). y may
  // alias x. x, y: [rows, heads, D].
  void (*rope)(const float* x, const float* cos_sin, int64_t rows, int64_t heads, int64_t head_dim,
               bool inverse, float* y) = nullptr;
  // y = act(gate) * up over n values.
  void (*gate_mul)(GateKind kind, const float* gate, const float* up, int64_t n,
                   float* y) = nullptr;
  // dgate, dup += the gradients.
  void (*gate_mul_backward)(GateKind kind, const float* gate, const float* up, const float* dy,
                            int64_t n, float* dgate, float* dup) = nullptr;
  void (*add)(const float* a, const float* b, int64_t n,
              float* y) = nullptr;  // y = a + b; y may alias a or b
  void (*scale)(const float* x, float factor, int64_t n,
                float* y) = nullptr;  // y = x * factor; y may alias x
  // Log-sum-exp of each row, in fp32 with the maximum subtracted.
  void (*log_sum_exp)(const float* x, int64_t rows, int64_t cols, float* lse) = nullptr;
  // y = factor * exp(x - lse) over n values: factor times softmax, which is the gradient of
  // log_sum_exp. y may be x.
  void (*scaled_softmax)(const float* x, float lse, float factor, int64_t n, float* y) = nullptr;
  // Index of the first largest value of a row; NaN is never chosen while a number exists (0 if all
  // are NaN).
  int32_t (*argmax)(const float* x, int64_t n) = nullptr;

  // ---- attention (kernels/attention.h)
  // Writes k, v [T, G, D] of one span into its pages, for the rows [row0, row1) of the batch
  // (span.begin <= row0, row1 <= span.end). Workers may write different rows of one span at the
  // same time.
  void (*kv_write)(const AttentionShape& shape, const AttentionSpan& span, const float* k,
                   const float* v, int64_t row0, int64_t row1) = nullptr;
  // out[t, h, :] for the rows [row0, row1) of one span and the query heads of key/value head g,
  // reading pages; the span's own keys must have been written. q, out: [T, H, D] of the whole
  // batch. partial null: writes out; reads all keys (key0 and key1 are not used). partial not null:
  // keys [key0, key1) only (absolute positions; key0 a multiple of kPageTokens, key1 too or at or
  // beyond the end), leaving unnormalised sums: row t, head h goes to partial + ((t - row0) * (H/G)
  // + (h - g * H/G)) * (D + 2) as {D sums, maximum, sum of exponentials} for merge_partials. A row
  // that sees none of the keys gets {0.., -inf, 0}. With shape.invariant a call covers one segment
  // (kSegmentTokens) only. Many rows: row1 - row0 in multiples of 64 * G / H tokens or more use the
  // processor best.
  void (*paged_attention)(const AttentionShape& shape, const AttentionSpan& span, const float* q,
                          const int32_t* look_ahead, int64_t g, int64_t row0, int64_t row1,
                          int64_t key0, int64_t key1, float* partial, float* out,
                          void* scratch) = nullptr;
  // Per worker, for calls of at most `rows` token rows.
  int64_t (*paged_attention_scratch_bytes)(const AttentionShape& shape, int64_t rows) = nullptr;
  // Merges `parts` partial results of `rows` (token, head) rows in ascending order of keys: row i
  // of part p starts at partials + p * part_stride + i * (D + 2) (part_stride in floats); writes
  // [rows, D] with row stride D.
  void (*merge_partials)(const float* partials, int64_t parts, int64_t part_stride, int64_t rows,
                         int64_t head_dim, float* out) = nullptr;
  // Variable-length form on plain fp32 tensors (training): q [T,H,D], k, v [T,G,D], all keys of the
  // span inside the batch (position 0 is row span.begin; span.position is not used). Writes out
  // [T,H,D] and lse [T,H] (log of the sum of exponentials of scale * q.k) for query head h of one
  // span. shape.kv_type is not used.
  void (*attention)(const AttentionShape& shape, const AttentionSpan& span, const float* q,
                    const float* k, const float* v, const int32_t* look_ahead, int64_t h,
                    float* out, float* lse, void* scratch) = nullptr;
  // Per worker, of `attention` and `attention_backward`, for spans of at most `tokens` rows.
  int64_t (*attention_scratch_bytes)(const AttentionShape& shape, int64_t tokens) = nullptr;
  // Attention of encoders with bf16 products: out[t, h, :] for the rows [row0, row1) of the segment
  // [begin, end), whose rows see all of the segment. q, k, v, out: [T,H,D] of the whole batch; out
  // may be q. Null: this instruction set has none.
  void (*encoder_attention)(const EncoderAttentionShape& shape, const float* q, const float* k,
                            const float* v, int64_t begin, int64_t end, int64_t h, int64_t row0,
                            int64_t row1, float* out, void* scratch) = nullptr;
  // Per worker, for segments of at most `tokens` rows.
  int64_t (*encoder_attention_scratch_bytes)(const EncoderAttentionShape& shape,
                                             int64_t tokens) = nullptr;
  // Adds to dq [T,H,D], dk, dv [T,G,D] the gradients of one key/value head g (all its query heads).
  void (*attention_backward)(const AttentionShape& shape, const AttentionSpan& span, const float* q,
                             const float* k, const float* v, const int32_t* look_ahead,
                             const float* out, const float* lse, const float* dout, int64_t g,
                             float* dq, float* dk, float* dv, void* scratch) = nullptr;
};

// The complete table of an instruction set. isa must be in SupportedIsas().
const KernelTable& KernelsFor(Isa isa);

// Each fills in what it has; called in ascending order by KernelsFor.
void AddRefLinear(KernelTable* table);
void AddRefRows(KernelTable* table);
void AddRefEncoderRows(KernelTable* table);
void AddRefAttention(KernelTable* table);
#if defined(__x86_64__)
void AddX86Linear(Isa isa, KernelTable* table);
void AddX86Rows(Isa isa, KernelTable* table);
void AddX86Attention(Isa isa, KernelTable* table);
#endif

}  // namespace galen

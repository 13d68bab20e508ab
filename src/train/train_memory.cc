#include "train/train_memory.h"

#include <algorithm>

#include "base/memory.h"
#include "ops/attention_products.h"
#include "ops/linear_gradients.h"

namespace galen {
namespace {

constexpr int64_t kFloat = sizeof(float);

// A block's gradients, as many as its activations, and those again where they are not kept.
int64_t WayBackBytes(int64_t block, bool recompute) { return recompute ? 2 * block : block; }

}  // namespace

std::string DescribeMemory(const TrainMemory& m) {
  return "needs " + FormatBytes(m.total()) + ": base " + FormatBytes(m.base) + ", parameters " +
         FormatBytes(m.parameters) + ", gradients " + FormatBytes(m.gradients) + ", optimiser " +
         FormatBytes(m.optimiser) + ", activations " + FormatBytes(m.activations);
}

Status CheckTrainMemory(const TrainMemory& memory, int64_t available) {
  if (memory.total() <= available) return OkStatus();
  return ResourceExhausted(
      DescribeMemory(memory) + "; " + FormatBytes(available) +
      " are free. Smaller (--fit SIZE chooses): gradient_checkpointing: true, a smaller "
      "max_seq_length or "
      "per_device_train_batch_size (with more gradient_accumulation_steps), optim: adamw_8bit, a "
      "smaller lora.r, a base of fewer bits");
}

ArenaPlan Together(const ArenaPlan& a, const ArenaPlan& b) {
  return {a.kept + b.kept, std::max(a.passing, b.passing)};
}

ArenaPlan TrainArena(const ModelConfig& c, const KernelTable& kernels, int threads,
                     const StepShape& shape) {
  const int64_t t = shape.tokens, n = shape.labels;
  const int64_t hidden = c.hidden_size, q = c.query_size(), kv = c.kv_size();
  const int64_t inner = c.intermediate_size, layers = c.num_hidden_layers;
  // What a layer keeps: its sums and what is added to them, queries and keys before and after their
  // norm and rotation, values, the attended values, gate and up (inputs that are normalised or
  // gated are made again); log-sum-exp and records.
  const int64_t adapters = t * shape.adapter_floats * kFloat;
  const int64_t block =
      t * (4 * hidden + 4 * q + 4 * kv + 2 * inner + c.num_attention_heads) * kFloat + adapters +
      64 * 1024;
  // Its gradients: those of gate and up lie in their place, those of their product where it was.
  const int64_t gradients =
      t * (4 * hidden + 4 * q + 4 * kv + std::max(inner, hidden)) * kFloat + adapters;
  const int64_t kept = shape.recompute ? layers * t * hidden * kFloat : layers * block;
  const int64_t way_back = gradients + (shape.recompute ? block : 0);
  // Gradients that go from layer to layer, rows that the last layer picks and that meet the head,
  // and theirs.
  const int64_t fixed = (t * (2 * c.head_dim + 6 * hidden) + n * (hidden * 4 + q * 2)) * kFloat +
                        shape.sequences * 256 + (int64_t{4} << 20);
  // Operands and scratch of the widest product and of its gradient; attention's scratch.
  const int64_t widest = std::max({hidden, q, inner});
  const int64_t operand = kernels.linear_operand_bytes(LinearPlan::kF32Panels, t, widest);
  int64_t scratch =
      std::max(kernels.linear_scratch_bytes(LinearPlan::kF32Panels, t, widest), int64_t{4} << 20);
  if (kernels.linear_backward_bf16_scratch_bytes != nullptr) {
    scratch = std::max(scratch, kernels.linear_backward_bf16_scratch_bytes(t));
  }
  const AttentionShape attention = c.attention_shape(0, KvType::kF32);
  const int64_t work = 3 * operand +
                       threads * (scratch + VarlenAttentionBytes(kernels, attention, t)) +
                       t * widest * kFloat + LinearWeightGradientBytes(kernels, threads, t, widest);
  // A chunk of logits as numbers and as an operand.
  const int64_t chunk = HeadChunkRows(c.vocab_size, n);
  const int64_t head = chunk * c.vocab_size * (kFloat + 2) +
                       kernels.linear_operand_bytes(LinearPlan::kF32Panels, chunk, hidden) +
                       threads * scratch +
                       LinearWeightGradientBytes(kernels, threads, chunk, c.vocab_size);
  return {fixed + kept, std::max(way_back + work, head)};
}

ArenaPlan EncoderTrainArena(const EncoderTrainShape& s, const KernelTable& kernels, int threads) {
  const int64_t t = s.rows, hidden = s.hidden, inner = s.inner, layers = s.layers;
  // Outputs of the ops of a block, as in EncoderStack::ArenaBytes; log-sum-exp and records.
  const int64_t block = t * (13 * hidden + 3 * inner + s.heads + s.adapter_floats) * kFloat +
                        64 * 1024 + s.segments * 512;
  const int64_t kept = s.recompute ? layers * t * hidden * kFloat : layers * block;
  const int64_t way_back = WayBackBytes(block, s.recompute);
  // Rows that come in, with positions and after the last norm, and what is made of them; the
  // gradients of all that, and those that go from block to block.
  const int64_t fixed =
      t * (s.in + 10 * hidden + 2 * s.out) * kFloat + s.segments * 512 + (int64_t{4} << 20);
  const int64_t widest = std::max({hidden, inner, s.in, s.out});
  const int64_t operand = kernels.linear_operand_bytes(LinearPlan::kF32Panels, t, widest);
  int64_t scratch =
      std::max(kernels.linear_scratch_bytes(LinearPlan::kF32Panels, t, widest), int64_t{4} << 20);
  if (kernels.linear_backward_bf16_scratch_bytes != nullptr) {
    scratch = std::max(scratch, kernels.linear_backward_bf16_scratch_bytes(t));
  }
  const AttentionShape attention{s.heads, s.heads, hidden / s.heads, 1.0f, 0, KvType::kF32};
  const int64_t work = 3 * operand +
                       threads * (scratch + VarlenAttentionBytes(kernels, attention, s.longest)) +
                       t * widest * kFloat + LinearWeightGradientBytes(kernels, threads, t, widest);
  return {fixed + kept, way_back + work};
}

ArenaPlan TowerTrainArena(const VisionConfig& c, const KernelTable& kernels, int threads,
                          const StepShape& shape) {
  EncoderTrainShape s;
  const int64_t cell = c.spatial_merge_size * c.spatial_merge_size;
  s.rows = shape.patches;
  s.longest = std::min(shape.patches, c.max_patches());
  // Windows are of one cell at least. A patch that is repeated for each frame is kept both ways.
  s.segments = shape.views + (c.window_size > 0 ? shape.patches / cell : 0);
  s.in = c.patch_values() * (c.temporal_patch_size > 1 ? 1 + c.temporal_patch_size : 1);
  s.hidden = c.hidden_size;
  s.inner = c.intermediate_size;
  s.layers = c.num_hidden_layers;
  s.heads = c.num_attention_heads;
  s.out = std::max(c.projection_dim, cell > 1 ? cell * c.hidden_size : 0);
  s.adapter_floats = shape.tower_adapter_floats;
  s.recompute = shape.recompute;
  return EncoderTrainArena(s, kernels, threads);
}

}  // namespace galen

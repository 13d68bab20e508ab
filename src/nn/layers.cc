#include "nn/layers.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <utility>

namespace galen {

bool HasAdapters(std::initializer_list<const LinearLayer*> layers) {
  return std::any_of(layers.begin(), layers.end(),
                     [](const LinearLayer* layer) { return layer->lora != nullptr; });
}

Tensor Project(ExecContext& ctx, const LinearLayer& layer, const LinearInput& x) {
  if (layer.lora != nullptr) {
    const LinearLayer* layers[] = {&layer};
    Tensor outputs[1];
    ProjectAdapted(ctx, layers, x, outputs);
    return outputs[0];
  }
  return Linear(ctx, x, layer.weight, layer.bias.data == nullptr ? nullptr : &layer.bias);
}

Tensor OutputHead(ExecContext& ctx, const Tensor& x, const LinearLayer& head, const Weight& table) {
  LinearLayer layer = head;
  if (layer.weight.view.data == nullptr) layer.weight = table;
  const bool invariant = std::exchange(ctx.batch_invariant, ctx.invariant_head);
  const Tensor logits = Project(ctx, layer, x);
  ctx.batch_invariant = invariant;
  return logits;
}

void ProjectTogether(ExecContext& ctx, std::initializer_list<const LinearLayer*> layers,
                     const LinearInput& x, std::span<Tensor> outputs) {
  constexpr size_t kMost = 4;
  GALEN_CHECK(layers.size() <= kMost && layers.size() == outputs.size());
  std::array<const Weight*, kMost> weights{};
  std::array<const VectorParam*, kMost> biases{};
  size_t n = 0;
  for (const LinearLayer* layer : layers) {
    if (layer->lora != nullptr) {
      return ProjectAdapted(ctx, {layers.begin(), layers.size()}, x, outputs);
    }
    weights[n] = &layer->weight;
    biases[n] = &layer->bias;
    ++n;
  }
  Linears(ctx, x, {weights.data(), n}, {biases.data(), n}, outputs);
}

Tensor SelfAttention(ExecContext& ctx, const AttentionLayer& layer, const AttentionCall& call,
                     const LinearInput& x) {
  const AttentionShape& shape = call.shape;
  const int64_t tokens = x.rows();
  std::array<Tensor, 3> qkv;
  ProjectTogether(ctx, {&layer.q_proj, &layer.k_proj, &layer.v_proj},
                  Observed(ctx, "attention.x", x), qkv);
  Tensor q = qkv[0].Reshape({tokens, shape.num_heads, shape.head_dim});
  Tensor k = qkv[1].Reshape({tokens, shape.num_kv_heads, shape.head_dim});
  const Tensor v = qkv[2].Reshape({tokens, shape.num_kv_heads, shape.head_dim});
  if (layer.q_norm.data != nullptr) q = RmsNorm(ctx, q, layer.q_norm, layer.norm_eps);
  if (layer.k_norm.data != nullptr) k = RmsNorm(ctx, k, layer.k_norm, layer.norm_eps);
  q = Rope(ctx, q, call.cos_sin);
  k = Rope(ctx, k, call.cos_sin);
  Tensor heads = call.paged ? PagedAttention(ctx, shape, call.spans, q, k, v, call.look_ahead)
                            : Attention(ctx, shape, call.spans, q, k, v, call.look_ahead);
  if (!call.all_rows) {
    if (call.rows.empty()) return Tensor();
    heads = GatherRows(ctx, heads, call.rows);
    ctx.adapter_runs = call.adapter_runs;
  }
  Observe(ctx, "attention.heads", heads);
  return Project(ctx, layer.o_proj, heads);
}

Tensor GatedMlp(ExecContext& ctx, const GatedMlpLayer& layer, GateKind activation,
                const LinearInput& x) {
  std::array<Tensor, 2> gate_up;
  ProjectTogether(ctx, {&layer.gate_proj, &layer.up_proj}, Observed(ctx, "mlp.x", x), gate_up);
  const LinearInput gated = LinearInput::Gated(activation, gate_up[0], gate_up[1]);
  return Project(ctx, layer.down_proj, Observed(ctx, "mlp.gated", gated));
}

Tensor LayerScope::Keep(const Tensor& y, const Tensor& input) {
  if (ctx_.tape != nullptr) return y;
  GALEN_CHECK(y.rank == 2 && y.num_elements() <= input.num_elements());
  Tensor kept = y;
  kept.data = input.data;
  std::memmove(kept.data, y.data, sizeof(float) * static_cast<size_t>(y.num_elements()));
  ctx_.arena->Rewind(mark_);
  return kept;
}

void Observe(ExecContext& ctx, std::string_view name, const Tensor& x) {
  if (ctx.observer != nullptr) (*ctx.observer)(name, x);
}

LinearInput Observed(ExecContext& ctx, std::string_view name, const LinearInput& x) {
  if (ctx.observer == nullptr) return x;
  const Tensor whole = x.Whole(ctx);
  Observe(ctx, name, whole);
  return whole;
}

void Observe(ExecContext& ctx, std::string_view prefix, int64_t layer, const Tensor& x) {
  if (ctx.observer == nullptr) return;
  (*ctx.observer)(std::string(prefix) + "." + std::to_string(layer), x);
}

}  // namespace galen

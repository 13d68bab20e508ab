#include "models/dual_encoder/encoder_stack.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <initializer_list>
#include <string>
#include <utility>

#include "models/model_config.h"
#include "nn/encoder_int8.h"
#include "ops/attention_products.h"
#include "ops/block.h"
#include "ops/row_blocks.h"
#include "ops/tape.h"

namespace galen {
namespace {

// transformers 5.23, activations.py.
constexpr auto kActivations = std::to_array<std::pair<std::string_view, ActivationKind>>({
    {"gelu_pytorch_tanh", ActivationKind::kGeluTanh},
    {"gelu", ActivationKind::kGelu},
    {"quick_gelu", ActivationKind::kQuickGelu},
    {"silu", ActivationKind::kSilu},
    {"relu", ActivationKind::kRelu},
});

Result<ActivationKind> ReadActivation(const JsonView& view, ActivationKind fallback) {
  if (!view.Has("hidden_act")) return fallback;
  ASSIGN_OR_RETURN(const std::string name, view.GetString("hidden_act"));
  std::string known;
  for (const auto& [candidate, kind] : kActivations) {
    if (candidate == name) return kind;
    known += (known.empty() ? "" : ", ") + std::string(candidate);
  }
  return Unsupported(view.Describe("hidden_act") + " is '" + name.substr(0, 64) +
                     "'; known: " + known);
}

// EncoderBlock with rows that see only what does not lie behind them.
Tensor CausalBlock(ExecContext& ctx, const EncoderLayer& layer, const EncoderStackConfig& config,
                   std::span<const AttentionSpan> spans, const Tensor& x) {
  const EncoderAttentionShape encoder = config.attention_shape();
  const AttentionShape shape{
      encoder.num_heads, encoder.num_heads, encoder.head_dim, encoder.scale, 0, KvType::kF32};
  LayerScope scope(ctx);
  const float eps = config.layer_norm_eps;
  std::array<Tensor, 3> qkv;
  ProjectTogether(ctx, {&layer.q_proj, &layer.k_proj, &layer.v_proj},
                  LayerNorm(ctx, x, layer.layer_norm1_w, layer.layer_norm1_b, eps), qkv);
  const Tensor heads = Attention(ctx, shape, spans, qkv[0], qkv[1], qkv[2], nullptr);
  const Tensor middle = Add(ctx, x, Project(ctx, layer.out_proj, heads));
  const Tensor n2 = LayerNorm(ctx, middle, layer.layer_norm2_w, layer.layer_norm2_b, eps);
  const Tensor inner = Activation(ctx, config.hidden_act, Project(ctx, layer.fc1, n2));
  return scope.Keep(Add(ctx, middle, Project(ctx, layer.fc2, inner)), x);
}

// What EncoderBlock needs beside x, for the tape.
struct BlockCall {
  const EncoderLayer* layer;
  EncoderAttentionShape shape;
  const int32_t* bounds;
  size_t num_bounds;
  ActivationKind activation;
  float eps;
};

// Nothing of it is trained.
bool IsFrozen(const EncoderLayer& layer) {
  const std::initializer_list<const LinearLayer*> products = {
      &layer.q_proj, &layer.k_proj, &layer.v_proj, &layer.out_proj, &layer.fc1, &layer.fc2};
  const std::initializer_list<const VectorParam*> norms = {
      &layer.layer_norm1_w, &layer.layer_norm1_b, &layer.layer_norm2_w, &layer.layer_norm2_b};
  return !HasAdapters(products) &&
         std::all_of(products.begin(), products.end(),
                     [](const LinearLayer* l) {
                       return l->weight.grad == nullptr && l->bias.grad == nullptr;
                     }) &&
         std::all_of(norms.begin(), norms.end(),
                     [](const VectorParam* v) { return v->grad == nullptr; });
}

Tensor Block(ExecContext& ctx, const BlockCall& call, const Tensor& x) {
  return EncoderBlock(ctx, *call.layer, call.shape, {call.bounds, call.num_bounds}, call.activation,
                      call.eps, x);
}

}  // namespace

EncoderAttentionShape EncoderStackConfig::attention_shape() const {
  EncoderAttentionShape shape;
  shape.num_heads = num_attention_heads;
  shape.head_dim = head_dim();
  shape.scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(shape.head_dim)));
  return shape;
}

int64_t EncoderStackConfig::num_parameters() const {
  return num_hidden_layers * (4 * hidden_size * hidden_size + 2 * hidden_size * intermediate_size);
}

Result<EncoderStackConfig> ReadEncoderStack(const JsonView& view,
                                            const EncoderStackConfig& defaults) {
  EncoderStackConfig c = defaults;
  ASSIGN_OR_RETURN(c.hidden_size, view.GetIntOr("hidden_size", c.hidden_size, 2, kMaxHiddenSize));
  ASSIGN_OR_RETURN(c.intermediate_size, view.GetIntOr("intermediate_size", c.intermediate_size, 1,
                                                      kMaxIntermediateSize));
  ASSIGN_OR_RETURN(c.num_hidden_layers,
                   view.GetIntOr("num_hidden_layers", c.num_hidden_layers, 1, kMaxLayers));
  ASSIGN_OR_RETURN(c.num_attention_heads,
                   view.GetIntOr("num_attention_heads", c.num_attention_heads, 1, kMaxHeads));
  ASSIGN_OR_RETURN(const double eps,
                   view.GetDoubleOr("layer_norm_eps", defaults.layer_norm_eps, 1e-12, 1e-2));
  c.layer_norm_eps = static_cast<float>(eps);
  ASSIGN_OR_RETURN(c.hidden_act, ReadActivation(view, defaults.hidden_act));
  if (c.hidden_size % c.num_attention_heads != 0 || c.head_dim() % 2 != 0) {
    return DataLoss(view.Describe("hidden_size") + " is " + std::to_string(c.hidden_size) +
                    ", which does not divide into " + std::to_string(c.num_attention_heads) +
                    " heads of an even size");
  }
  return c;
}

Tensor EncoderStack::Forward(ExecContext& ctx, std::span<const int32_t> cu_seqlens, bool causal,
                             std::string_view name, Tensor x) const {
  const EncoderAttentionShape shape = config_.attention_shape();
  std::vector<AttentionSpan> spans;
  for (size_t i = 0; causal && i + 1 < cu_seqlens.size(); ++i) {
    spans.push_back({cu_seqlens[i], cu_seqlens[i + 1], 0, {}});
  }
  const bool int8 = ctx.compute == Compute::kInt8 && !int8_layers_.empty() && !causal;
  const std::vector<EncoderLayer>& layers = int8 ? int8_layers_ : layers_;
  const int32_t* bounds =
      ctx.tape == nullptr ? cu_seqlens.data() : SaveValues(ctx.arena, cu_seqlens);
  ExecContext untaped = ctx;
  untaped.tape = nullptr;
  untaped.recompute = false;
  for (size_t i = 0; i < layers.size(); ++i) {
    // Blocks below the first trained one keep nothing.
    const bool frozen = ctx.tape != nullptr && !ctx.tape->Needs(x) && IsFrozen(layers[i]);
    x = causal ? CausalBlock(ctx, layers[i], config_, spans, x)
               : RunBlock<Block>(frozen ? untaped : ctx,
                                 BlockCall{&layers[i], shape, bounds, cu_seqlens.size(),
                                           config_.hidden_act, config_.layer_norm_eps},
                                 x);
    Observe(ctx, name, static_cast<int64_t>(i), x);
  }
  return x;
}

Status EncoderStack::MakeInt8(const KernelTable& kernels, ThreadPool& pool) {
  std::vector<EncoderLayer> layers = layers_;
  ASSIGN_OR_RETURN(int8_memory_, QuantizeLayers(layers, kernels, pool));
  int8_layers_ = std::move(layers);
  return OkStatus();
}

int64_t EncoderStack::Int8Bytes(const KernelTable& kernels) const {
  return config_.num_hidden_layers *
         QuantizedLayerBytes(config_.hidden_size, config_.intermediate_size, kernels);
}

void EncoderStack::AddParams(ParamTable* table) {
  ParamTable& t = *table;
  const int64_t hidden = config_.hidden_size;
  const int64_t inner = config_.intermediate_size;
  for (size_t i = 0; i < layers_.size(); ++i) {
    EncoderLayer& l = layers_[i];
    t.BeginLayer(static_cast<int64_t>(i));
    t.Vector("layer_norm1.weight", "ln1.weight", hidden, &l.layer_norm1_w);
    t.Vector("layer_norm1.bias", "ln1.bias", hidden, &l.layer_norm1_b);
    t.Linear("self_attn.q_proj", "attn_q", hidden, hidden, &l.q_proj);
    t.Linear("self_attn.k_proj", "attn_k", hidden, hidden, &l.k_proj);
    t.Linear("self_attn.v_proj", "attn_v", hidden, hidden, &l.v_proj);
    t.Linear("self_attn.out_proj", "attn_out", hidden, hidden, &l.out_proj);
    t.Vector("layer_norm2.weight", "ln2.weight", hidden, &l.layer_norm2_w);
    t.Vector("layer_norm2.bias", "ln2.bias", hidden, &l.layer_norm2_b);
    t.Linear("mlp.fc1", "ffn_up", inner, hidden, &l.fc1);
    t.Linear("mlp.fc2", "ffn_down", hidden, inner, &l.fc2);
  }
  t.EndLayers();
}

int64_t EncoderStack::ArenaBytes(const KernelTable& kernels, int num_threads, int64_t num_tokens,
                                 int64_t longest_segment) const {
  constexpr int64_t kFloat = sizeof(float);
  // Norm; q, k, v; heads; projection; sum; norm; fc1, activation; fc2; sum; copies padded to blocks
  // of 32 for int8 weights.
  constexpr int64_t kBlock = 32;
  const int64_t block =
      num_tokens * kFloat * (13 * config_.hidden_size + 3 * config_.intermediate_size + 4 * kBlock);
  const EncoderAttentionShape encoder = config_.attention_shape();
  const AttentionShape shape{
      encoder.num_heads, encoder.num_heads, encoder.head_dim, encoder.scale, 0, KvType::kF32};
  int64_t scratch = VarlenAttentionBytes(kernels, shape, longest_segment);
  if (kernels.encoder_attention != nullptr) {
    scratch = std::max(scratch, kernels.encoder_attention_scratch_bytes(encoder, longest_segment));
  }
  const int64_t attention =
      num_threads * (scratch + 64) +
      num_tokens * (encoder.num_heads + encoder.num_heads * encoder.head_dim) * kFloat;
  const int64_t widest = std::max(config_.hidden_size, config_.intermediate_size);
  constexpr int64_t kRounding = 64 * 64;  // each allocation is rounded up to 64 bytes
  return block +
         std::max({attention, LinearArenaBytes(kernels, num_threads, num_tokens, widest),
                   RowBlockBytes(kernels, num_threads, config_.hidden_size,
                                 config_.intermediate_size)}) +
         kRounding;
}

void AddLinearParams(ParamTable* table, const std::string& name, int64_t out, int64_t in, bool bias,
                     LinearLayer* layer) {
  table->Matrix(name + ".weight", "", out, in, layer);
  if (bias) table->Vector(name + ".bias", "", out, &layer->bias);
}

void AddNormParams(ParamTable* table, const std::string& name, int64_t size, VectorParam* weight,
                   VectorParam* bias) {
  table->Vector(name + ".weight", "", size, weight);
  table->Vector(name + ".bias", "", size, bias);
}

}  // namespace galen

#include "models/dual_encoder/attention_pool.h"

#include <algorithm>
#include <array>

namespace galen {

Tensor AttentionPool::Forward(ExecContext& ctx, const Tensor& x, int64_t rows) const {
  constexpr int32_t kProbe[] = {0};
  const Tensor q = Project(ctx, q_proj_, Embedding(ctx, probe_, kProbe, 1.0f));
  std::array<Tensor, 2> kv;
  ProjectTogether(ctx, {&k_proj_, &v_proj_}, x, kv);
  const Tensor heads = PoolAttention(ctx, config_.attention_shape(), q, kv[0], kv[1], rows);
  const Tensor a = Project(ctx, out_proj_, heads);
  const Tensor norm = LayerNorm(ctx, a, norm_w_, norm_b_, config_.layer_norm_eps);
  const Tensor inner = Activation(ctx, config_.hidden_act, Project(ctx, fc1_, norm));
  return Add(ctx, a, Project(ctx, fc2_, inner));
}

void AttentionPool::AddParams(ParamTable* table) {
  const int64_t hidden = config_.hidden_size;
  table->Matrix("head.probe", "", 1, hidden, &probe_).flat = true;
  int64_t slice = 0;
  for (LinearLayer* layer : {&q_proj_, &k_proj_, &v_proj_}) {
    const auto third = [slice](ParamSpec& spec) {
      spec.hf_slices = 3;
      spec.hf_slice = slice;
    };
    third(table->Matrix("head.attention.in_proj_weight", "", hidden, hidden, &layer->weight));
    third(table->Vector("head.attention.in_proj_bias", "", hidden, &layer->bias));
    ++slice;
  }
  AddLinearParams(table, "head.attention.out_proj", hidden, hidden, true, &out_proj_);
  AddNormParams(table, "head.layernorm", hidden, &norm_w_, &norm_b_);
  AddLinearParams(table, "head.mlp.fc1", config_.intermediate_size, hidden, true, &fc1_);
  AddLinearParams(table, "head.mlp.fc2", hidden, config_.intermediate_size, true, &fc2_);
}

int64_t AttentionPool::ArenaBytes(const KernelTable& kernels, int num_threads, int64_t n,
                                  int64_t rows) const {
  const int64_t values = 2 * n * rows * config_.hidden_size +
                         n * rows * config_.num_attention_heads +
                         n * (8 * config_.hidden_size + 2 * config_.intermediate_size);
  const int64_t widest = std::max(config_.hidden_size, config_.intermediate_size);
  constexpr int64_t kRounding = 64 * 64;
  return values * static_cast<int64_t>(sizeof(float)) +
         LinearArenaBytes(kernels, num_threads, n * rows, config_.hidden_size) +
         LinearArenaBytes(kernels, num_threads, n, widest) + kRounding;
}

}  // namespace galen

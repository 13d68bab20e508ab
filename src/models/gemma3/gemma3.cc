// Gemma 3, text decoder: https://arxiv.org/abs/2503.19786; reference transformers 5.23,
// models/gemma3. docs/models/gemma3.md.
#include <cmath>

#include "models/architecture.h"
#include "models/decoder_step.h"
#include "models/gemma3/config.h"
#include "models/gemma3/vision.h"
#include "models/param_table.h"
#include "nn/layers.h"
#include "ops/block.h"

namespace galen {
namespace {

class Gemma3 final : public CausalLM {
 public:
  explicit Gemma3(ModelConfig config)
      : CausalLM(std::move(config)), frequencies_(config_), layers_(config_.num_hidden_layers) {
    for (Layer& layer : layers_) layer.self_attn.norm_eps = config_.rms_norm_eps;
  }

  Tensor Forward(ExecContext& ctx, const Batch& batch) const override;
  Tensor Hidden(ExecContext& ctx, const Batch& batch) const override;
  const Weight& head() const override {
    return config_.tie_word_embeddings ? embed_tokens_.table : lm_head_.weight;
  }
  std::vector<ParamSpec> Params() override;
  EmbeddingLayer* embedding() override { return &embed_tokens_; }
  LinearLayer* output_head() override { return &lm_head_; }

 private:
  struct Layer {
    VectorParam input_layernorm;
    AttentionLayer self_attn;
    VectorParam post_attention_layernorm;
    VectorParam pre_feedforward_layernorm;
    GatedMlpLayer mlp;
    VectorParam post_feedforward_layernorm;
  };

  // What a layer needs beside x, for the tape.
  struct BlockCall {
    const Gemma3* model;
    const Layer* layer;
    AttentionCall attention;
  };
  static Tensor Block(ExecContext& ctx, const BlockCall& block, const Tensor& x);
  Tensor Layers(ExecContext& ctx, DecoderStep& step, const Batch& batch) const;

  RotaryFrequencies frequencies_;
  EmbeddingLayer embed_tokens_;
  std::vector<Layer> layers_;
  VectorParam norm_;
  LinearLayer lm_head_;  // no weight when tied
};

// Sandwich norms: each branch is normalised before and after.
Tensor Gemma3::Block(ExecContext& ctx, const BlockCall& block, const Tensor& x) {
  const Layer& layer = *block.layer;
  const AttentionCall& call = block.attention;
  const ModelConfig& config = block.model->config_;
  const float eps = config.rms_norm_eps;
  LayerScope scope(ctx);
  const Tensor attention =
      SelfAttention(ctx, layer.self_attn, call, LinearInput::Normed(x, layer.input_layernorm, eps));
  if (attention.empty()) return attention;
  const Tensor h =
      RmsNormAdd(ctx, WantedRows(ctx, call, x), attention, layer.post_attention_layernorm, eps);
  const Tensor mlp = GatedMlp(ctx, layer.mlp, config.hidden_activation,
                              LinearInput::Normed(h, layer.pre_feedforward_layernorm, eps));
  return scope.Keep(RmsNormAdd(ctx, h, mlp, layer.post_feedforward_layernorm, eps), x);
}

Tensor Gemma3::Layers(ExecContext& ctx, DecoderStep& step, const Batch& batch) const {
  Tensor x = EmbedTokens(ctx, embed_tokens_, config_, batch);
  for (int64_t i = 0; i < config_.num_hidden_layers; ++i) {
    x = RunBlock<Block>(ctx, BlockCall{this, &layers_[i], step.attention(i)}, x);
    if (x.empty()) return x;
    Observe(ctx, "layers", i, x);
  }
  x = RmsNorm(ctx, x, norm_, config_.rms_norm_eps);
  Observe(ctx, "norm", x);
  return x;
}

Tensor Gemma3::Hidden(ExecContext& ctx, const Batch& batch) const {
  DecoderStep step(ctx, config_, frequencies_, batch);
  return Layers(ctx, step, batch);
}

Tensor Gemma3::Forward(ExecContext& ctx, const Batch& batch) const {
  DecoderStep step(ctx, config_, frequencies_, batch);  // until the head is done: its adapters
  const Tensor x = Layers(ctx, step, batch);
  return x.empty() ? x : OutputHead(ctx, x, lm_head_, embed_tokens_.table);
}

std::vector<ParamSpec> Gemma3::Params() {
  const int64_t hidden = config_.hidden_size;
  const int64_t inner = config_.intermediate_size;
  const int64_t queries = config_.query_size();
  const int64_t keys = config_.kv_size();
  ParamTable t;
  // Hugging Face files store w of (1 + w), GGUF files the sum.
  const auto norm = [&t](const char* name, const char* gguf, int64_t size, VectorParam* slot) {
    t.Vector(name, gguf, size, slot).hf_offset = 1.0f;
  };
  t.Matrix("embed_tokens.weight", "token_embd.weight", config_.vocab_size, hidden,
           &embed_tokens_.table);
  for (int64_t i = 0; i < config_.num_hidden_layers; ++i) {
    Layer& l = layers_[i];
    AttentionLayer& a = l.self_attn;
    t.BeginLayer(i);
    norm("input_layernorm.weight", "attn_norm.weight", hidden, &l.input_layernorm);
    t.Matrix("self_attn.q_proj.weight", "attn_q.weight", queries, hidden, &a.q_proj);
    t.Matrix("self_attn.k_proj.weight", "attn_k.weight", keys, hidden, &a.k_proj);
    t.Matrix("self_attn.v_proj.weight", "attn_v.weight", keys, hidden, &a.v_proj);
    t.Matrix("self_attn.o_proj.weight", "attn_output.weight", hidden, queries, &a.o_proj);
    norm("self_attn.q_norm.weight", "attn_q_norm.weight", config_.head_dim, &a.q_norm);
    norm("self_attn.k_norm.weight", "attn_k_norm.weight", config_.head_dim, &a.k_norm);
    norm("post_attention_layernorm.weight", "post_attention_norm.weight", hidden,
         &l.post_attention_layernorm);
    norm("pre_feedforward_layernorm.weight", "ffn_norm.weight", hidden,
         &l.pre_feedforward_layernorm);
    t.Matrix("mlp.gate_proj.weight", "ffn_gate.weight", inner, hidden, &l.mlp.gate_proj);
    t.Matrix("mlp.up_proj.weight", "ffn_up.weight", inner, hidden, &l.mlp.up_proj);
    t.Matrix("mlp.down_proj.weight", "ffn_down.weight", hidden, inner, &l.mlp.down_proj);
    norm("post_feedforward_layernorm.weight", "post_ffw_norm.weight", hidden,
         &l.post_feedforward_layernorm);
  }
  t.EndLayers();
  norm("norm.weight", "output_norm.weight", hidden, &norm_);
  if (!config_.tie_word_embeddings) {
    t.Matrix("lm_head.weight", "output.weight", config_.vocab_size, hidden, &lm_head_);
  }
  return t.Take();
}

constexpr std::string_view kGgufNames[] = {"gemma3"};
constexpr std::string_view kModelTypes[] = {"gemma3", "gemma3_text"};

}  // namespace

const Architecture kGemma3 = {
    .name = "gemma3",
    .gguf_names = kGgufNames,
    .hf_model_types = kModelTypes,
    .config_from_gguf = Gemma3ConfigFromGguf,
    .config_from_hf = Gemma3ConfigFromHf,
    .make = [](ModelConfig config) -> std::unique_ptr<CausalLM> {
      return std::make_unique<Gemma3>(std::move(config));
    },
    .vision = &kGemma3Vision,
};

}  // namespace galen

// LLaMA 1 to 3 and what is built alike: TinyLlama, SmolLM2, Mistral 7B.
// https://arxiv.org/abs/2302.13971, https://arxiv.org/abs/2407.21783,
// https://arxiv.org/abs/2310.06825. docs/models/llama.md.
#include "models/architecture.h"
#include "models/decoder_step.h"
#include "models/llama/config.h"
#include "models/param_table.h"
#include "nn/layers.h"
#include "ops/block.h"

namespace galen {
namespace {

class Llama final : public CausalLM {
 public:
  explicit Llama(ModelConfig config)
      : CausalLM(std::move(config)), frequencies_(config_), layers_(config_.num_hidden_layers) {}

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
    GatedMlpLayer mlp;
  };

  // What a layer needs beside x, for the tape.
  struct BlockCall {
    const Llama* model;
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

Tensor Llama::Block(ExecContext& ctx, const BlockCall& block, const Tensor& x) {
  const Layer& layer = *block.layer;
  const AttentionCall& call = block.attention;
  const ModelConfig& config = block.model->config_;
  const float eps = config.rms_norm_eps;
  LayerScope scope(ctx);
  const Tensor attention =
      SelfAttention(ctx, layer.self_attn, call, LinearInput::Normed(x, layer.input_layernorm, eps));
  if (attention.empty()) return attention;
  const Tensor h = Add(ctx, WantedRows(ctx, call, x), attention);
  const Tensor mlp = GatedMlp(ctx, layer.mlp, config.hidden_activation,
                              LinearInput::Normed(h, layer.post_attention_layernorm, eps));
  return scope.Keep(Add(ctx, h, mlp), x);
}

Tensor Llama::Layers(ExecContext& ctx, DecoderStep& step, const Batch& batch) const {
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

Tensor Llama::Hidden(ExecContext& ctx, const Batch& batch) const {
  DecoderStep step(ctx, config_, frequencies_, batch);
  return Layers(ctx, step, batch);
}

Tensor Llama::Forward(ExecContext& ctx, const Batch& batch) const {
  DecoderStep step(ctx, config_, frequencies_, batch);  // until the head is done: its adapters
  const Tensor x = Layers(ctx, step, batch);
  return x.empty() ? x : OutputHead(ctx, x, lm_head_, embed_tokens_.table);
}

std::vector<ParamSpec> Llama::Params() {
  const int64_t hidden = config_.hidden_size;
  const int64_t inner = config_.intermediate_size;
  const int64_t queries = config_.query_size();
  const int64_t keys = config_.kv_size();
  const int64_t heads = config_.num_attention_heads;
  const int64_t kv_heads = config_.num_key_value_heads;
  ParamTable t;
  t.Matrix("embed_tokens.weight", "token_embd.weight", config_.vocab_size, hidden,
           &embed_tokens_.table);
  for (int64_t i = 0; i < config_.num_hidden_layers; ++i) {
    Layer& l = layers_[i];
    AttentionLayer& a = l.self_attn;
    GatedMlpLayer& m = l.mlp;
    t.BeginLayer(i);
    t.Vector("input_layernorm.weight", "attn_norm.weight", hidden, &l.input_layernorm);
    // llama.cpp's converter re-orders the rows of q and k for interleaved rotation.
    t.Matrix("self_attn.q_proj.weight", "attn_q.weight", queries, hidden, &a.q_proj)
        .gguf_interleaved_heads = heads;
    t.Matrix("self_attn.k_proj.weight", "attn_k.weight", keys, hidden, &a.k_proj)
        .gguf_interleaved_heads = kv_heads;
    t.Matrix("self_attn.v_proj.weight", "attn_v.weight", keys, hidden, &a.v_proj);
    t.Matrix("self_attn.o_proj.weight", "attn_output.weight", hidden, queries, &a.o_proj);
    if (config_.attention_bias) {
      t.Vector("self_attn.q_proj.bias", "attn_q.bias", queries, &a.q_proj.bias)
          .gguf_interleaved_heads = heads;
      t.Vector("self_attn.k_proj.bias", "attn_k.bias", keys, &a.k_proj.bias)
          .gguf_interleaved_heads = kv_heads;
      t.Vector("self_attn.v_proj.bias", "attn_v.bias", keys, &a.v_proj.bias);
    }
    if (config_.attention_output_bias) {
      t.Vector("self_attn.o_proj.bias", "attn_output.bias", hidden, &a.o_proj.bias);
    }
    t.Vector("post_attention_layernorm.weight", "ffn_norm.weight", hidden,
             &l.post_attention_layernorm);
    t.Matrix("mlp.gate_proj.weight", "ffn_gate.weight", inner, hidden, &m.gate_proj);
    t.Matrix("mlp.up_proj.weight", "ffn_up.weight", inner, hidden, &m.up_proj);
    t.Matrix("mlp.down_proj.weight", "ffn_down.weight", hidden, inner, &m.down_proj);
    if (config_.mlp_bias) {
      t.Vector("mlp.gate_proj.bias", "ffn_gate.bias", inner, &m.gate_proj.bias);
      t.Vector("mlp.up_proj.bias", "ffn_up.bias", inner, &m.up_proj.bias);
      t.Vector("mlp.down_proj.bias", "ffn_down.bias", hidden, &m.down_proj.bias);
    }
  }
  t.EndLayers();
  t.Vector("norm.weight", "output_norm.weight", hidden, &norm_);
  if (!config_.tie_word_embeddings) {
    t.Matrix("lm_head.weight", "output.weight", config_.vocab_size, hidden, &lm_head_);
  }
  return t.Take();
}

constexpr std::string_view kLlamaGgufNames[] = {"llama"};
constexpr std::string_view kLlamaModelTypes[] = {"llama", "mistral"};

}  // namespace

const Architecture kLlama = {
    .name = "llama",
    .gguf_names = kLlamaGgufNames,
    .hf_model_types = kLlamaModelTypes,
    .config_from_gguf = LlamaConfigFromGguf,
    .config_from_hf = LlamaConfigFromHf,
    .make = [](ModelConfig config) -> std::unique_ptr<CausalLM> {
      return std::make_unique<Llama>(std::move(config));
    },
};

}  // namespace galen

#include "models/random_model.h"

#include <array>
#include <cmath>
#include <string>

#include "models/architecture.h"
#include "models/random_tower.h"

namespace galen {
namespace {

// Published sizes; facts and sources in docs/models/.
struct DecoderShape {
  std::string_view name;
  const char* architecture;
  int64_t hidden, intermediate, layers, heads, kv_heads, head_dim, vocab, positions, window;
  double theta, scaling;  // scaling: linear, of layers that see everything
  bool tied;
  float eps;
};

constexpr auto kShapes = std::to_array<DecoderShape>({
    {"gemma3-270m", "gemma3", 640, 2048, 18, 4, 1, 256, 262144, 32768, 512, 1e6, 1, true, 1e-6f},
    {"gemma3-1b", "gemma3", 1152, 6912, 26, 4, 1, 256, 262144, 32768, 512, 1e6, 1, true, 1e-6f},
    {"medgemma-4b", "gemma3", 2560, 10240, 34, 8, 4, 256, 262208, 131072, 1024, 1e6, 8, true,
     1e-6f},
    // Six layers of the width above: what a training step is measured on.
    {"medgemma-4b-6-layers", "gemma3", 2560, 10240, 6, 8, 4, 256, 32768, 131072, 1024, 1e6, 8, true,
     1e-6f},
    {"smollm2-135m", "llama", 576, 1536, 30, 9, 3, 64, 49152, 8192, 0, 1e5, 1, true, 1e-5f},
    {"tinyllama-1.1b", "llama", 2048, 5632, 22, 32, 4, 64, 32000, 2048, 0, 1e4, 1, false, 1e-5f},
    {"llama3-8b", "llama", 4096, 14336, 32, 32, 8, 128, 128256, 8192, 0, 5e5, 1, false, 1e-5f},
    {"qwen2.5-7b", "qwen2", 3584, 18944, 28, 28, 4, 128, 152064, 128000, 0, 1e6, 1, false, 1e-6f},
});

template <typename Names>
std::string Join(const Names& names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : ", ") + std::string(name);
  return text;
}

ModelConfig ConfigOf(const DecoderShape& shape) {
  ModelConfig c;
  c.architecture = shape.architecture;
  c.name = shape.name;
  c.hidden_size = shape.hidden;
  c.intermediate_size = shape.intermediate;
  c.num_hidden_layers = shape.layers;
  c.num_attention_heads = shape.heads;
  c.num_key_value_heads = shape.kv_heads;
  c.head_dim = shape.head_dim;
  c.vocab_size = shape.vocab;
  c.max_position_embeddings = shape.positions;
  c.rms_norm_eps = shape.eps;
  c.tie_word_embeddings = shape.tied;
  c.attention_scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(shape.head_dim)));
  c.rope.theta = shape.theta;
  c.rope.factor = shape.scaling;
  c.rope.type = shape.scaling == 1 ? RopeType::kDefault : RopeType::kLinear;
  c.rope_local = c.rope;
  c.layer_is_sliding.assign(shape.layers, 0);
  if (c.architecture == "gemma3") {
    c.hidden_activation = GateKind::kGeluTanh;
    c.embedding_scale = std::sqrt(static_cast<float>(shape.hidden));
    c.rope_local = RopeConfig{};  // theta 1e4, unscaled
    c.sliding_window = shape.window;
    for (int64_t i = 0; i < shape.layers; ++i) c.layer_is_sliding[i] = (i + 1) % 6 != 0;
  }
  c.attention_bias = c.architecture == "qwen2";
  return c;
}

// Rows that are no whole blocks of 256 take a format of blocks of 32.
DType Fitting(DType dtype, int64_t cols) {
  if (cols % FormatOf(dtype).block_elems == 0) return dtype;
  if (cols % 32 != 0) return DType::kF16;
  switch (dtype) {
    case DType::kQ2_K:
    case DType::kQ3_K:
    case DType::kIQ4_XS:
      return DType::kIQ4_NL;
    case DType::kQ4_K:
      return DType::kQ5_0;
    case DType::kQ5_K:
      return DType::kQ5_1;
    case DType::kQ6_K:
      return DType::kQ8_0;
    default:
      return DType::kF16;
  }
}

// The layers whose attn_v and ffn_down get more bits in a q4_k_m file; llama.cpp,
// src/llama-quant.cpp, use_more_bits.
bool MoreBits(int64_t layer, int64_t layers) {
  return layer < layers / 8 || layer >= 7 * layers / 8 || (layer - layers / 8) % 3 == 2;
}

int64_t LayerOf(const ParamSpec& spec) {
  constexpr std::string_view kPrefix = "layers.";
  return spec.name.starts_with(kPrefix) ? std::stoll(spec.name.substr(kPrefix.size())) : -1;
}

std::vector<DType> TypesOf(const std::vector<ParamSpec>& specs, const ModelConfig& config,
                           DType base, bool mixed) {
  const bool quantised = FormatOf(base).block_elems > 1 && base != DType::kQ8_0;
  std::vector<DType> types;
  for (const ParamSpec& spec : specs) {
    DType dtype = base;
    const bool head = spec.name == "lm_head.weight" ||
                      (spec.name == "embed_tokens.weight" && config.tie_word_embeddings);
    const bool favoured =
        spec.name.ends_with("v_proj.weight") || spec.name.ends_with("down_proj.weight");
    if (quantised && head) dtype = DType::kQ6_K;
    if (mixed && favoured && MoreBits(LayerOf(spec), config.num_hidden_layers))
      dtype = DType::kQ6_K;
    types.push_back(spec.is_vector() ? DType::kF32 : Fitting(dtype, spec.cols));
  }
  return types;
}

}  // namespace

std::vector<std::string_view> RandomModelShapes() {
  std::vector<std::string_view> names;
  for (const DecoderShape& shape : kShapes) names.push_back(shape.name);
  return names;
}

Result<ModelConfig> ShapeConfig(std::string_view name) {
  for (const DecoderShape& shape : kShapes) {
    if (shape.name == name) return ConfigOf(shape);
  }
  return InvalidArgument("unknown shape '" + std::string(name) +
                         "'; known: " + Join(RandomModelShapes()) +
                         "; image towers: " + std::string(TowerShapeNames()));
}

Result<RandomModel> MakeRandomModel(std::string_view shape, std::string_view type,
                                    const KernelTable& kernels, ThreadPool& pool) {
  ASSIGN_OR_RETURN(ModelConfig config, ShapeConfig(shape));
  RETURN_IF_ERROR(ValidateConfig(config, std::string(shape)));
  const bool mixed = type == "q4_k_m";
  DType base = DType::kQ4_K;
  if (!mixed) {
    ASSIGN_OR_RETURN(base, DTypeFromName(type));
  }
  if (FormatOf(base).encode == nullptr) {
    return InvalidArgument("type '" + std::string(type) + "' cannot be made here");
  }
  ASSIGN_OR_RETURN(const Architecture* architecture, FindArchitecture(config.architecture));
  RandomModel result;
  result.model = architecture->make(std::move(config));
  const std::vector<ParamSpec> specs = result.model->Params();
  const std::vector<DType> types = TypesOf(specs, result.model->config(), base, mixed);
  result.plan = WeightStore::PlanRandom(specs, types, kernels);
  ASSIGN_OR_RETURN(result.weights, WeightStore::Random(specs, types, kernels, pool));
  return result;
}

}  // namespace galen

#include "models/random_tower.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <utility>

#include "nn/encoder_int8.h"

namespace galen {
namespace {

// SigLIP-So400m/14 in MedGemma and in MedSigLIP, and Qwen2.5-VL's tower (7B) for an image of 64 x
// 64 patches; docs/models/ has the sources.
constexpr auto kTowerShapes = std::to_array<TowerShape>({
    {"siglip-896", 896, 1152, 4304, 27, 16},
    {"medsiglip-448", 448, 1152, 4304, 27, 16},
    {"qwen2_5-vl-7b", 896, 1280, 3420, 32, 16, 64, 8, 3584},
});
constexpr float kEps = 1e-6f;

void AddVector(std::vector<ParamSpec>* specs, std::string name, VectorParam* slot, int64_t n) {
  ParamSpec spec;
  spec.name = std::move(name);
  spec.rows = n;
  spec.vector = slot;
  specs->push_back(std::move(spec));
}

void AddLinear(std::vector<ParamSpec>* specs, const std::string& name, LinearLayer* layer,
               int64_t out, int64_t in) {
  ParamSpec spec;
  spec.name = name + ".weight";
  spec.rows = out;
  spec.cols = in;
  spec.matrix = &layer->weight;
  specs->push_back(std::move(spec));
  AddVector(specs, name + ".bias", &layer->bias, out);
}

// Two-dimensional rotary angles: the first half of the pairs turns by the row, the second by the
// column.
Tensor RotaryGrid(ExecContext& ctx, int64_t side, int64_t batch, int64_t head_dim) {
  const int64_t pairs = head_dim / 2, quarter = pairs / 2;
  const Tensor table = ctx.arena->NewTensor({batch * side * side, head_dim});
  for (int64_t t = 0; t < table.rows(); ++t) {
    const int64_t y = t / side % side, x = t % side;
    for (int64_t i = 0; i < pairs; ++i) {
      const float power = static_cast<float>(i % quarter) / static_cast<float>(quarter);
      const float angle = static_cast<float>(i < quarter ? y : x) * std::pow(1e4f, -power);
      table.row(t)[i] = std::cos(angle);
      table.row(t)[pairs + i] = std::sin(angle);
    }
  }
  return table;
}

}  // namespace

double TowerShape::AttentionFlops() const {
  double seen = 0;
  for (int64_t layer = 0; layer < layers; ++layer) {
    seen += static_cast<double>(full_attention(layer) ? tokens() : window);
  }
  return 4 * seen * static_cast<double>(tokens() * hidden);
}

double TowerShape::Flops() const {
  const auto h = static_cast<double>(hidden), t = static_cast<double>(tokens());
  const double mlp = (window > 0 ? 3 : 2) * h * static_cast<double>(intermediate);
  double multiplies = h * static_cast<double>(patch_values());
  multiplies += static_cast<double>(layers) * (4 * h * h + mlp);
  if (merged > 0) multiplies += h * (4 * h + static_cast<double>(merged));
  return 2 * t * multiplies + AttentionFlops();
}

std::string_view TowerShapeNames() {
  static const std::string names = [] {
    std::string text;
    for (const TowerShape& s : kTowerShapes)
      text += (text.empty() ? "" : ", ") + std::string(s.name);
    return text;
  }();
  return names;
}

bool IsTowerShape(std::string_view name) {
  return std::any_of(kTowerShapes.begin(), kTowerShapes.end(),
                     [&](const TowerShape& s) { return s.name == name; });
}

std::vector<ParamSpec> RandomTower::Specs() {
  const int64_t hidden = shape_.hidden, inner = shape_.intermediate;
  std::vector<ParamSpec> specs;
  AddLinear(&specs, "patch_embedding", &patch_embedding_, hidden, shape_.patch_values());
  for (EncoderLayer& layer : layers_) {
    AddVector(&specs, "layer_norm1.weight", &layer.layer_norm1_w, hidden);
    AddVector(&specs, "layer_norm1.bias", &layer.layer_norm1_b, hidden);
    AddLinear(&specs, "q_proj", &layer.q_proj, hidden, hidden);
    AddLinear(&specs, "k_proj", &layer.k_proj, hidden, hidden);
    AddLinear(&specs, "v_proj", &layer.v_proj, hidden, hidden);
    AddLinear(&specs, "out_proj", &layer.out_proj, hidden, hidden);
    AddVector(&specs, "layer_norm2.weight", &layer.layer_norm2_w, hidden);
    AddVector(&specs, "layer_norm2.bias", &layer.layer_norm2_b, hidden);
    AddLinear(&specs, "fc1", &layer.fc1, inner, hidden);
    AddLinear(&specs, "fc2", &layer.fc2, hidden, inner);
  }
  for (GatedEncoderLayer& layer : gated_layers_) {
    AddVector(&specs, "norm1.weight", &layer.norm1, hidden);
    AddLinear(&specs, "q_proj", &layer.q_proj, hidden, hidden);
    AddLinear(&specs, "k_proj", &layer.k_proj, hidden, hidden);
    AddLinear(&specs, "v_proj", &layer.v_proj, hidden, hidden);
    AddLinear(&specs, "proj", &layer.out_proj, hidden, hidden);
    AddVector(&specs, "norm2.weight", &layer.norm2, hidden);
    AddLinear(&specs, "gate_proj", &layer.mlp.gate_proj, inner, hidden);
    AddLinear(&specs, "up_proj", &layer.mlp.up_proj, inner, hidden);
    AddLinear(&specs, "down_proj", &layer.mlp.down_proj, hidden, inner);
  }
  AddVector(&specs, "last_norm.weight", &last_norm_w_, hidden);
  if (shape_.window > 0) {
    AddLinear(&specs, "merger.mlp.0", &merge1_, 4 * hidden, 4 * hidden);
    AddLinear(&specs, "merger.mlp.2", &merge2_, shape_.merged, 4 * hidden);
  } else {
    AddVector(&specs, "last_norm.bias", &last_norm_b_, hidden);
    AddVector(&specs, "position_embedding.weight", &positions_, shape_.tokens() * hidden);
  }
  return specs;
}

Result<std::unique_ptr<RandomTower>> RandomTower::Make(std::string_view name,
                                                       const KernelTable& kernels,
                                                       ThreadPool& pool) {
  const auto shape = std::find_if(kTowerShapes.begin(), kTowerShapes.end(),
                                  [&](const TowerShape& s) { return s.name == name; });
  if (shape == kTowerShapes.end()) {
    return InvalidArgument("no image tower has the shape '" + std::string(name) +
                           "'; known: " + std::string(TowerShapeNames()));
  }
  auto tower = std::make_unique<RandomTower>();
  tower->shape_ = *shape;
  const auto count = static_cast<size_t>(shape->layers);
  tower->layers_.resize(shape->window > 0 ? 0 : count);
  tower->gated_layers_.resize(shape->window > 0 ? count : 0);
  const std::vector<ParamSpec> specs = tower->Specs();
  std::vector<DType> dtypes;
  for (const ParamSpec& s : specs) dtypes.push_back(s.is_vector() ? DType::kF32 : DType::kBF16);
  ASSIGN_OR_RETURN(tower->weights_, WeightStore::Random(specs, dtypes, kernels, pool));
  return tower;
}

Status RandomTower::MakeInt8(const KernelTable& kernels, ThreadPool& pool) {
  if (layers_.empty()) {
    return Unsupported("int8 activations of the image tower of Qwen2.5-VL; use bf16");
  }
  std::vector<EncoderLayer> layers = layers_;
  ASSIGN_OR_RETURN(int8_weights_, QuantizeLayers(layers, kernels, pool));
  int8_layers_ = std::move(layers);
  return OkStatus();
}

Tensor RandomTower::Encode(ExecContext& ctx, const Tensor& patches, int64_t batch) const {
  if (shape_.window > 0) return EncodeGated(ctx, patches, batch);
  const int64_t head_dim = shape_.hidden / shape_.heads;
  const EncoderAttentionShape attention{shape_.heads, head_dim,
                                        1.0f / std::sqrt(static_cast<float>(head_dim))};
  const std::vector<int32_t> segments = EqualSegments(batch, shape_.tokens());
  Tensor x = AddRows(ctx, Project(ctx, patch_embedding_, patches), positions_);
  const bool int8 = ctx.compute == Compute::kInt8 && !int8_layers_.empty();
  for (const EncoderLayer& layer : int8 ? int8_layers_ : layers_) {
    x = EncoderBlock(ctx, layer, attention, segments, ActivationKind::kGeluTanh, kEps, x);
  }
  return LayerNorm(ctx, x, last_norm_w_, last_norm_b_, kEps);
}

Tensor RandomTower::EncodeGated(ExecContext& ctx, const Tensor& patches, int64_t batch) const {
  const int64_t head_dim = shape_.hidden / shape_.heads;
  const EncoderAttentionShape attention{shape_.heads, head_dim,
                                        1.0f / std::sqrt(static_cast<float>(head_dim))};
  const std::vector<int32_t> images = EqualSegments(batch, shape_.tokens());
  const std::vector<int32_t> windows =
      EqualSegments(batch * shape_.tokens() / shape_.window, shape_.window);
  const Tensor cos_sin = RotaryGrid(ctx, shape_.side(), batch, head_dim);
  Tensor x = Project(ctx, patch_embedding_, patches);
  for (int64_t i = 0; i < shape_.layers; ++i) {
    x = GatedEncoderBlock(ctx, gated_layers_[static_cast<size_t>(i)], attention,
                          shape_.full_attention(i) ? images : windows, cos_sin, kEps, x);
  }
  x = RmsNorm(ctx, x, last_norm_w_, kEps).Reshape({x.rows() / 4, 4 * shape_.hidden});
  return Project(ctx, merge2_, Activation(ctx, ActivationKind::kGelu, Project(ctx, merge1_, x)));
}

int64_t RandomTower::ArenaBytes(int64_t batch, int workers) const {
  // Of a row, the widest moment of a composed block: x, the middle, the norm, the MLP's features
  // and their operand.
  const int64_t row = 8 * shape_.hidden + 4 * shape_.intermediate + 2 * shape_.patch_values();
  return batch * shape_.tokens() * row * int64_t{sizeof(float)} + workers * (int64_t{64} << 20) +
         (int64_t{64} << 20);
}

}  // namespace galen

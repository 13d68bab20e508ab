#include "models/verify.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>

#include "formats/checkpoint.h"
#include "formats/hf_config.h"
#include "formats/safetensors.h"
#include "models/architecture.h"
#include "models/golden_data.h"
#include "models/golden_inputs.h"
#include "models/param_sources.h"
#include "models/weight_store.h"

namespace galen {
namespace {

constexpr int64_t kArenaBytes = int64_t{256} << 20;
// Of one layer: norm, projection, head norm, rotation, scores, softmax, sum, projection, norm,
// addition, and about as many in the MLP.
constexpr int kLayerRoundings = 18;
constexpr int kLayerProducts = 7;  // products of one layer in sequence

// Both programs round, K <= 96 partial sums of a product grow to the result, four standard
// deviations: see parity_bounds_test.h. In bf16 the inputs of each product are off by 2^-9 /
// sqrt(3) each, relative; five deviations.
double Limit(int layers, Compute compute) {
  const double fp32 = 2 * 4 * 4 * 0x1p-24 * std::sqrt(1.0 + kLayerRoundings * layers);
  if (compute == Compute::kFp32) return fp32;
  return 5 * 0x1p-9 * std::sqrt(2.0 / 3.0) * std::sqrt(kLayerProducts * (layers + 1.0));
}

double RelativeError(const Tensor& x, const std::vector<float>& wanted) {
  double squares = 0, largest = 0;
  for (size_t i = 0; i < wanted.size(); ++i) {
    squares += static_cast<double>(wanted[i]) * wanted[i];
    const double d = std::fabs(static_cast<double>(x.f32()[i]) - wanted[i]);
    if (!(d <= largest)) largest = d;  // NaN stays
  }
  return largest / std::sqrt(squares / static_cast<double>(std::max<size_t>(wanted.size(), 1)));
}

// A tiny model with its weights.
struct Parts {
  ModelConfig config;
  std::unique_ptr<CausalLM> model;
  WeightStore weights;
  VisionConfig vision;
  std::unique_ptr<ImageTower> tower;
  std::unique_ptr<ImageProcessor> processor;
  WeightStore tower_weights;
};

Status LoadText(const std::shared_ptr<const Checkpoint>& file, const HfConfig& hf,
                const KernelTable& kernels, ThreadPool& pool, Parts* parts) {
  ASSIGN_OR_RETURN(const Architecture* architecture, ArchitectureFromHf(hf.model_type()));
  ASSIGN_OR_RETURN(parts->config, architecture->config_from_hf(hf));
  RETURN_IF_ERROR(ValidateConfig(parts->config, file->path()));
  parts->model = architecture->make(parts->config);
  const std::vector<ParamSpec> specs = parts->model->Params();
  ASSIGN_OR_RETURN(const ParamSources sources, FindParams(*file, specs));
  ASSIGN_OR_RETURN(parts->weights,
                   WeightStore::Load(file, sources.params, WeightUse::kInference, kernels, pool));
  if (!file->Has("images")) return OkStatus();
  if (architecture->vision == nullptr) return DataLoss(file->path() + ": images for a text model");
  ASSIGN_OR_RETURN(parts->vision, architecture->vision->config_from_hf(hf, "", parts->config));
  RETURN_IF_ERROR(ValidateVisionConfig(parts->vision, file->path()));
  parts->tower = architecture->vision->make_tower(parts->vision);
  parts->processor = architecture->vision->make_processor(parts->vision);
  const std::vector<ParamSpec> tower_specs = parts->tower->Params();
  ASSIGN_OR_RETURN(const ParamSources tower_sources, FindParams(*file, tower_specs, VisionScope()));
  ASSIGN_OR_RETURN(parts->tower_weights, WeightStore::Load(file, tower_sources.params,
                                                           WeightUse::kInference, kernels, pool));
  return OkStatus();
}

}  // namespace

const LayerCheck* VerifyResult::first_failure() const {
  for (const LayerCheck& layer : layers) {
    if (!layer.ok()) return &layer;
  }
  return nullptr;
}

std::vector<std::string> GoldenNames() {
  std::vector<std::string> names;
  for (const GoldenFile& file : GoldenFiles()) names.emplace_back(file.name);
  return names;
}

std::vector<std::string> GoldenNamesFor(std::string_view architecture, bool images) {
  std::vector<std::string> wanted = {std::string(architecture)};
  if (images) wanted.push_back(wanted[0] + "-vision");
  const std::vector<std::string> all = GoldenNames();
  std::erase_if(wanted, [&](const std::string& name) {
    return std::find(all.begin(), all.end(), name) == all.end();
  });
  return wanted;
}

Result<VerifyResult> VerifyBytes(std::span<const uint8_t> bytes, const std::string& name,
                                 const KernelTable& kernels, ThreadPool& pool, Compute compute) {
  ASSIGN_OR_RETURN(const SafetensorsFile header, ParseSafetensors(bytes, name));
  ASSIGN_OR_RETURN(const std::shared_ptr<const Checkpoint> file, CheckpointFromBytes(bytes, name));
  const auto field = [&](const char* key) {
    const auto it = header.metadata.find(key);
    return it == header.metadata.end() ? std::string() : it->second;
  };
  ASSIGN_OR_RETURN(const HfConfig hf, HfConfig::Parse(field("config"), "", name));
  Parts parts;
  RETURN_IF_ERROR(LoadText(file, hf, kernels, pool, &parts));
  ASSIGN_OR_RETURN(Arena arena, Arena::Create(kArenaBytes));
  VerifyResult result;
  result.vectors = name;
  result.made_by = field("made_by");
  Status failed;
  const auto check = [&](std::string_view layer, const Tensor& x) {
    const std::string key = "expected." + std::string(layer);
    if (!file->Has(key) || !failed.ok()) return;
    const Result<std::vector<float>> wanted = GoldenFloats(*file, key);
    if (!wanted.ok()) {
      failed = wanted.status();
    } else if (static_cast<int64_t>(wanted->size()) != x.num_elements()) {
      failed = DataLoss(name + ": " + key + " has another size than the model's");
    } else {
      const int depth = static_cast<int>(result.layers.size());
      result.layers.push_back(
          {std::string(layer), RelativeError(x, *wanted), Limit(depth, compute)});
    }
  };
  const std::function<void(std::string_view, const Tensor&)> observer = check;
  ExecContext ctx;
  ctx.kernels = &kernels;
  ctx.pool = &pool;
  ctx.arena = &arena;
  ctx.compute = compute;
  ctx.observer = &observer;
  int32_t soft_token = -1;
  Tensor images;
  if (parts.tower != nullptr) {
    const char* key = hf.root().Has("image_token_id") ? "image_token_id" : "image_token_index";
    ASSIGN_OR_RETURN(const int64_t id, hf.root().GetInt(key, 0, parts.config.vocab_size - 1));
    soft_token = static_cast<int32_t>(id);
    ASSIGN_OR_RETURN(const std::vector<int32_t> order, GoldenInts(*file, "image_order"));
    std::vector<PreparedImage> prepared;
    for (const int32_t i : order) {
      ASSIGN_OR_RETURN(PreparedImage image, GoldenImage(*file, i, parts.vision.image_size,
                                                        parts.vision, *parts.processor));
      prepared.push_back(std::move(image));
    }
    if (prepared.empty()) return DataLoss(name + ": no images");
    images = EncodeImages(ctx, *parts.tower, *parts.processor, prepared);
  }
  ASSIGN_OR_RETURN(GoldenInputs inputs, GoldenInputs::Read(*file, soft_token));
  const Batch batch = inputs.batch(images);
  RETURN_IF_ERROR(CheckBatch(parts.config, batch).WithContext(name));
  check("logits", parts.model->Forward(ctx, batch));
  RETURN_IF_ERROR(failed);
  if (result.layers.empty()) return DataLoss(name + ": no expected activations");
  return result;
}

Result<VerifyResult> Verify(std::string_view vectors, const KernelTable& kernels, ThreadPool& pool,
                            Compute compute) {
  std::string known;
  for (const GoldenFile& file : GoldenFiles()) {
    if (file.name == vectors)
      return VerifyBytes(file.bytes, std::string(file.name), kernels, pool, compute);
    known.append(known.empty() ? "" : ", ").append(file.name);
  }
  return NotFound("no golden vectors named '" + std::string(vectors.substr(0, 64)) +
                  "'; known: " + known);
}

}  // namespace galen

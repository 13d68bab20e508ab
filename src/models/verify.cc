#include "models/verify.h"

#include <algorithm>
#include <functional>
#include <memory>

#include "formats/checkpoint.h"
#include "formats/hf_config.h"
#include "formats/safetensors.h"
#include "models/architecture.h"
#include "models/dual_encoder/dual_encoder_config.h"
#include "models/dual_encoder/replay.h"
#include "models/golden_data.h"
#include "models/golden_inputs.h"
#include "models/layer_checker.h"
#include "models/param_sources.h"
#include "models/weight_store.h"

namespace galen {
namespace {

constexpr int64_t kArenaBytes = int64_t{256} << 20;
// Products in one sum of the tiny models: features of an MLP, or of 7 x 7 pixels.
constexpr int kLongestSum = 96;
constexpr int kDualLongestSum = 147;
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
  if (!file->Has("image_order")) return OkStatus();
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

Status ReplayCausalLm(ExecContext& ctx, const std::shared_ptr<const Checkpoint>& file,
                      const HfConfig& hf, LayerChecker& checker) {
  Parts parts;
  RETURN_IF_ERROR(LoadText(file, hf, *ctx.kernels, *ctx.pool, &parts));
  int32_t soft_token = -1;
  Tensor images;
  if (parts.tower != nullptr) {
    const char* key = hf.root().Has("image_token_id") ? "image_token_id" : "image_token_index";
    ASSIGN_OR_RETURN(const int64_t id, hf.root().GetInt(key, 0, parts.config.vocab_size - 1));
    soft_token = static_cast<int32_t>(id);
    ASSIGN_OR_RETURN(const std::vector<int32_t> order, GoldenInts(*file, "image_order"));
    std::vector<PreparedImage> prepared;
    for (const int32_t i : order) {
      auto image = parts.vision.any_shape() ? GoldenImage(*file, i, *parts.processor)
                                            : GoldenImage(*file, i, parts.vision.image_size,
                                                          parts.vision, *parts.processor);
      RETURN_IF_ERROR(image.status());
      prepared.push_back(*std::move(image));
    }
    if (prepared.empty()) return DataLoss(file->path() + ": no images");
    images = EncodeImages(ctx, *parts.tower, *parts.processor, prepared);
  }
  const bool bidirectional = parts.processor != nullptr && parts.processor->bidirectional();
  ASSIGN_OR_RETURN(GoldenInputs inputs, GoldenInputs::Read(*file, soft_token, bidirectional));
  const Batch batch = inputs.batch(images);
  RETURN_IF_ERROR(CheckBatch(parts.config, batch).WithContext(file->path()));
  checker.Check("logits", parts.model->Forward(ctx, batch));
  return OkStatus();
}

}  // namespace

const LayerCheck* VerifyResult::first_failure() const {
  for (const LayerCheck& layer : layers) {
    if (!layer.ok()) return &layer;
  }
  return nullptr;
}

std::string_view GoldenName(const BuiltinFile& file) {
  std::string_view name = file.path.substr(file.path.rfind('/') + 1);
  return name.substr(0, name.find('.'));
}

std::vector<std::string> GoldenNames() {
  std::vector<std::string> names;
  for (const BuiltinFile& file : GoldenFiles()) names.emplace_back(GoldenName(file));
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
  const bool dual = IsDualEncoder(hf.model_type());
  LayerChecker checker(*file, compute, dual ? kDualLongestSum : kLongestSum);
  ASSIGN_OR_RETURN(Arena arena, Arena::Create(kArenaBytes));
  const std::function<void(std::string_view, const Tensor&)> observer =
      [&](std::string_view layer, const Tensor& x) { checker.Check(layer, x); };
  ExecContext ctx;
  ctx.kernels = &kernels;
  ctx.pool = &pool;
  ctx.arena = &arena;
  ctx.compute = compute;
  ctx.observer = &observer;
  VerifyResult result;
  result.vectors = name;
  result.made_by = field("made_by");
  if (dual) {
    ASSIGN_OR_RETURN(const Tensor logits, ReplayDualEncoder(ctx, file, hf));
    checker.Check("logits", logits);
  } else {
    RETURN_IF_ERROR(ReplayCausalLm(ctx, file, hf, checker));
  }
  ASSIGN_OR_RETURN(result.layers, checker.Take());
  return result;
}

Result<VerifyResult> Verify(std::string_view vectors, const KernelTable& kernels, ThreadPool& pool,
                            Compute compute) {
  std::string known;
  for (const BuiltinFile& file : GoldenFiles()) {
    const std::string_view name = GoldenName(file);
    if (name == vectors) return VerifyBytes(file.bytes, std::string(name), kernels, pool, compute);
    known.append(known.empty() ? "" : ", ").append(name);
  }
  return NotFound("no golden vectors named '" + std::string(vectors.substr(0, 64)) +
                  "'; known: " + known);
}

}  // namespace galen

#include "train/image_text/image_text_model.h"

#include <cmath>
#include <utility>

#include "data/shuffle.h"
#include "train/atomic_directory.h"
#include "train/image_text/head_config.h"
#include "train/random_init.h"
#include "train/trained_tensors.h"

namespace galen {
namespace {

constexpr std::string_view kVisionName = "vision_model.";
constexpr uint64_t kHeadKey = 0x68656164;

}  // namespace

// Finds every weight in the base's file; those of a new head are not there.
Status ImageTextModel::Choose(const ImageTextPlan& plan) {
  plan_ = plan;
  network_ = std::make_unique<DualEncoder>(plan.TrainedConfig());
  groups_ = network_->Params();
  for (const ParamGroup& group : groups_) {
    const std::string tower(group.scope.hf_prefixes.front());
    const bool on_top = tower.empty();
    if (on_top && plan.new_head) {
      head_ = group.specs;
    } else {
      ASSIGN_OR_RETURN(ParamSources found,
                       FindParams(*plan.files.checkpoint, group.specs, group.scope));
      for (ParamSource& source : found.params) {
        const std::string& own = source.spec->name;
        std::string name = SliceName(*source.spec, tower + own);
        const bool trained = plan.Trains(tower, own);
        parts_.push_back({std::move(source), std::move(name), trained});
      }
    }
  }
  for (const Part& part : parts_) {
    if (part.trained) params_.push_back(ToTrainParam(*part.source.spec, part.name));
  }
  for (const ParamSpec& spec : head_) params_.push_back(ToTrainParam(spec, spec.name));
  return OkStatus();
}

std::vector<ParamSource> ImageTextModel::Sources(bool trained, Compute compute) const {
  std::vector<ParamSource> sources;
  for (const Part& part : parts_) {
    if (part.trained != trained) continue;
    sources.push_back(part.source);
    sources.back().round_to_bf16 = !trained && compute != Compute::kFp32;
  }
  return sources;
}

// As transformers begins one: normal with 1 / sqrt(features), biases 0.
Status ImageTextModel::MakeHead(uint64_t seed) {
  int64_t bytes = 0;
  for (const TrainParam& p : params_) bytes += 2 * LineBytes(4 * p.size());
  ASSIGN_OR_RETURN(head_memory_, PageBuffer::Allocate(bytes, "the head"));
  uint8_t* at = head_memory_.data();
  const auto take = [&at](int64_t n) {
    auto* values = reinterpret_cast<float*>(at);
    at += LineBytes(4 * n);
    return values;
  };
  for (size_t i = 0; i < head_.size(); ++i) {
    const ParamSpec& spec = head_[i];
    const int64_t n = spec.rows * std::max<int64_t>(spec.cols, 1);
    float* value = take(n);
    float* grad = take(n);
    if (spec.is_vector()) {
      *spec.vector = {value, spec.rows, grad};
      continue;
    }
    FillNormal(Mix64(seed ^ kHeadKey) + i, 1 / std::sqrt(static_cast<double>(spec.cols)),
               {value, static_cast<size_t>(n)});
    *spec.matrix = {{reinterpret_cast<const uint8_t*>(value), DType::kF32, WeightLayout::kRows,
                     spec.rows, spec.cols},
                    grad};
  }
  return OkStatus();
}

Result<std::unique_ptr<ImageTextModel>> ImageTextModel::Open(const ImageTextModelSetup& setup) {
  std::unique_ptr<ImageTextModel> model(new ImageTextModel);
  RETURN_IF_ERROR(model->Choose(*setup.plan));
  const std::shared_ptr<const Checkpoint>& file = setup.plan->files.checkpoint;
  const std::vector<ParamSource> frozen = model->Sources(false, setup.compute);
  const std::vector<ParamSource> trained = model->Sources(true, setup.compute);
  model->memory_.base =
      WeightStore::Plan(*file, frozen, WeightUse::kInference, *setup.kernels).allocated();
  for (const TrainParam& p : model->params_) {
    model->memory_.parameters += LineBytes(4 * p.size());
  }
  model->memory_.gradients = model->memory_.parameters;
  RETURN_IF_ERROR(setup.admit(*model->network_, model->memory_, model->params_));
  ASSIGN_OR_RETURN(model->frozen_, WeightStore::Load(file, frozen, WeightUse::kInference,
                                                     *setup.kernels, *setup.pool));
  ASSIGN_OR_RETURN(model->trained_, WeightStore::Load(file, trained, WeightUse::kTrained,
                                                      *setup.kernels, *setup.pool));
  if (!model->head_.empty()) RETURN_IF_ERROR(model->MakeHead(setup.seed));
  size_t i = 0;
  for (const ParamSource& source : trained) SetAddresses(*source.spec, &model->params_[i++]);
  for (const ParamSpec& spec : model->head_) SetAddresses(spec, &model->params_[i++]);
  return model;
}

Status ImageTextModel::WriteHead(const std::string& directory) const {
  const Checkpoint& base = *plan_.files.checkpoint;
  TrainedTensors trained;
  trained.Add(Sources(true, Compute::kFp32));
  std::vector<TensorToWrite> tensors;
  const bool whole = base.Has("vision_model.embeddings.patch_embedding.weight");
  for (const TensorInfo& tensor : base.tensors()) {
    if (whole && !tensor.name.starts_with(kVisionName)) continue;
    tensors.push_back(trained.Of(tensor));
    if (!whole) tensors.back().name = std::string(kVisionName) + tensor.name;
  }
  for (const TrainParam& p : params_) {
    if (!p.name.starts_with("classifier.")) continue;
    tensors.push_back(
        {p.name, DType::kF32, p.shape, reinterpret_cast<const uint8_t*>(p.value), 4 * p.size()});
  }
  ASSIGN_OR_RETURN(Json config, ConfigInFp32(base.directory()));
  config = HeadConfig(std::move(config), plan_.classes, plan_.framing, thresholds_);
  ASSIGN_OR_RETURN(AtomicDirectory out, AtomicDirectory::Create(directory));
  RETURN_IF_ERROR(WriteTensors(out.path() + "/model.safetensors", tensors));
  RETURN_IF_ERROR(out.WriteFile("config.json", config.dump(2) + "\n"));
  for (const char* name : {"preprocessor_config.json", "processor_config.json"}) {
    RETURN_IF_ERROR(out.CopyFile(base.directory() + "/" + name, name));
  }
  return out.Commit();
}

Status ImageTextModel::WritePairs(const std::string& directory) const {
  const Checkpoint& base = *plan_.files.checkpoint;
  TrainedTensors trained;
  trained.Add(Sources(true, Compute::kFp32));
  std::vector<TensorToWrite> tensors;
  for (const TensorInfo& tensor : base.tensors()) tensors.push_back(trained.Of(tensor));
  ASSIGN_OR_RETURN(const Json config, ConfigInFp32(base.directory()));
  ASSIGN_OR_RETURN(AtomicDirectory out, AtomicDirectory::Create(directory));
  RETURN_IF_ERROR(WriteTensors(out.path() + "/model.safetensors", tensors));
  for (const std::string& name : CompanionFiles(base.directory())) {
    RETURN_IF_ERROR(out.CopyFile(base.directory() + "/" + name, name));
  }
  RETURN_IF_ERROR(out.WriteFile("config.json", config.dump(2) + "\n"));
  return out.Commit();
}

Status ImageTextModel::Export(const std::string& directory) const {
  return plan_.head ? WriteHead(directory) : WritePairs(directory);
}

}  // namespace galen

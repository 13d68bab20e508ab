#include "train/lora_model.h"

#include <string>
#include <utility>
#include <vector>

#include "models/param_sources.h"
#include "tensor/dtype.h"
#include "train/adapter_set.h"
#include "train/peft_names.h"
#include "train/whole_params.h"

namespace galen {
namespace {

class LoraModel final : public LanguageModel {
 public:
  static Result<std::unique_ptr<LanguageModel>> Open(const LanguageModelSetup& setup);
  Status Export(const std::string& directory) const override {
    return adapters_.Write(directory, base_path_, whole_);
  }
  const char* kind() const override { return "adapter"; }
  const Weight& head() const override {
    return whole_.head() == nullptr ? loaded_.model->head() : *whole_.head();
  }

 private:
  Status Choose(const LoraOptions& options);
  void ListParams();
  Status LoadBase(const LanguageModelSetup& setup);

  std::string base_path_;
  AdapterSet adapters_;
  WholeParams whole_;
};

Status LoraModel::Choose(const LoraOptions& options) {
  const ModelFiles& files = loaded_.files;
  RETURN_IF_ERROR(whole_.ChooseModules(options, files, *loaded_.model, loaded_.tower.get()));
  RETURN_IF_ERROR(adapters_.Choose(
      options, *loaded_.model, loaded_.tower.get(),
      [&](const ParamSpec& spec) { return PeftModulePath(files, spec); }, whole_));
  return whole_.ChooseBiases(
      options, [this](const std::string& module) { return adapters_.IsTarget(module); });
}

void LoraModel::ListParams() {
  params_ = adapters_.params();
  params_.insert(params_.end(), whole_.params().begin(), whole_.params().end());
}

// Has the embedding table and the output head encoded; returns how many.
int64_t EncodeHead(DType dtype, std::span<ParamSource> params) {
  int64_t count = 0;
  for (ParamSource& source : params) {
    const std::string& name = source.spec->name;
    if (name != "embed_tokens.weight" && name != "lm_head.weight") continue;
    const bool plain = FormatOf(source.tensor.dtype).block_elems == 1;
    if (!plain || source.spec->cols % FormatOf(dtype).block_elems != 0) continue;
    source.encode = dtype;
    ++count;
  }
  return count;
}

Status Encode(const TrainOptions& options, const std::string& path, std::span<ParamSource> params) {
  for (const bool head : {false, true}) {
    const std::string& name = head ? options.head_weights : options.weights;
    if (name == "file") continue;
    ASSIGN_OR_RETURN(const DType dtype, DTypeFromName(name));
    if ((head ? EncodeHead(dtype, params) : EncodeLayers(dtype, params)) > 0) continue;
    return InvalidArgument(path + ": " + (head ? "head_weights" : "weights") + ": " + name +
                           " fits no matrix: they are quantised already, or their rows are no "
                           "whole blocks of " +
                           std::to_string(FormatOf(dtype).block_elems));
  }
  return OkStatus();
}

// Plans both parts, asks, and fills the model that Choose saw. What is trained whole is not loaded.
Status LoraModel::LoadBase(const LanguageModelSetup& setup) {
  const ModelFiles& files = loaded_.files;
  // Packed for the kernels: the way back unpacks it as well.
  constexpr auto kUse = WeightUse::kInference;
  const auto wanted = [this](ParamSources sources) {
    std::erase_if(sources.params,
                  [this](const ParamSource& s) { return whole_.Replaces(*s.spec); });
    return sources.params;
  };
  const std::vector<ParamSpec> specs = loaded_.model->Params();
  ASSIGN_OR_RETURN(ParamSources found, FindParams(*files.checkpoint, specs));
  std::vector<ParamSource> text = wanted(std::move(found));
  RETURN_IF_ERROR(Encode(*setup.options, files.checkpoint->path(), text));
  std::vector<ParamSpec> tower_specs;
  std::vector<ParamSource> tower;
  loaded_.plan = WeightStore::Plan(*files.checkpoint, text, kUse, *setup.kernels);
  memory_.base = loaded_.plan.allocated();
  if (setup.tower) {
    tower_specs = loaded_.tower->Params();
    ASSIGN_OR_RETURN(found, FindParams(*files.vision_checkpoint, tower_specs, VisionScope()));
    tower = wanted(std::move(found));
    memory_.base +=
        WeightStore::Plan(*files.vision_checkpoint, tower, kUse, *setup.kernels).allocated();
  }
  for (const TrainParam& p : adapters_.params()) memory_.parameters += 4 * p.size();
  memory_.gradients = memory_.parameters;
  const TrainOptions& o = *setup.options;
  whole_.AddMemory(*setup.kernels,
                   o.max_seq_length * o.per_device_train_batch_size * o.gradient_accumulation_steps,
                   &memory_);
  RETURN_IF_ERROR(setup.admit(
      files.config, memory_, params_,
      {adapters_.floats_per_token_and_layer(), adapters_.floats_per_patch_and_layer()}));
  ASSIGN_OR_RETURN(loaded_.weights,
                   WeightStore::Load(files.checkpoint, text, kUse, *setup.kernels, *setup.pool));
  if (!setup.tower) return OkStatus();
  ASSIGN_OR_RETURN(loaded_.tower_weights, WeightStore::Load(files.vision_checkpoint, tower, kUse,
                                                            *setup.kernels, *setup.pool));
  return OkStatus();
}

Result<std::unique_ptr<LanguageModel>> LoraModel::Open(const LanguageModelSetup& setup) {
  auto lora = std::make_unique<LoraModel>();
  const TrainOptions& options = *setup.options;
  lora->base_path_ = options.model;
  ReadModelOptions headers;
  headers.tokenizer = false;
  ASSIGN_OR_RETURN(lora->loaded_.files, ReadModel(options.model, headers));
  const ModelFiles& files = lora->loaded_.files;
  lora->loaded_.model = files.architecture->make(files.config);
  if (setup.tower) {
    RETURN_IF_ERROR(files.vision_status);
    lora->loaded_.tower = files.architecture->vision->make_tower(files.vision);
  }
  RETURN_IF_ERROR(lora->Choose(options.lora));
  lora->ListParams();
  RETURN_IF_ERROR(lora->LoadBase(setup));
  RETURN_IF_ERROR(lora->whole_.Attach(*setup.kernels, *setup.pool));
  RETURN_IF_ERROR(
      lora->adapters_.Attach(*setup.kernels, *setup.pool, static_cast<uint64_t>(options.seed)));
  lora->ListParams();
  return std::unique_ptr<LanguageModel>(std::move(lora));
}

}  // namespace

Result<std::unique_ptr<LanguageModel>> OpenLoraModel(const LanguageModelSetup& setup) {
  return LoraModel::Open(setup);
}

}  // namespace galen

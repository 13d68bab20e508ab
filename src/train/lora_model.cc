#include "train/lora_model.h"

#include <utility>

#include "train/adapter_set.h"
#include "train/peft_names.h"

namespace galen {
namespace {

class LoraModel final : public TrainModel {
 public:
  static Result<std::unique_ptr<TrainModel>> Open(const TrainModelOptions& setup);
  Status Export(const std::string& directory) const override {
    return adapters_.Write(directory, base_path_);
  }
  const char* kind() const override { return "adapter"; }

 private:
  Status Choose(const LoraOptions& options) {
    RETURN_IF_ERROR(adapters_.Choose(
        options, *loaded_.model, loaded_.tower.get(),
        [this](const ParamSpec& spec) { return PeftModulePath(loaded_.files, spec); }));
    params_ = adapters_.params();
    return OkStatus();
  }

  std::string base_path_;
  AdapterSet adapters_;
};

Result<std::unique_ptr<TrainModel>> LoraModel::Open(const TrainModelOptions& setup) {
  auto lora = std::make_unique<LoraModel>();
  const TrainOptions& options = *setup.options;
  lora->base_path_ = options.model;
  // Layers and sizes are known from the headers, before memory is taken.
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
  OpenModelOptions open;
  open.use = WeightUse::kInference;  // packed for the kernels: the way back unpacks it as well
  open.images = setup.tower;
  open.kernels = setup.kernels;
  open.pool = setup.pool;
  open.admit = [&](const ModelConfig& config, const WeightPlan& plan, const ImageTower*) {
    TrainMemory& memory = lora->memory_;
    memory.base = plan.allocated();
    for (const TrainParam& p : lora->params_) memory.parameters += 4 * p.size();
    memory.gradients = memory.parameters;
    const AdapterFloats floats = {lora->adapters_.floats_per_token_and_layer(),
                                  lora->adapters_.floats_per_patch_and_layer()};
    return setup.admit(config, memory, lora->params_, floats);
  };
  ASSIGN_OR_RETURN(lora->loaded_, OpenModel(options.model, open));
  RETURN_IF_ERROR(lora->Choose(options.lora));
  RETURN_IF_ERROR(
      lora->adapters_.Attach(*setup.kernels, *setup.pool, static_cast<uint64_t>(options.seed)));
  lora->params_ = lora->adapters_.params();
  return std::unique_ptr<TrainModel>(std::move(lora));
}

}  // namespace

Result<std::unique_ptr<TrainModel>> OpenLoraModel(const TrainModelOptions& setup) {
  return LoraModel::Open(setup);
}

}  // namespace galen

// Training of all parameters: dense fp32 copies of a Hugging Face checkpoint's text model, and of
// its image part where that is not frozen.
#include <filesystem>

#include "models/param_sources.h"
#include "train/atomic_directory.h"
#include "train/language_model.h"
#include "train/lora_model.h"
#include "train/trained_tensors.h"

namespace galen {
namespace {

class FullModel final : public LanguageModel {
 public:
  static Result<std::unique_ptr<LanguageModel>> Open(const LanguageModelSetup& setup);
  Status Export(const std::string& directory) const override;
  const char* kind() const override { return "model"; }

 private:
  void ListParams(bool loaded);
  std::vector<ParamSpec> specs_, tower_specs_;
};

// Names and shapes; addresses once the weights are there.
void FullModel::ListParams(bool loaded) {
  params_.clear();
  std::vector<ParamSpec> all = specs_;
  all.insert(all.end(), tower_specs_.begin(), tower_specs_.end());
  for (const ParamSpec& spec : all) {
    if (spec.name.empty()) continue;  // of GGUF files only
    TrainParam p = ToTrainParam(spec, SliceName(spec, spec.name));
    if (loaded) SetAddresses(spec, &p);
    if (loaded && p.value == nullptr) continue;  // optional and absent
    params_.push_back(std::move(p));
  }
}

Result<std::unique_ptr<LanguageModel>> FullModel::Open(const LanguageModelSetup& setup) {
  auto full = std::make_unique<FullModel>();
  OpenModelOptions open;
  open.use = WeightUse::kTrained;
  open.images = setup.tower;
  open.kernels = setup.kernels;
  open.pool = setup.pool;
  open.admit = [&](const ModelConfig& config, const WeightPlan& plan, const ImageTower* tower) {
    full->memory_.parameters = plan.matrix_bytes + plan.vector_bytes;
    full->memory_.gradients = plan.gradient_bytes;
    ASSIGN_OR_RETURN(const Architecture* architecture, FindArchitecture(config.architecture));
    const std::unique_ptr<CausalLM> sketch = architecture->make(config);
    full->specs_ = sketch->Params();
    if (tower != nullptr)
      full->tower_specs_ = architecture->vision->make_tower(tower->config())->Params();
    full->ListParams(false);
    return setup.admit(config, full->memory_, full->params_, {});
  };
  ASSIGN_OR_RETURN(full->loaded_, OpenModel(setup.options->model, open));
  if (full->loaded_.files.checkpoint->kind() != CheckpointKind::kSafetensors) {
    return Unsupported(full->loaded_.files.checkpoint->path() +
                       ": all parameters can be trained from a Hugging Face directory only, since "
                       "the result is one; for a GGUF base add a lora: section");
  }
  full->specs_ = full->loaded_.model->Params();
  if (setup.tower) full->tower_specs_ = full->loaded_.tower->Params();
  full->ListParams(true);
  return std::unique_ptr<LanguageModel>(std::move(full));
}

Status FullModel::Export(const std::string& directory) const {
  const Checkpoint& base = *loaded_.files.checkpoint;
  TrainedTensors trained;
  ASSIGN_OR_RETURN(const ParamSources text, FindParams(base, specs_));
  trained.Add(text.params);
  if (!tower_specs_.empty()) {
    ASSIGN_OR_RETURN(const ParamSources tower, FindParams(base, tower_specs_, VisionScope()));
    trained.Add(tower.params);
  }
  ASSIGN_OR_RETURN(AtomicDirectory out, AtomicDirectory::Create(directory));
  std::vector<TensorToWrite> tensors;
  for (const TensorInfo& tensor : base.tensors()) tensors.push_back(trained.Of(tensor));
  RETURN_IF_ERROR(WriteTensors(out.path() + "/model.safetensors", tensors));
  for (const std::string& name : CompanionFiles(base.directory())) {
    RETURN_IF_ERROR(out.CopyFile(base.directory() + "/" + name, name));
  }
  return out.Commit();
}

}  // namespace

std::vector<std::string> CompanionFiles(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end;
       it.increment(error)) {
    const std::string name = it->path().filename().string();
    const bool text = name.ends_with(".json") || name.ends_with(".jinja") || name.ends_with(".txt");
    const bool tokenizer = name.ends_with(".model");
    if ((text || tokenizer) && !name.ends_with(".safetensors.index.json")) names.push_back(name);
  }
  return names;
}

Result<std::unique_ptr<LanguageModel>> OpenFullModel(const LanguageModelSetup& setup) {
  return FullModel::Open(setup);
}

Result<std::unique_ptr<LanguageModel>> OpenLanguageModel(const LanguageModelSetup& setup) {
  return setup.options->lora.enabled ? OpenLoraModel(setup) : OpenFullModel(setup);
}

}  // namespace galen

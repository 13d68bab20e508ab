// Decoders, with images or without: their frozen and their trained parameters.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "models/open_model.h"
#include "train/options.h"
#include "train/train_model.h"

namespace galen {

class LanguageModel : public TrainModel {
 public:
  CausalLM& model() { return *loaded_.model; }
  // Null: the image tower is not part of the training.
  const ImageTower* tower() const { return loaded_.tower.get(); }
  const ModelFiles& files() const { return loaded_.files; }
  // What the loss multiplies: the model's head, or the one that is trained in its place.
  virtual const Weight& head() const { return loaded_.model->head(); }

 protected:
  LoadedModel loaded_;
};

// What adapters keep of a forward pass, as StepShape has it.
struct AdapterFloats {
  int64_t per_token = 0;
  int64_t per_patch = 0;
};

// What OpenLanguageModel needs to know, and asks before it takes memory.
struct LanguageModelSetup {
  const TrainOptions* options = nullptr;
  bool tower = false;  // the image tower is trained, or adapted
  const KernelTable* kernels = nullptr;
  ThreadPool* pool = nullptr;
  // memory: base, parameters and gradients. An error ends the loading and is passed on.
  std::function<Status(const ModelConfig& config, const TrainMemory& memory,
                       const std::vector<TrainParam>& params, const AdapterFloats& floats)>
      admit;
};

// All parameters, or adapters on a frozen base if options->lora.enabled. files: what ReadModel gave
// for the same path.
Result<std::unique_ptr<LanguageModel>> OpenLanguageModel(const LanguageModelSetup& setup);

Result<std::unique_ptr<LanguageModel>> OpenFullModel(const LanguageModelSetup& setup);

}  // namespace galen

// The model of a run: its frozen and its trained parameters, and how the result is written.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "models/open_model.h"
#include "train/options.h"
#include "train/train_memory.h"
#include "train/train_param.h"

namespace galen {

class TrainModel {
 public:
  virtual ~TrainModel() = default;

  CausalLM& model() { return *loaded_.model; }
  // Null: the image tower is not part of the training.
  const ImageTower* tower() const { return loaded_.tower.get(); }
  const ModelFiles& files() const { return loaded_.files; }
  // What the loss multiplies: the model's head, or the one that is trained in its place.
  virtual const Weight& head() const { return loaded_.model->head(); }
  // Trained parameters in a fixed order. Memory belongs to this object.
  const std::vector<TrainParam>& params() const { return params_; }
  // base, parameters and gradients are filled in.
  const TrainMemory& memory() const { return memory_; }
  // Writes what a user loads: an adapter in PEFT's format, or a Hugging Face directory.
  virtual Status Export(const std::string& directory) const = 0;
  // What Export writes: "adapter" or "model".
  virtual const char* kind() const = 0;

 protected:
  LoadedModel loaded_;
  std::vector<TrainParam> params_;
  TrainMemory memory_;
};

// What adapters keep of a forward pass, as StepShape has it.
struct AdapterFloats {
  int64_t per_token = 0;
  int64_t per_patch = 0;
};

// What OpenTrainModel needs to know, and asks before it takes memory.
struct TrainModelOptions {
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
Result<std::unique_ptr<TrainModel>> OpenTrainModel(const TrainModelOptions& setup);

Result<std::unique_ptr<TrainModel>> OpenFullModel(const TrainModelOptions& setup);

// Copies what belongs beside weights (config.json, tokenizer, template) from a Hugging Face
// directory.
std::vector<std::string> CompanionFiles(const std::string& directory);

}  // namespace galen

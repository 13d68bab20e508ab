// Adapters to be trained: which layers get one, their memory, and how they are written.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/json.h"
#include "models/causal_lm.h"
#include "models/vision/image_tower.h"
#include "nn/layers.h"
#include "nn/lora.h"
#include "tensor/arena.h"
#include "train/options.h"
#include "train/train_param.h"
#include "train/whole_params.h"

namespace galen {

class AdapterSet {
 public:
  // The layers that options.target_modules means but those in `whole`, also of the tower unless
  // that is null. path_of: PEFT's name of a weight's module. InvalidArgument: an entry means none,
  // or none is left.
  Status Choose(const LoraOptions& options, CausalLM& model, ImageTower* tower,
                const std::function<std::string(const ParamSpec&)>& path_of,
                const WholeParams& whole);
  // Takes memory, hooks the adapters into the layers of the model that Choose saw, and gives them
  // their first values, which depend on the seed alone. The model must have its weights, and this
  // object must outlive it or its last forward pass.
  Status Attach(const KernelTable& kernels, ThreadPool& pool, uint64_t seed);

  // A, B and with DoRA the magnitude of each layer. Addresses after Attach.
  const std::vector<TrainParam>& params() const { return params_; }
  // As StepShape::adapter_floats and tower_adapter_floats.
  int64_t floats_per_token_and_layer() const { return floats_; }
  int64_t floats_per_patch_and_layer() const { return tower_floats_; }
  bool IsTarget(const std::string& module) const;
  // adapter_config.json and adapter_model.safetensors in `directory`, in PEFT's format.
  Status Write(const std::string& directory, const std::string& base_model,
               const WholeParams& whole) const;

 private:
  // A module of Hugging Face's model that gets an adapter.
  struct Target {
    std::string path;
    // One, or those that the module holds one behind another along its rows (fused q, k, v).
    std::vector<LinearLayer*> layers;
    int64_t in = 0;
    int64_t out = 0;  // of each layer
    bool tower = false;

    int64_t total_out() const { return out * static_cast<int64_t>(layers.size()); }
  };

  void ListParams();
  void Initialise(uint64_t seed);
  Status SetMagnitudes(const KernelTable& kernels, ThreadPool& pool);
  Json PeftConfig(const std::string& base_model, const WholeParams& whole) const;
  float scaling() const;
  size_t per_target() const { return options_.use_dora ? 3 : 2; }

  LoraOptions options_;
  std::vector<Target> targets_;
  std::vector<std::string> target_names_;  // for adapter_config.json
  std::vector<LoraLayer> layers_;          // one for each layer of each target, in their order
  std::vector<TrainParam> params_;
  int64_t floats_ = 0, tower_floats_ = 0;
  PageBuffer values_, gradients_;
};

}  // namespace galen

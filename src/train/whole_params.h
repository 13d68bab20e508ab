// Weights of the base that are trained whole beside adapters: PEFT's modules_to_save, and biases.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models/open_model.h"
#include "nn/lora.h"
#include "train/options.h"
#include "train/train_memory.h"
#include "train/train_param.h"
#include "train/write_tensors.h"

namespace galen {

class WholeParams {
 public:
  // The weights inside of the modules that options.modules_to_save means: as in PEFT, those whose
  // path ends with an entry. tower: null where it is frozen. InvalidArgument: an entry means none.
  // Unsupported: the whole tower of a GGUF file that keeps some of it in another form.
  Status ChooseModules(const LoraOptions& options, const ModelFiles& files, CausalLM& model,
                       ImageTower* tower);
  // Whether a module lies in one of those.
  bool Holds(const std::string& module) const;
  // After ChooseModules, the biases that options.bias means. is_target: has a low-rank adapter.
  Status ChooseBiases(const LoraOptions& options,
                      const std::function<bool(const std::string& module)>& is_target);

  // Before Attach: a weight of the base that nothing reads once this is attached.
  bool Replaces(const ParamSpec& spec) const;
  // Parameters and gradients. step_tokens: most tokens of a step, whose rows of a table have one.
  void AddMemory(const KernelTable& kernels, int64_t step_tokens, TrainMemory* memory) const;
  // Takes memory, decodes the base's values and hooks the copies into the model that ChooseModules
  // saw. This object must outlive the model's last forward pass.
  Status Attach(const KernelTable& kernels, ThreadPool& pool);

  // Named as in PEFT's file, less its prefix. Addresses after Attach.
  const std::vector<TrainParam>& params() const { return params_; }
  // The output head in place of a tied one, or null.
  const Weight* head() const { return head_.has_value() ? &*head_ : nullptr; }
  // The modules' paths, for adapter_config.json.
  const std::vector<std::string>& modules() const { return modules_; }
  // Appends what a file of PEFT holds of these weights; *values keeps what is not as in memory.
  void AppendTensors(const std::string& prefix, std::vector<TensorToWrite>* tensors,
                     std::vector<std::vector<float>>* values) const;

 private:
  // A weight of the base, its place in the file and its name for PEFT.
  struct Candidate {
    ParamSpec spec;
    TensorInfo tensor;
    std::vector<int64_t> shape_in_file;
    std::string name, module;
    bool tower = false;
    bool table = false, tied_head = false;
  };
  struct Slot {
    Weight matrix;
    VectorParam vector;
  };
  Status List(const ModelFiles& files, ImageTower* tower);
  std::string ModuleOf(const Candidate& candidate, const std::vector<std::string>& entries) const;
  Status CheckEntries(const std::vector<std::string>& entries) const;
  Status Choose(const Candidate& candidate, const std::string& name);
  std::vector<ParamSource> Sources(bool tower, std::vector<ParamSpec>* specs) const;
  std::vector<float> Joined(const Candidate& first) const;

  CausalLM* model_ = nullptr;
  std::shared_ptr<const Checkpoint> checkpoint_, tower_checkpoint_;
  bool tie_ = false;     // the table's copy is the head too
  std::string unnamed_;  // a tensor of the tower that Hugging Face's model has no name for
  std::vector<Candidate> all_, chosen_;
  std::vector<std::string> modules_;
  std::vector<TrainParam> params_;
  std::vector<Slot> slots_;  // of chosen_
  LoraLayer table_;
  std::optional<Weight> head_;
  WeightStore weights_, tower_weights_;
};

}  // namespace galen

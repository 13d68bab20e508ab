// The model of a run: its trained parameters, and how the result is written.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "train/train_memory.h"
#include "train/train_param.h"

namespace galen {

class TrainModel {
 public:
  virtual ~TrainModel() = default;

  // Trained parameters in a fixed order. Memory belongs to this object.
  const std::vector<TrainParam>& params() const { return params_; }
  // base, parameters and gradients are filled in.
  const TrainMemory& memory() const { return memory_; }
  // Writes what a user loads: an adapter in PEFT's format, or a Hugging Face directory.
  virtual Status Export(const std::string& directory) const = 0;
  // What Export writes: "adapter" or "model".
  virtual const char* kind() const = 0;

 protected:
  std::vector<TrainParam> params_;
  TrainMemory memory_;
};

// The names of what belongs beside weights (config.json, tokenizer, template) in a Hugging Face
// directory.
std::vector<std::string> CompanionFiles(const std::string& directory);

}  // namespace galen

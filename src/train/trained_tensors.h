// What was trained, as tensors of a Hugging Face checkpoint.
#pragma once

#include <deque>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "models/param_sources.h"
#include "train/train_param.h"
#include "train/write_tensors.h"

namespace galen {

// A weight as a trained parameter: matrices and tables decay, vectors and single numbers do not.
// Without addresses; the slot is not looked at.
TrainParam ToTrainParam(const ParamSpec& spec, std::string name);
// `name`, and where files keep several weights in one tensor of that name ".N", its place there.
std::string SliceName(const ParamSpec& spec, const std::string& name);
// Those of the loaded slot; null: it is empty.
void SetAddresses(const ParamSpec& spec, TrainParam* param);

class TrainedTensors {
 public:
  // Weights of the base whose slots hold dense fp32 values; specs must outlive this object.
  void Add(std::span<const ParamSource> sources);

  // The base's tensor as it is, or in fp32 with the trained values. Of a tensor that holds several
  // weights all must have been added. Memory belongs to the base, the slots and this object.
  TensorToWrite Of(const TensorInfo& base);

 private:
  std::map<std::string, std::vector<const ParamSpec*>> trained_;  // by the file's tensor
  std::deque<std::vector<float>> values_;  // of those that files keep in another way
};

}  // namespace galen

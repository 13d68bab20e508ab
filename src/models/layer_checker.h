// Compares activations with the expected ones of a golden file, in the order in which they come.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "formats/checkpoint.h"
#include "models/verify.h"
#include "tensor/tensor.h"

namespace galen {

class LayerChecker {
 public:
  // longest_sum: the most products that one value of an activation adds up.
  LayerChecker(const Checkpoint& file, Compute compute, int longest_sum)
      : file_(file), compute_(compute), longest_sum_(longest_sum) {}

  // Compares x with the tensor "expected." + layer, if the file has it. The limit grows with the
  // number of activations before it.
  void Check(std::string_view layer, const Tensor& x);
  // DataLoss: expected values that are no floats, of another number than the model's, or none.
  Result<std::vector<LayerCheck>> Take();

 private:
  const Checkpoint& file_;
  const Compute compute_;
  const int longest_sum_;
  std::vector<LayerCheck> layers_;
  Status status_;
};

}  // namespace galen

// Weight: a matrix parameter as ops see it, dense or packed.
#pragma once

#include "kernels/linear.h"
#include "tensor/tensor.h"

namespace galen {

// [rows, cols] = [output features, input features], Hugging Face's order. Memory belongs to the
// model's weight store.
struct Weight {
  WeightView view;
  // Not null if the weight is trained: its gradient [rows, cols] in fp32 is summed here. Only dense
  // fp32 weights have one; a packed weight returns its input gradient only.
  float* grad = nullptr;
};

// A vector parameter (norm scale, bias), fp32 [n].
struct VectorParam {
  const float* data = nullptr;
  int64_t n = 0;
  float* grad = nullptr;  // as above
};

}  // namespace galen

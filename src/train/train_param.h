// A trained parameter as the optimiser and checkpoints see it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tensor/dtype.h"

namespace galen {

// Bytes of a tensor that begins in a cache line of its own.
inline int64_t LineBytes(int64_t bytes) { return (bytes + 63) / 64 * 64; }

struct TrainParam {
  std::string name;  // unique within a run
  float* value = nullptr;
  float* grad = nullptr;
  std::vector<int64_t> shape;
  bool decay = false;  // weight decay applies: matrices only
  // A step writes few rows of the gradient (a table of embeddings): its memory is made sparse
  // (tensor/arena.h) and given back after each step.
  bool sparse = false;

  int64_t size() const {
    int64_t n = 1;
    for (const int64_t d : shape) n *= d;
    return n;
  }
};

// Memory of a run's state that a checkpoint keeps, to be written out and read back.
struct StateTensor {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;
  uint8_t* data = nullptr;
  int64_t bytes = 0;
};

}  // namespace galen

// Tensor: a non-owning view of a contiguous row-major array. Memory belongs to an Arena, to a
// weight buffer or to the caller.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>

#include "base/status.h"
#include "tensor/dtype.h"

namespace galen {

struct Tensor {
  void* data = nullptr;
  DType dtype = DType::kF32;
  int rank = 0;
  std::array<int64_t, 4> dims{};

  bool empty() const { return data == nullptr; }
  int64_t dim(int i) const { return dims[i]; }
  // A matrix view: the last dimension is the row length, all others together are the rows.
  int64_t cols() const { return rank == 0 ? 1 : dims[rank - 1]; }
  int64_t rows() const {
    int64_t n = 1;
    for (int i = 0; i + 1 < rank; ++i) n *= dims[i];
    return n;
  }
  int64_t num_elements() const { return rows() * cols(); }

  float* f32() const {
    GALEN_DCHECK(dtype == DType::kF32);
    return static_cast<float*>(data);
  }
  float* row(int64_t i) const { return f32() + i * cols(); }

  // The same memory under another shape of the same number of elements.
  Tensor Reshape(std::initializer_list<int64_t> shape) const;
  // Rows [begin, begin + n) of the matrix view, rank 2.
  Tensor Rows(int64_t begin, int64_t n) const;
};

// Wraps floats that the caller owns.
Tensor MakeTensor(float* data, std::initializer_list<int64_t> shape);

}  // namespace galen

#include "tensor/tensor.h"

namespace galen {

Tensor Tensor::Reshape(std::initializer_list<int64_t> shape) const {
  GALEN_CHECK(shape.size() <= dims.size());
  Tensor view = *this;
  view.rank = 0;
  for (int64_t d : shape) view.dims[view.rank++] = d;
  GALEN_CHECK(view.num_elements() == num_elements());
  return view;
}

Tensor Tensor::Rows(int64_t begin, int64_t n) const {
  GALEN_CHECK(begin >= 0 && n >= 0 && begin + n <= rows());
  Tensor view = *this;
  view.rank = 2;
  view.dims = {n, cols(), 0, 0};
  view.data = static_cast<uint8_t*>(data) + begin * RowBytes(dtype, cols());
  return view;
}

Tensor MakeTensor(float* data, std::initializer_list<int64_t> shape) {
  Tensor tensor;
  tensor.data = data;
  for (int64_t d : shape) tensor.dims[tensor.rank++] = d;
  return tensor;
}

}  // namespace galen

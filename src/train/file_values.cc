#include "train/file_values.h"

namespace galen {

std::vector<float> ValuesInFiles(const ParamSpec& spec) {
  if (spec.is_vector()) {
    std::vector<float> values(spec.vector->data, spec.vector->data + spec.vector->n);
    for (float& v : values) v -= spec.hf_offset;
    return values;
  }
  const auto* matrix = reinterpret_cast<const float*>(spec.matrix->view.data);
  if (!spec.transposed) return {matrix, matrix + spec.rows * spec.cols};
  std::vector<float> values(static_cast<size_t>(spec.rows * spec.cols));
  for (int64_t row = 0; row < spec.rows; ++row) {
    for (int64_t col = 0; col < spec.cols; ++col) {
      values[static_cast<size_t>(col * spec.rows + row)] = matrix[row * spec.cols + col];
    }
  }
  return values;
}

}  // namespace galen

#include "train/trained_tensors.h"

#include <algorithm>
#include <utility>

#include "train/file_values.h"

namespace galen {

std::string SliceName(const ParamSpec& spec, const std::string& name) {
  return spec.hf_slices > 1 ? name + "." + std::to_string(spec.hf_slice) : name;
}

TrainParam ToTrainParam(const ParamSpec& spec, std::string name) {
  TrainParam p;
  p.name = std::move(name);
  p.shape = spec.is_vector() ? std::vector<int64_t>{spec.rows}
                             : std::vector<int64_t>{spec.rows, spec.cols};
  p.decay = !spec.is_vector() || (spec.flat && spec.rows > 1);  // a table of positions is a matrix
  return p;
}

void SetAddresses(const ParamSpec& spec, TrainParam* p) {
  // The store's own memory, which nobody else writes.
  const auto* value =
      spec.is_vector() ? spec.vector->data : reinterpret_cast<const float*>(spec.matrix->view.data);
  p->value = const_cast<float*>(value);
  p->grad = spec.is_vector() ? spec.vector->grad : spec.matrix->grad;
}

void TrainedTensors::Add(std::span<const ParamSource> sources) {
  for (const ParamSource& source : sources) {
    std::vector<const ParamSpec*>& specs = trained_[source.tensor.name];
    specs.push_back(source.spec);
    std::sort(specs.begin(), specs.end(),
              [](const ParamSpec* a, const ParamSpec* b) { return a->hf_slice < b->hf_slice; });
  }
}

TensorToWrite TrainedTensors::Of(const TensorInfo& base) {
  TensorToWrite t{base.name, base.dtype, base.shape, base.bytes.data(),
                  static_cast<int64_t>(base.bytes.size())};
  const auto found = trained_.find(base.name);
  if (found == trained_.end()) return t;
  const std::vector<const ParamSpec*>& specs = found->second;
  const ParamSpec& first = *specs[0];
  GALEN_CHECK(static_cast<int64_t>(specs.size()) == first.hf_slices);
  t.dtype = DType::kF32;
  t.bytes = 4 * base.NumElements();
  if (specs.size() == 1 && first.hf_offset == 0.0f && !first.transposed) {
    t.data = first.is_vector() ? reinterpret_cast<const uint8_t*>(first.vector->data)
                               : first.matrix->view.data;
    return t;
  }
  std::vector<float>& values = values_.emplace_back();
  for (const ParamSpec* spec : specs) {
    const std::vector<float> part = ValuesInFiles(*spec);
    values.insert(values.end(), part.begin(), part.end());
  }
  t.data = reinterpret_cast<const uint8_t*>(values.data());
  return t;
}

}  // namespace galen

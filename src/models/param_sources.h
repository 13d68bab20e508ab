// Matches the weights of a model with the tensors of a checkpoint, before anything is read or
// allocated.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "formats/checkpoint.h"
#include "models/param_spec.h"

namespace galen {

struct ParamSource {
  const ParamSpec* spec = nullptr;
  // What the spec names of a tensor of the file: shape and bytes are those of the weight, even where
  // the tensor holds several.
  TensorInfo tensor;
};

struct ParamSources {
  std::vector<ParamSource> params;  // in the order of the specs, absent optional ones left out
  std::vector<std::string> notes;   // for people: tensors of the file that this model does not use
};

// NotFound: a weight is missing. DataLoss: it has another shape. Unsupported: a type that holds no
// weights, or a tensor inside the decoder's layers that this architecture does not know, since
// leaving it out would change every answer. Each names file, tensor, what was expected and what was
// found.
//
// Hugging Face names are looked for under model., language_model.model. (old multimodal files),
// model.language_model. (new ones) and without prefix. Specs and checkpoint must outlive the
// result.
Result<ParamSources> FindParams(const Checkpoint& checkpoint, std::span<const ParamSpec> specs);

}  // namespace galen

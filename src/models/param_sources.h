// Matches the weights of a model with the tensors of a checkpoint, before anything is read or
// allocated.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/checkpoint.h"
#include "models/param_spec.h"

namespace galen {

struct ParamSource {
  const ParamSpec* spec = nullptr;
  // What the spec names of a tensor of the file: shape and bytes are those of the weight, even
  // where the tensor holds several.
  TensorInfo tensor;
  // An fp32 or fp16 matrix is kept as bf16 (WeightUse::kInference only).
  bool round_to_bf16 = false;
  // A block format that the matrix is encoded to when it is loaded; unset: as it is in the file.
  std::optional<DType> encode = {};
};

struct ParamSources {
  std::vector<ParamSource> params;  // in the order of the specs, absent optional ones left out
  std::vector<std::string> notes;   // for people: tensors of the file that this model does not use
};

// Which part of a checkpoint the specs describe.
struct ParamScope {
  // What may stand before the specs' Hugging Face names. The one that fits most of them is used.
  std::span<const std::string_view> hf_prefixes;
  // Names of this part's layers begin so (after the prefix): a tensor there that no spec names
  // would change every answer if it were left out.
  std::string_view hf_layers;
  std::string_view gguf_layers;
  bool note_unused = false;  // tell of the tensors of all other parts
  // Where files spell the names of this part in several ways: the one spelling that specs use, or
  // "" for tensors of other parts (CanonicalVisionName). Null: names are as they are.
  std::string (*canonical)(CheckpointKind kind, std::string_view name) = nullptr;
};
// The text decoder: model., language_model.model. (old multimodal files), model.language_model.
// (new ones) or no prefix.
const ParamScope& TextScope();
// The image part of a multimodal model. In the first GGUF files of it ffn_up and ffn_down have
// changed places, which the shape of the latter tells.
const ParamScope& VisionScope();

// Has the matrices of layers ("layers." in their names) that files keep in a plain type encoded to
// `dtype`, a block format. Those whose rows are no whole blocks stay as they are. Returns how many
// will be encoded.
int64_t EncodeLayers(DType dtype, std::span<ParamSource> params);

// NotFound: a weight is missing. DataLoss: it has another shape. Unsupported: a type that holds no
// weights, or a tensor inside the part's layers that this architecture does not know. Each names
// file, tensor, what was expected and what was found. A spec without a name for this kind of file
// is left out. Specs and checkpoint must outlive the result.
Result<ParamSources> FindParams(const Checkpoint& checkpoint, std::span<const ParamSpec> specs,
                                const ParamScope& scope = TextScope());

}  // namespace galen

#include "models/param_sources.h"

#include <map>
#include <unordered_set>
#include <utility>

#include "models/vision/vision_names.h"

namespace galen {
namespace {

constexpr std::string_view kTextPrefixes[] = {"model.", "language_model.model.",
                                              "model.language_model.", ""};
constexpr std::string_view kNoPrefix[] = {""};
constexpr ParamScope kTextScope = {kTextPrefixes, "layers.", "blk.", true};
constexpr ParamScope kVisionScope = {kNoPrefix, "vision_tower.encoder.layers.", "v.blk.", false,
                                     CanonicalVisionName};
constexpr std::string_view kHeadPrefixes[] = {"", "language_model.", "model."};

std::string Shape(const std::vector<int64_t>& dims) {
  std::string text = "[";
  for (size_t i = 0; i < dims.size(); ++i) {
    text += (i == 0 ? "" : ", ") + std::to_string(dims[i]);
  }
  return text + "]";
}

// The names under which the file may keep a weight.
class NameMap {
 public:
  NameMap(const Checkpoint& checkpoint, std::span<const ParamSpec> specs, const ParamScope& scope)
      : checkpoint_(checkpoint),
        scope_(scope),
        gguf_(checkpoint.kind() == CheckpointKind::kGguf),
        prefix_(scope.hf_prefixes.front()) {
    // The prefix that fits most names: another part of a multimodal model may use one of them too.
    size_t best = 0;
    for (const std::string_view prefix : scope.hf_prefixes) {
      size_t found = 0;
      for (const ParamSpec& spec : specs) {
        found += checkpoint.Has(std::string(prefix) + spec.name) ? 1 : 0;
      }
      if (found > best) {
        best = found;
        prefix_ = prefix;
      }
    }
    if (scope.canonical != nullptr) ReadAliases(specs);
  }

  std::string Find(const ParamSpec& spec) const {
    if (scope_.canonical != nullptr) {
      const std::string name = gguf_ ? Unswapped(spec.gguf_name) : spec.name;
      const auto found = aliases_.find(name);
      return found == aliases_.end() ? name : found->second->name;
    }
    if (gguf_) return spec.gguf_name;
    if (!spec.name.starts_with("lm_head.")) return prefix_ + spec.name;
    for (const std::string_view prefix : kHeadPrefixes) {
      const std::string name = std::string(prefix) + spec.name;
      if (checkpoint_.Has(name)) return name;
    }
    return spec.name;
  }

  // Whether a tensor belongs to the layers of this part.
  bool InLayers(std::string_view tensor) const {
    const std::string canonical =
        scope_.canonical == nullptr ? "" : scope_.canonical(checkpoint_.kind(), tensor);
    const std::string_view name = scope_.canonical == nullptr ? tensor : canonical;
    if (gguf_) return name.starts_with(scope_.gguf_layers);
    if (!name.starts_with(prefix_ + std::string(scope_.hf_layers))) return false;
    // Old LLaMA files carry the rotary frequencies, which follow from the configuration.
    return !name.ends_with(".rotary_emb.inv_freq");
  }

 private:
  void ReadAliases(std::span<const ParamSpec> specs) {
    for (const TensorInfo& tensor : checkpoint_.tensors()) {
      const std::string name = scope_.canonical(checkpoint_.kind(), tensor.name);
      if (!name.empty()) aliases_.emplace(name, &tensor);
    }
    for (const ParamSpec& spec : specs) {
      if (!gguf_ || !spec.gguf_name.ends_with("ffn_down.weight") || spec.rows == spec.cols)
        continue;
      const auto down = aliases_.find(spec.gguf_name);
      // It has the shape of ffn_up.
      swapped_ = down != aliases_.end() &&
                 down->second->shape == std::vector<int64_t>{spec.cols, spec.rows};
      return;
    }
  }

  std::string Unswapped(std::string name) const {
    constexpr std::string_view kUp = "ffn_up.";
    constexpr std::string_view kDown = "ffn_down.";
    if (!swapped_) return name;
    if (const size_t up = name.find(kUp); up != std::string::npos) {
      return name.replace(up, kUp.size(), kDown);
    }
    if (const size_t down = name.find(kDown); down != std::string::npos) {
      return name.replace(down, kDown.size(), kUp);
    }
    return name;
  }

  const Checkpoint& checkpoint_;
  const ParamScope& scope_;
  bool gguf_;
  bool swapped_ = false;
  std::string prefix_;
  std::map<std::string, const TensorInfo*> aliases_;  // by canonical name
};

// The weight that `spec` names inside a tensor of the file.
Result<TensorInfo> Part(const std::string& path, const ParamSpec& spec, const TensorInfo& tensor,
                        bool gguf) {
  const int64_t slices = gguf ? 1 : spec.hf_slices;
  std::vector<int64_t> expected = {spec.rows * slices};
  if (!spec.is_vector()) expected.push_back(spec.cols);
  if (spec.transposed) std::swap(expected[0], expected[1]);
  const std::string where = path + ": tensor '" + tensor.name + "': ";
  const int64_t elements = spec.rows * slices * (spec.is_vector() ? 1 : spec.cols);
  const bool same_values = spec.flat && tensor.NumElements() == elements &&
                           (spec.is_vector() || tensor.shape[0] == expected[0]);
  if (tensor.shape != expected && !same_values) {
    return DataLoss(where + "expected shape " + Shape(expected) + ", found " + Shape(tensor.shape) +
                    "; the file does not fit its own configuration");
  }
  const BlockFormat& format = FormatOf(tensor.dtype);
  if (format.decode == nullptr) {
    return Unsupported(where + "expected a floating-point or block-quantised type, found " +
                       std::string(tensor.type_name));
  }
  if (spec.transposed && format.block_elems > 1) {
    return Unsupported(where + "a matrix that is transposed when it is loaded cannot be " +
                       std::string(tensor.type_name) + "; expected F32, F16 or BF16");
  }
  const int64_t cols = spec.is_vector() ? spec.rows : spec.cols;
  if (cols % format.block_elems != 0) {
    return DataLoss(where + "rows of " + std::to_string(cols) + " values are no whole " +
                    std::string(tensor.type_name) + " blocks of " +
                    std::to_string(format.block_elems));
  }
  TensorInfo part = tensor;
  part.shape = spec.is_vector() ? std::vector<int64_t>{spec.rows}
                                : std::vector<int64_t>{spec.rows, spec.cols};
  if (tensor.bnb != nullptr) {
    if (spec.is_vector() || spec.transposed || spec.flat) {
      return Unsupported(where + "only matrices of linear layers can be quantised so, found " +
                         std::string(tensor.type_name));
    }
    part.bnb_row0 = spec.hf_slice * spec.rows;
    const size_t size = tensor.bytes.size() / static_cast<size_t>(slices);
    part.bytes = tensor.bytes.subspan(static_cast<size_t>(spec.hf_slice) * size, size);
    return part;
  }
  const int64_t rows = spec.is_vector() ? 1 : spec.rows;
  const int64_t bytes = rows * RowBytes(tensor.dtype, cols);
  if (static_cast<int64_t>(tensor.bytes.size()) != slices * bytes) {
    return DataLoss(where + "expected " + std::to_string(slices * bytes) + " bytes, found " +
                    std::to_string(tensor.bytes.size()));
  }
  part.bytes = tensor.bytes.subspan(static_cast<size_t>(gguf ? 0 : spec.hf_slice * bytes),
                                    static_cast<size_t>(bytes));
  return part;
}

// "vision_tower" of "vision_tower.encoder.layers.0.mlp.fc1.bias", for grouping.
std::string Group(std::string_view name) {
  for (const std::string_view prefix : {"model."}) {
    if (name.starts_with(prefix)) name.remove_prefix(prefix.size());
  }
  return std::string(name.substr(0, name.find('.')));
}

}  // namespace

const ParamScope& TextScope() { return kTextScope; }
const ParamScope& VisionScope() { return kVisionScope; }

int64_t EncodeLayers(DType dtype, std::span<ParamSource> params) {
  GALEN_CHECK(FormatOf(dtype).block_elems > 1 && FormatOf(dtype).encode != nullptr);
  int64_t count = 0;
  for (ParamSource& source : params) {
    const ParamSpec& spec = *source.spec;
    const bool plain = FormatOf(source.tensor.dtype).block_elems == 1;
    if (spec.is_vector() || !plain || spec.cols % FormatOf(dtype).block_elems != 0 ||
        spec.name.find("layers.") == std::string::npos) {
      continue;
    }
    source.encode = dtype;
    ++count;
  }
  return count;
}

Result<ParamSources> FindParams(const Checkpoint& checkpoint, std::span<const ParamSpec> specs,
                                const ParamScope& scope) {
  ParamSources sources;
  const NameMap names(checkpoint, specs, scope);
  std::unordered_set<std::string_view> used;
  for (const ParamSpec& spec : specs) {
    const std::string name = names.Find(spec);
    const bool unnamed =
        checkpoint.kind() == CheckpointKind::kGguf ? spec.gguf_name.empty() : spec.name.empty();
    if (unnamed || (spec.optional && !checkpoint.Has(name))) continue;
    ASSIGN_OR_RETURN(const TensorInfo* tensor, checkpoint.Find(name));
    ASSIGN_OR_RETURN(TensorInfo part, Part(checkpoint.path(), spec, *tensor,
                                           checkpoint.kind() == CheckpointKind::kGguf));
    used.insert(tensor->name);
    sources.params.push_back({&spec, std::move(part)});
  }
  std::map<std::string, int> unused;
  for (const TensorInfo& tensor : checkpoint.tensors()) {
    if (used.count(tensor.name) != 0 || tensor.name == "rope_freqs.weight") continue;
    if (names.InLayers(tensor.name)) {
      return Unsupported(checkpoint.path() + ": tensor '" + tensor.name +
                         "' has no place in this architecture; without it the model would answer "
                         "differently from what it was trained to");
    }
    // The image part is loaded on its own.
    if (CanonicalVisionName(checkpoint.kind(), tensor.name).empty()) ++unused[Group(tensor.name)];
  }
  if (!scope.note_unused) unused.clear();
  for (const auto& [group, count] : unused) {
    sources.notes.push_back(std::to_string(count) + " tensors of '" + group.substr(0, 64) +
                            "' are not used by the text model");
  }
  return sources;
}

}  // namespace galen

#include "train/random_init.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numbers>
#include <vector>

#include "base/memory.h"
#include "data/shuffle.h"
#include "formats/hf_config.h"
#include "models/architecture.h"
#include "train/atomic_directory.h"
#include "train/train_model.h"
#include "train/write_tensors.h"

namespace galen {
namespace {

constexpr double kInitializerRange = 0.02;  // transformers' default

// In [0, 1), from 53 bits.
double Uniform(uint64_t bits) { return static_cast<double>(bits >> 11) * 0x1p-53; }

void FillUniform(uint64_t key, double bound, std::vector<float>* values) {
  for (size_t i = 0; i < values->size(); ++i) {
    (*values)[i] = static_cast<float>((2 * Uniform(Mix64(key + i)) - 1) * bound);
  }
}

// A file's tensor with its values.
struct Made {
  TensorToWrite tensor;
  std::vector<float> values;
};

class Maker {
 public:
  Maker(uint64_t seed, double initializer_range)
      : seed_(Mix64(seed)), initializer_range_(initializer_range) {}

  void AddText(const std::vector<ParamSpec>& specs, bool sees) {
    for (const ParamSpec& spec : specs) {
      const bool head = spec.name.starts_with("lm_head.");
      const std::string prefix =
          sees ? (head ? "language_model." : "language_model.model.") : (head ? "" : "model.");
      std::vector<float>& values = Add(prefix + spec.name, ShapeOf(spec));
      if (spec.is_vector()) {
        FillVector(spec, &values);
      } else {
        FillNormal(key_, initializer_range_, values);
      }
    }
  }

  void AddTower(const std::vector<ParamSpec>& specs, const VisionConfig& c) {
    const double hidden = static_cast<double>(c.hidden_size);
    for (const ParamSpec& spec : specs) {
      const bool patches = spec.name.ends_with("patch_embedding.weight");
      const bool positions = spec.name.ends_with("position_embedding.weight");
      std::vector<int64_t> shape =
          patches ? std::vector<int64_t>{c.hidden_size, c.num_channels, c.patch_size, c.patch_size}
          : positions ? std::vector<int64_t>{spec.rows / c.hidden_size, c.hidden_size}
                      : ShapeOf(spec);
      std::vector<float>& values = Add(spec.name, std::move(shape));
      if (positions) {
        FillNormal(key_, 1 / std::sqrt(hidden), values);
      } else if (spec.is_vector()) {
        FillVector(spec, &values);
      } else if (patches || spec.transposed) {
        FillNormal(key_, 1 / std::sqrt(static_cast<double>(spec.cols)), values);
      } else {
        FillUniform(key_, std::sqrt(6.0 / static_cast<double>(spec.rows + spec.cols)), &values);
      }
    }
  }

  Status Write(const std::string& path) {
    std::vector<TensorToWrite> tensors;
    for (Made& made : made_) {
      made.tensor.data = reinterpret_cast<const uint8_t*>(made.values.data());
      made.tensor.bytes = static_cast<int64_t>(made.values.size() * sizeof(float));
      tensors.push_back(made.tensor);
    }
    return WriteTensors(path, tensors);
  }

 private:
  static std::vector<int64_t> ShapeOf(const ParamSpec& spec) {
    if (spec.is_vector()) return {spec.rows};
    return spec.transposed ? std::vector<int64_t>{spec.cols, spec.rows}
                           : std::vector<int64_t>{spec.rows, spec.cols};
  }
  std::vector<float>& Add(std::string name, std::vector<int64_t> shape) {
    key_ = Mix64(seed_ + made_.size());
    Made& made = made_.emplace_back();
    size_t n = 1;
    for (const int64_t d : shape) n *= static_cast<size_t>(d);
    made.tensor = {std::move(name), DType::kF32, std::move(shape), nullptr, 0};
    made.values.assign(n, 0.0f);
    return made.values;
  }
  // Norms of 1 + w begin with w = 0.
  static void FillVector(const ParamSpec& spec, std::vector<float>* values) {
    if (spec.name.ends_with("bias") || spec.hf_offset != 0.0f) return;
    std::fill(values->begin(), values->end(), 1.0f);
  }

  uint64_t seed_, key_ = 0;
  double initializer_range_;
  std::vector<Made> made_;
};

bool OneByOne(const std::vector<ParamSpec>& specs) {
  return std::all_of(specs.begin(), specs.end(),
                     [](const ParamSpec& s) { return !s.name.empty() && s.hf_slices == 1; });
}

Status CheckMemory(const std::vector<ParamSpec>& text, const std::vector<ParamSpec>& tower) {
  int64_t bytes = 0;
  for (const std::vector<ParamSpec>* specs : {&text, &tower}) {
    for (const ParamSpec& s : *specs) bytes += 4 * s.rows * std::max<int64_t>(s.cols, 1);
  }
  if (bytes <= AvailableMemory()) return OkStatus();
  return ResourceExhausted("the model of config.json has " + FormatBytes(bytes) +
                           " of weights in fp32, " + FormatBytes(AvailableMemory()) + " are free");
}

}  // namespace

// Box and Muller.
void FillNormal(uint64_t key, double deviation, std::span<float> values) {
  for (size_t i = 0; i < values.size(); ++i) {
    const double radius = std::sqrt(-2 * std::log1p(-Uniform(Mix64(key + 2 * i))));
    const double angle = 2 * std::numbers::pi * Uniform(Mix64(key + 2 * i + 1));
    values[i] = static_cast<float>(deviation * radius * std::cos(angle));
  }
}

Status WriteRandomModel(const std::string& source, uint64_t seed, const std::string& directory) {
  ASSIGN_OR_RETURN(const HfConfig hf, HfConfig::Open(source));
  const std::string where = source + "/config.json";
  const Result<const Architecture*> found = ArchitectureFromHf(hf.model_type());
  if (!found.ok()) return found.status().WithContext(where);
  const Architecture& architecture = **found;
  ASSIGN_OR_RETURN(const ModelConfig config, architecture.config_from_hf(hf));
  RETURN_IF_ERROR(ValidateConfig(config, where));
  ASSIGN_OR_RETURN(const double range,
                   hf.text().GetDoubleOr("initializer_range", kInitializerRange, 0, 10));
  const std::unique_ptr<CausalLM> text = architecture.make(config);
  const std::vector<ParamSpec> text_specs = text->Params();
  std::unique_ptr<ImageTower> tower;
  std::vector<ParamSpec> tower_specs;
  if (hf.root().Has("vision_config") && architecture.vision != nullptr) {
    ASSIGN_OR_RETURN(const VisionConfig vision,
                     architecture.vision->config_from_hf(hf, source, config));
    RETURN_IF_ERROR(ValidateVisionConfig(vision, where));
    if (vision.any_shape()) {
      return Unsupported(where + ": init: random makes image-text models of Gemma 3 only");
    }
    tower = architecture.vision->make_tower(vision);
    tower_specs = tower->Params();
  }
  if (!OneByOne(text_specs) || !OneByOne(tower_specs)) {
    return Unsupported(where +
                       ": init: random does not know how files of this family are laid out");
  }
  RETURN_IF_ERROR(CheckMemory(text_specs, tower_specs));
  Maker maker(seed, range);
  maker.AddText(text_specs, tower != nullptr);
  if (tower != nullptr) maker.AddTower(tower_specs, tower->config());
  ASSIGN_OR_RETURN(AtomicDirectory out, AtomicDirectory::Create(directory));
  RETURN_IF_ERROR(maker.Write(out.path() + "/model.safetensors"));
  for (const std::string& name : CompanionFiles(source)) {
    RETURN_IF_ERROR(out.CopyFile(source + "/" + name, name));
  }
  return out.Commit();
}

}  // namespace galen

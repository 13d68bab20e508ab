// The model families that galen knows: one row each in registry.inc.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"
#include "formats/gguf.h"
#include "formats/hf_config.h"
#include "models/causal_lm.h"
#include "models/model_config.h"
#include "models/vision/image_processor.h"
#include "models/vision/image_tower.h"

namespace galen {

// What a family knows of images.
struct VisionArchitecture {
  // The fields of the image part; the text part's config is complete. Ranges are checked by
  // ValidateVisionConfig afterwards.
  // directory: where preprocessor_config.json may lie.
  Result<VisionConfig> (*config_from_hf)(const HfConfig& file, const std::string& directory,
                                         const ModelConfig& text);
  // A projector file of llama.cpp (general.architecture "clip"), or the model's own file where it
  // holds both parts. NotFound: it has no image part.
  Result<VisionConfig> (*config_from_gguf)(const GgufFile& file, const ModelConfig& text);
  // Models without weights. The config must be valid.
  std::unique_ptr<ImageTower> (*make_tower)(VisionConfig config);
  std::unique_ptr<ImageProcessor> (*make_processor)(const VisionConfig& config);
};

struct Architecture {
  const char* name;                                  // "gemma3"; ModelConfig::architecture
  std::span<const std::string_view> gguf_names;      // general.architecture
  std::span<const std::string_view> hf_model_types;  // config.json's model_type
  // Read and complete the file's fields; ranges are checked by ValidateConfig afterwards.
  Result<ModelConfig> (*config_from_gguf)(const GgufFile& file);
  Result<ModelConfig> (*config_from_hf)(const HfConfig& file);
  // A model without weights. The config must be valid.
  std::unique_ptr<CausalLM> (*make)(ModelConfig config);
  const VisionArchitecture* vision = nullptr;  // null: no model of this family sees
};

std::span<const Architecture* const> Architectures();

// The row for what a file calls itself; Unsupported names it and lists the known ones.
Result<const Architecture*> ArchitectureFromGguf(std::string_view name);
Result<const Architecture*> ArchitectureFromHf(std::string_view model_type);
// By Architecture::name.
Result<const Architecture*> FindArchitecture(std::string_view name);

#define GALEN_ARCHITECTURE(variable) extern const Architecture variable;
#include "models/registry.inc"
#undef GALEN_ARCHITECTURE

}  // namespace galen

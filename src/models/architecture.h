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

namespace galen {

struct Architecture {
  const char* name;                                  // "gemma3"; ModelConfig::architecture
  std::span<const std::string_view> gguf_names;      // general.architecture
  std::span<const std::string_view> hf_model_types;  // config.json's model_type
  // Read and complete the file's fields; ranges are checked by ValidateConfig afterwards.
  Result<ModelConfig> (*config_from_gguf)(const GgufFile& file);
  Result<ModelConfig> (*config_from_hf)(const HfConfig& file);
  // A model without weights. The config must be valid.
  std::unique_ptr<CausalLM> (*make)(ModelConfig config);
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

#include "models/architecture.h"

#include <algorithm>
#include <array>

namespace galen {
namespace {

constexpr auto kArchitectures = std::to_array<const Architecture*>({
#define GALEN_ARCHITECTURE(variable) &variable,
#include "models/registry.inc"
#undef GALEN_ARCHITECTURE
});

using Names = std::span<const std::string_view>;

Result<const Architecture*> Find(std::string_view kind, std::string_view name,
                                 Names (*names)(const Architecture&)) {
  std::string known;
  for (const Architecture* architecture : kArchitectures) {
    for (const std::string_view candidate : names(*architecture)) {
      if (candidate == name) return architecture;
      known += (known.empty() ? "" : ", ") + std::string(candidate);
    }
  }
  std::string shown(name.substr(0, 64));
  std::replace_if(
      shown.begin(), shown.end(), [](char c) { return c < 32 || c > 126; }, '?');
  return Unsupported(std::string(kind) + " '" + shown + "' is not supported; known: " + known);
}

}  // namespace

std::span<const Architecture* const> Architectures() { return kArchitectures; }

Result<const Architecture*> ArchitectureFromGguf(std::string_view name) {
  return Find("general.architecture", name, [](const Architecture& a) { return a.gguf_names; });
}

Result<const Architecture*> ArchitectureFromHf(std::string_view model_type) {
  return Find("model_type", model_type, [](const Architecture& a) { return a.hf_model_types; });
}

Result<const Architecture*> FindArchitecture(std::string_view name) {
  for (const Architecture* architecture : kArchitectures) {
    if (name == architecture->name) return architecture;
  }
  return Unsupported("architecture '" + std::string(name) + "' is not supported");
}

}  // namespace galen

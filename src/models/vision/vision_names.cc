#include "models/vision/vision_names.h"

#include <array>
#include <utility>

namespace galen {
namespace {

bool Strip(std::string_view* name, std::string_view prefix) {
  if (!name->starts_with(prefix)) return false;
  name->remove_prefix(prefix.size());
  return true;
}

std::string HfName(std::string_view name) {
  Strip(&name, "model.");
  if (Strip(&name, "visual.")) {
    return Strip(&name, "blocks.") ? "vision_tower.encoder.layers." + std::string(name)
                                   : "vision_tower." + std::string(name);
  }
  if (Strip(&name, "vision_tower.")) {
    Strip(&name, "vision_model.");
    return "vision_tower." + std::string(name);
  }
  return name.starts_with("multi_modal_projector.") ? std::string(name) : std::string();
}

// Ollama, convert/convert_gemma3.go, Replacements; llama.cpp, gguf-py/gguf/constants.py.
constexpr auto kOllamaNames = std::to_array<std::pair<std::string_view, std::string_view>>({
    {"v.patch_embedding.", "v.patch_embd."},
    {"v.position_embedding.", "v.position_embd."},
    {"v.post_layernorm.", "v.post_ln."},
    {"mm.mm_", "mm."},
    {"layer_norm1.", "ln1."},
    {"layer_norm2.", "ln2."},
    {"attn_output.", "attn_out."},
    {"mlp.fc1.", "ffn_up."},
    {"mlp.fc2.", "ffn_down."},
});

std::string GgufName(std::string_view name) {
  if (!name.starts_with("v.") && !name.starts_with("mm.")) return "";
  std::string canonical(name);
  // The part behind "v.blk.N." of a layer's tensor.
  size_t at = 0;
  if (name.starts_with("v.blk.")) {
    at = name.find('.', 6);
    if (at == std::string_view::npos) return canonical;
    ++at;
  }
  for (const auto& [from, to] : kOllamaNames) {
    if (name.substr(at).starts_with(from)) return canonical.replace(at, from.size(), to);
  }
  return canonical;
}

}  // namespace

std::string TransformersVisionName(bool visual, std::string_view canonical) {
  std::string_view name = canonical;
  if (visual && Strip(&name, "vision_tower.")) {
    const bool block = Strip(&name, "encoder.layers.");
    return (block ? "model.visual.blocks." : "model.visual.") + std::string(name);
  }
  const bool image =
      name.starts_with("vision_tower.") || name.starts_with("multi_modal_projector.");
  return image ? "model." + std::string(name) : "";
}

std::string CanonicalVisionName(CheckpointKind kind, std::string_view name) {
  return kind == CheckpointKind::kGguf ? GgufName(name) : HfName(name);
}

}  // namespace galen

// Templates for checkpoints that carry none.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace galen {

struct BuiltinTemplate {
  std::string_view name;  // "gemma3", "llama2", "llama3", "zephyr", "chatml", "mistral", "smollm2"
  std::string_view description;  // which checkpoints speak it, and where the form comes from
  std::string_view source;       // Jinja
};

std::span<const BuiltinTemplate> BuiltinTemplates();

// Fails with kNotFound and the list of names.
Result<BuiltinTemplate> FindBuiltinTemplate(std::string_view name);

// What is known about a checkpoint without a template.
struct TemplateHints {
  std::string_view
      architecture;  // GGUF general.architecture or Hugging Face model_type: "gemma3", "llama", ...
  std::vector<std::string_view>
      vocabulary;         // texts of its control tokens: "<start_of_turn>", "<|im_start|>", ...
  std::string_view name;  // general.name or the directory's name; may be empty
};

// Control tokens decide first, then the architecture, then the name. Fails with kNotFound where
// nothing fits, since a wrong template gives plausible nonsense: the message says how to name one.
Result<BuiltinTemplate> BuiltinTemplateFor(const TemplateHints& hints);

}  // namespace galen

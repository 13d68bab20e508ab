// The tokenizer and the chat template that belong to a checkpoint.
#pragma once

#include <memory>
#include <string>

#include "formats/checkpoint.h"
#include "text/tokenizer.h"

namespace galen {

// tokenizer.json of a 262,144-token vocabulary is 33 MB.
inline constexpr size_t kMaxTokenizerBytes = size_t{256} << 20;

// From GGUF metadata, or from tokenizer.json or tokenizer.model in the directory.
Result<std::shared_ptr<const Tokenizer>> ReadTokenizer(
    const std::shared_ptr<const Checkpoint>& checkpoint);

struct TemplateSource {
  std::string source;  // empty: none
  std::string origin;
};

// The checkpoint's own template (the one named "default" where there are several), else a built-in
// one that fits. architecture, name: hints for the latter. tokenizer may be null.
Result<TemplateSource> ReadChatTemplate(const Checkpoint& checkpoint, const Tokenizer* tokenizer,
                                        const std::string& architecture, const std::string& name);

}  // namespace galen

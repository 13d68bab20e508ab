#include "models/chat_input.h"

#include <optional>
#include <string>

namespace galen {
namespace {

std::optional<std::string> Spelling(const Tokenizer& tokenizer, std::optional<TokenId> id) {
  if (!id.has_value()) return std::nullopt;
  return std::string(tokenizer.TokenText(*id));
}

}  // namespace

ChatInput ChatInputFor(const ModelFiles& files) {
  const Tokenizer& tokenizer = *files.tokenizer;
  ChatInput input;
  input.bos_token = Spelling(tokenizer, tokenizer.special().bos);
  input.eos_token = Spelling(tokenizer, tokenizer.special().eos);
  for (TokenId id = 0; id < tokenizer.vocab_size(); ++id) {
    if (tokenizer.IsControl(id)) input.control_tokens.emplace_back(tokenizer.TokenText(id));
  }
  // A message that spells the placeholder is text, whether or not the vocabulary calls it a control
  // token.
  if (files.image_processor != nullptr)
    input.control_tokens.emplace_back(files.image_processor->placeholder());
  return input;
}

}  // namespace galen

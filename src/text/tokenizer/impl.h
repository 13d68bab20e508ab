// The parts of a Tokenizer, as the three readers (GGUF, tokenizer.json, SentencePiece) put them
// together.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/tokenizer.h"
#include "text/tokenizer/added_tokens.h"
#include "text/tokenizer/decoder.h"
#include "text/tokenizer/model.h"
#include "text/tokenizer/normalizer.h"
#include "text/tokenizer/pre_tokenizer.h"
#include "text/tokenizer/vocab.h"

namespace galen {

struct Tokenizer::Impl {
  text::Vocab vocab;  // what the model knows; the texts of added tokens are set as well, but are
                      // not found by it
  text::AddedTokens added;
  text::Normalizer normalizer;
  text::PreTokenizer pre_tokenizer;
  std::unique_ptr<text::Model> model;
  text::Decoder decoder;
  SpecialTokens special;
  std::vector<TokenId> prefix, suffix;
  std::vector<bool> control;  // by id: not made from text without parse_special
  std::vector<bool> hidden;   // by id: left out by skip_special
  std::unordered_map<TokenId, std::string>
      shown;  // spellings for decoding that differ from the vocabulary's

  Impl() = default;
  Impl(const Impl&) = delete;  // the model points to vocab

  std::string_view Text(TokenId id) const {
    if (!shown.empty()) {
      if (const auto it = shown.find(id); it != shown.end()) return it->second;
    }
    return vocab.Text(id);
  }
  bool IsControl(TokenId id) const {
    return id >= 0 && static_cast<size_t>(id) < control.size() && control[id];
  }
  bool IsHidden(TokenId id) const {
    return id >= 0 && static_cast<size_t>(id) < hidden.size() && hidden[id];
  }
};

namespace text {

// Ids above this are taken for damage: the largest published vocabularies have some 260,000 tokens.
inline constexpr int64_t kMaxVocab = 1 << 24;

// The last steps that all readers share: the search for added tokens, special.stop, texts of added
// tokens.
Result<std::shared_ptr<const Tokenizer>> FinishTokenizer(std::unique_ptr<Tokenizer::Impl> impl);

}  // namespace text
}  // namespace galen

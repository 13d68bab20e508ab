// Text to token ids and back, with the ids that Hugging Face's `tokenizers` library gives for the
// same vocabulary. docs/formats/tokenizers.md says which parts of tokenizer.json, GGUF and
// SentencePiece files are understood.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace galen {

using TokenId = int32_t;

// What a GGUF file says about its tokenizer (the keys tokenizer.ggml.*), in plain types. The views
// point into the file's mapping, which the tokenizer keeps alive through `owner`.
struct GgufVocab {
  std::string model;  // "llama" (SentencePiece BPE) or "gpt2" (byte-level BPE)
  std::string pre;    // pre-tokenizer of "gpt2": "smollm", "llama-bpe", "qwen2", ...
  std::vector<std::string_view> tokens;
  std::vector<float> scores;         // "llama" only: one per token
  std::vector<int32_t> token_types;  // 1 normal, 2 unknown, 3 control, 4 user defined, 5 unused, 6
                                     // byte; may be empty
  std::vector<std::string_view> merges;  // "gpt2" only: "left right", best first
  std::optional<TokenId> bos, eos, eot, eom, unk, pad;
  std::optional<bool> add_bos, add_eos, add_space_prefix;  // unset: the default of `model`
  std::shared_ptr<const void>
      owner;  // keeps the bytes behind the views alive; null: they are copied
};

struct EncodeOptions {
  bool add_bos = false;  // put prefix_ids() in front: BOS, if the tokenizer is one that adds it
  bool add_eos = false;  // put suffix_ids() behind: EOS, if the tokenizer is one that adds it
  bool parse_special =
      false;  // text that spells a control token becomes it. Leave false for text of users.
};

// Ids that have a meaning of their own. An id that the file does not name is unset.
struct SpecialTokens {
  std::optional<TokenId> bos, eos, unk, pad;
  std::vector<TokenId> stop;  // ids that end an answer: eos, eot, <end_of_turn>, <|im_end|>,
                              // <|eot_id|>, ...; ascending
};

// Immutable once made; every method may be called from several threads at once.
class Tokenizer {
 public:
  static Result<std::shared_ptr<const Tokenizer>> FromGguf(GgufVocab vocab);
  // tokenizer_config (the text of tokenizer_config.json, may be empty) names BOS, EOS, UNK and PAD.
  static Result<std::shared_ptr<const Tokenizer>> FromJson(std::string_view tokenizer_json,
                                                           std::string_view tokenizer_config = {});
  // The bytes of a SentencePiece model (tokenizer.model, spiece.model): unigram or BPE. The model
  // does not say whether texts get BOS and EOS around them.
  static Result<std::shared_ptr<const Tokenizer>> FromSentencePiece(std::string_view model,
                                                                    bool add_bos = false,
                                                                    bool add_eos = false);
  ~Tokenizer();
  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;

  // Ids of a text. Bytes that are no UTF-8 count as U+FFFD, one per maximal ill-formed part, as
  // Python's bytes.decode(errors="replace") makes of them. Fails only where a regular expression of
  // the file exceeds its limits or a character has no token and the vocabulary no unknown token.
  Result<std::vector<TokenId>> Encode(std::string_view text, EncodeOptions options = {}) const;

  // Text of ids, always valid UTF-8. skip_special leaves out what Hugging Face flags as special.
  // Ids outside the vocabulary are left out.
  std::string Decode(std::span<const TokenId> ids, bool skip_special = true) const;

  // A token as the file spells it: "▁the", "Ġthe", "<0x0A>". Empty for an id outside the
  // vocabulary.
  std::string_view TokenText(TokenId id) const;
  // The bytes that a token stands for inside a text: " the", "\n". They need not be whole
  // characters.
  std::string TokenBytes(TokenId id) const;
  // The id of a token by the spelling of TokenText.
  std::optional<TokenId> FindToken(std::string_view text) const;

  int vocab_size() const;  // largest id + 1
  const SpecialTokens& special() const;
  // True for tokens that text becomes only under parse_special (BOS, turn markers, image
  // placeholders, ...).
  bool IsControl(TokenId id) const;
  // What add_bos and add_eos put around a text. Empty when the tokenizer adds nothing there.
  std::span<const TokenId> prefix_ids() const;
  std::span<const TokenId> suffix_ids() const;
  bool add_bos_token() const { return !prefix_ids().empty(); }

  struct Impl;                                           // text/tokenizer/impl.h
  explicit Tokenizer(std::unique_ptr<const Impl> impl);  // use the From functions

 private:
  friend class StreamingDetokenizer;
  std::unique_ptr<const Impl> impl_;
};

// Decode for ids that arrive one by one. The pieces returned are whole characters, and together,
// Flush included, they equal Decode of all ids. Bytes that may still become part of a character are
// held back. Not thread-safe.
class StreamingDetokenizer {
 public:
  explicit StreamingDetokenizer(std::shared_ptr<const Tokenizer> tokenizer,
                                bool skip_special = true);
  ~StreamingDetokenizer();
  // The text that this id made certain, often empty while a character is incomplete.
  std::string Add(TokenId id);
  // What was held back; an incomplete character becomes U+FFFD. The detokenizer starts anew
  // afterwards.
  std::string Flush();

 private:
  std::shared_ptr<const Tokenizer> tokenizer_;
  bool skip_special_;
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace galen

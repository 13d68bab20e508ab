// What an answer must be: a JSON Schema, a regular expression or a GBNF grammar, compiled for a
// vocabulary. docs/SCHEMA.md says which keywords are enforced; all others are refused by name.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "grammar/automaton.h"
#include "grammar/tool_calls.h"
#include "grammar/vocabulary.h"

namespace galen::grammar {

// Bits by token id.
using TokenMask = std::vector<uint64_t>;

enum class Whitespace : uint8_t {
  kFlexible,  // compact, one space behind "," and ":", or lines with indentation
  kCompact,   // none
};

// Immutable for its users; what it remembers of masks is behind a lock, so that several threads
// may use one. Shared by all sequences that have the same constraint.
class Constraint {
 public:
  enum class Kind : uint8_t { kSchema, kRegex, kGrammar, kToolCalls };

  // Errors name what is wrong and where: InvalidArgument (no schema, a contradiction),
  // Unsupported (a keyword that is not enforced), ResourceExhausted (too large).
  static Result<std::shared_ptr<const Constraint>> FromSchema(
      std::string_view schema, std::shared_ptr<const Vocabulary> vocabulary,
      Whitespace whitespace = Whitespace::kFlexible);
  // The whole answer matches the expression.
  static Result<std::shared_ptr<const Constraint>> FromRegex(
      std::string_view pattern, std::shared_ptr<const Vocabulary> vocabulary);
  static Result<std::shared_ptr<const Constraint>> FromGbnf(
      std::string_view text, std::shared_ptr<const Vocabulary> vocabulary);

  // As CompileToolCalls.
  static Result<std::shared_ptr<const Constraint>> FromToolCalls(
      const ToolCallForm& form, std::span<const ToolSchema> tools, bool text,
      std::shared_ptr<const Vocabulary> vocabulary);

  Kind kind() const { return kind_; }
  const Vocabulary& vocabulary() const { return *vocabulary_; }

  // Positions in a text of the language. kDead: no text goes on like that.
  ConfigId Start() const { return start_; }
  ConfigId Advance(ConfigId config, std::string_view bytes) const;
  bool Complete(ConfigId config) const;   // the text may end here
  bool OpenEnded(ConfigId config) const;  // the text may go on
  // The tokens that may come next. Null where the automaton has become too large.
  std::shared_ptr<const TokenMask> Mask(ConfigId config) const;
  // The bytes that must come next, at most `most`; empty where there is a choice.
  std::string Forced(ConfigId config, size_t most) const;
  bool exhausted() const;

 private:
  Constraint(Kind kind, Grammar grammar, std::shared_ptr<const Vocabulary> vocabulary);
  static Result<std::shared_ptr<const Constraint>> Make(
      Kind kind, Grammar grammar, std::shared_ptr<const Vocabulary> vocabulary);
  std::string MaskKey(ConfigId config) const;
  std::shared_ptr<const TokenMask> ComputeMask(ConfigId config) const;
  int64_t PlainCharacters(const Place& place) const;
  void Walk(const TokenTree& tree, ConfigId from, uint8_t known, TokenMask* mask) const;

  const Kind kind_;
  const std::shared_ptr<const Vocabulary> vocabulary_;
  ConfigId start_ = kDead;
  mutable std::mutex mutex_;
  mutable Automaton automaton_;
  // All masks, and those that were computed by what they depend on; forgotten together.
  mutable std::unordered_map<ConfigId, std::shared_ptr<const TokenMask>> masks_;
  mutable std::unordered_map<std::string, std::shared_ptr<const TokenMask>> masks_by_key_;
  mutable size_t remembered_bytes_ = 0;
};

// A constraint followed through one answer. Where the model may think first, the thought is free
// and the constraint starts behind it.
class GrammarMatcher {
 public:
  struct Thinking {
    TokenId open = -1, close = -1;  // -1: the model does not think
    bool inside = false;            // the prompt has opened a thought
  };
  GrammarMatcher(std::shared_ptr<const Constraint> constraint, Thinking thinking);

  // Sets the logits of tokens that may not come next to -infinity. A stop token may come once the
  // text is complete. False if no token is left or the automaton has become too large; error()
  // says why.
  bool Apply(std::span<float> logits, std::span<const TokenId> stop_tokens);
  // Takes the token that was chosen; false if it may not come next.
  bool Accept(TokenId token);
  // How many of the tokens could be taken in this order.
  size_t CountAcceptable(std::span<const TokenId> tokens) const;
  // The text may end here.
  bool complete() const;
  // The text is complete and nothing can follow.
  bool finished() const;
  // Tokens that will most likely come next since the text that they spell must come, in the
  // tokenizer's own spelling; at most `most`.
  std::vector<TokenId> ForcedTokens(const Tokenizer& tokenizer, size_t most) const;
  const std::string& error() const { return error_; }

 private:
  enum class Phase : uint8_t { kBeforeThought, kThought, kAnswer };
  struct Position {
    Phase phase;
    ConfigId config;
  };
  std::optional<Position> Next(Position position, TokenId token) const;

  std::shared_ptr<const Constraint> constraint_;
  Thinking thinking_;
  Position position_;
  std::string recent_;  // the end of the answer's text
  std::string error_;
};

}  // namespace galen::grammar

// Cuts a normalised text into the pieces that the model encodes one by one: the "pre_tokenizer" of
// tokenizer.json.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/status.h"
#include "text/tokenizer/regex.h"

namespace galen::text {

enum class SplitBehavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };
enum class PrependScheme { kAlways, kFirst, kNever };

struct SplitPattern {  // Split, CharDelimiterSplit
  std::optional<Regex> regex;
  std::string literal;  // when there is no regex
  SplitBehavior behavior;
  bool invert;
};
struct SplitWhitespace {
  bool words;
};  // Whitespace (words, or runs of anything else) or WhitespaceSplit
struct SplitDigits {
  bool individual;
};
struct SplitPunctuation {
  SplitBehavior behavior;
};
struct SplitMetaspace {
  std::string replacement;  // one character
  PrependScheme prepend;
  bool split;
};
// GPT-2's: an optional split by its regular expression, then each byte becomes one printable
// character.
struct SplitByteLevel {
  bool add_prefix_space;
  std::optional<Regex> regex;
};

using PreTokenizerStep = std::variant<SplitPattern, SplitWhitespace, SplitDigits, SplitPunctuation,
                                      SplitMetaspace, SplitByteLevel>;

struct Piece {
  std::string_view text;
  bool at_origin;  // starts where the whole input starts
};

struct Pieces {
  std::vector<Piece> list;
  std::deque<std::string> owned;  // texts that a step changed
  bool raw_bytes =
      false;  // the pieces are bytes that the model has to read through its byte alphabet
};

class PreTokenizer {
 public:
  void Add(PreTokenizerStep step) { steps_.push_back(std::move(step)); }
  // With `raw_bytes`, a ByteLevel step at the very end leaves its mapping to the model, which does
  // it faster.
  void set_allow_raw_bytes(bool allow) { allow_raw_bytes_ = allow; }
  bool empty() const { return steps_.empty(); }

  // `text` is valid UTF-8 and not empty; it must stay in place as long as the pieces.
  Status Split(std::string_view text, bool at_origin, Pieces* out) const;

 private:
  std::vector<PreTokenizerStep> steps_;
  bool allow_raw_bytes_ = false;
};

// The regular expression that ByteLevel splits with when use_regex is set.
extern const char kGpt2Pattern[];

// GPT-2's byte alphabet: the character (below U+0144) that stands for a byte, and back (-1: none).
char32_t ByteToChar(unsigned char byte);
int CharToByte(char32_t c);

}  // namespace galen::text

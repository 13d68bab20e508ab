// Tokens that are found in a text before the model sees it: BOS, turn markers, runs of newlines,
// ...
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "text/tokenizer/normalizer.h"
#include "text/tokenizer/trie.h"

namespace galen::text {

struct AddedToken {
  int32_t id;
  std::string content;
  bool single_word = false, lstrip = false, rstrip = false, normalized = false;
  bool control = false;  // found only when the caller asks for control tokens
};

// A part of a text: an added token (id >= 0) or text in between (id < 0).
struct Segment {
  size_t begin, end;
  int32_t id;
};

class AddedTokens {
 public:
  // The content of a later token with the same text or id replaces that of an earlier one.
  void Add(AddedToken token);
  // Prepares the search; contents of tokens flagged `normalized` are searched in their normalised
  // form.
  Status Finish(const Normalizer& normalizer);

  const std::vector<AddedToken>& tokens() const { return tokens_; }
  // After Finish: the content that is searched and that decoding shows, normalised where the token
  // is flagged so.
  std::string_view Shown(size_t index) const {
    return tokens_[index].normalized ? std::string_view(normalized_contents_[index])
                                     : tokens_[index].content;
  }
  const AddedToken* FindById(int32_t id) const;
  const AddedToken* FindByText(std::string_view text) const;

  // Cuts a text (valid UTF-8) at the tokens that are searched in raw or in normalised text;
  // leftmost, then longest first.
  void Split(std::string_view text, bool in_normalized, bool parse_control,
             std::vector<Segment>* out) const;

 private:
  std::vector<AddedToken> tokens_;
  std::unordered_map<int32_t, size_t> by_id_;
  std::unordered_map<std::string, size_t> by_text_;
  std::vector<std::string> normalized_contents_;
  Trie raw_, normalized_;  // values: indices into tokens_
};

}  // namespace galen::text

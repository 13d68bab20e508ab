// Marks places where a conversation's own text spells a control token, so that they can be told
// from those the template writes. Marks are two private-use characters, which the text itself loses
// first.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "text/template/chat_template.h"

namespace galen::jinja {

class ControlTokenMarker {
 public:
  explicit ControlTokenMarker(const std::vector<std::string>& tokens);

  // The text with a mark before and behind each token in it; longer tokens are found first.
  std::string Mark(std::string_view text) const;

  // Removes the marks from a rendered text. A token between its two marks gives a span. A single
  // mark, left where the template cut a token in two, gives an empty span: the text must not be
  // joined there. Positions in `others` are moved along.
  std::vector<TextSpan> Unmark(std::string* text, std::vector<TextSpan>* others) const;

 private:
  size_t TokenAt(std::string_view text, size_t at) const;  // its length, or 0

  std::unordered_set<std::string> tokens_;
  std::vector<size_t> lengths_[256];  // of the tokens that begin with this byte, longest first
};

}  // namespace galen::jinja

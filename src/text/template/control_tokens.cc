#include "text/template/control_tokens.h"

#include <algorithm>

namespace galen::jinja {
namespace {

// U+F0000 and U+F0001, as transformers uses them.
constexpr std::string_view kBegin = "\xF3\xB0\x80\x80";
constexpr std::string_view kEnd = "\xF3\xB0\x80\x81";

bool At(std::string_view text, size_t at, std::string_view what) {
  return text.substr(at, what.size()) == what;
}
bool MarkAt(std::string_view text, size_t at) { return At(text, at, kBegin) || At(text, at, kEnd); }

}  // namespace

ControlTokenMarker::ControlTokenMarker(const std::vector<std::string>& tokens) {
  for (const std::string& token : tokens) {
    if (token.empty() || !tokens_.insert(token).second) continue;
    auto& lengths = lengths_[static_cast<unsigned char>(token[0])];
    if (std::find(lengths.begin(), lengths.end(), token.size()) == lengths.end())
      lengths.push_back(token.size());
  }
  for (auto& lengths : lengths_) std::sort(lengths.rbegin(), lengths.rend());
}

size_t ControlTokenMarker::TokenAt(std::string_view text, size_t at) const {
  for (const size_t length : lengths_[static_cast<unsigned char>(text[at])]) {
    if (at + length <= text.size() && tokens_.contains(std::string(text.substr(at, length))))
      return length;
  }
  return 0;
}

std::string ControlTokenMarker::Mark(std::string_view text) const {
  std::string plain;
  if (text.find(kBegin.substr(0, 3)) != std::string_view::npos) {
    for (size_t i = 0; i < text.size();) {
      if (MarkAt(text, i)) {
        i += kBegin.size();
      } else {
        plain += text[i++];
      }
    }
    text = plain;
  }
  std::string out;
  for (size_t i = 0; i < text.size();) {
    if (const size_t length = TokenAt(text, i)) {
      out.append(kBegin).append(text.substr(i, length)).append(kEnd);
      i += length;
    } else {
      out += text[i++];
    }
  }
  return out;
}

std::vector<TextSpan> ControlTokenMarker::Unmark(std::string* text,
                                                 std::vector<TextSpan>* others) const {
  std::vector<TextSpan> spans;
  std::vector<size_t> marks;  // positions in the marked text
  const std::string_view s = *text;
  std::string out;
  for (size_t i = 0; i < s.size();) {
    if (!MarkAt(s, i)) {
      out += s[i++];
      continue;
    }
    marks.push_back(i);
    const size_t token = i + kBegin.size();
    size_t length = 0;
    if (At(s, i, kBegin) && token < s.size()) {
      length = TokenAt(s, token);
      if (!At(s, token + length, kEnd)) length = 0;
    }
    spans.push_back({out.size(), out.size() + length});
    out.append(s.substr(token, length));
    i = token + length;
    if (length > 0) {
      marks.push_back(i);
      i += kEnd.size();
    }
  }
  const auto moved = [&](size_t at) {
    const auto before = std::lower_bound(marks.begin(), marks.end(), at) - marks.begin();
    return at - static_cast<size_t>(before) * kBegin.size();
  };
  for (TextSpan& span : *others) span = {moved(span.begin), moved(span.end)};
  *text = std::move(out);
  return spans;
}

}  // namespace galen::jinja

#include "media/document/text_layer.h"

#include <charconv>
#include <cmath>

namespace galen {
namespace {

Status BadOutput(const std::string& what) {
  return DataLoss("the text layer cannot be read: " + what +
                  " in pdftotext's output; galen expects that of poppler 22.12");
}

// The number in ` name="number"` of a tag.
Result<double> Attribute(std::string_view tag, std::string_view name) {
  const std::string key = std::string(" ").append(name).append("=\"");
  const size_t at = tag.find(key);
  if (at == tag.npos) return BadOutput("a word without " + std::string(name));
  const std::string_view rest = tag.substr(at + key.size());
  double value = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
  const bool closed = end != rest.data() + rest.size() && *end == '"';
  if (error != std::errc() || !closed || !std::isfinite(value)) {
    return BadOutput("a word whose " + std::string(name) + " is no number");
  }
  return value;
}

// Length of the valid UTF-8 character at the start of s (Unicode 15, table 3-7); 0: none.
size_t CharacterLength(std::string_view s) {
  const auto byte = [&](size_t i) { return i < s.size() ? static_cast<uint8_t>(s[i]) : 0u; };
  const auto tail = [&](size_t i) { return (byte(i) & 0xC0) == 0x80; };
  const unsigned lead = byte(0), second = byte(1);
  if (lead < 0x80) return s.empty() ? 0 : 1;
  if (lead < 0xC2 || lead > 0xF4 || !tail(1)) return 0;
  if (lead < 0xE0) return 2;
  if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) || !tail(2)) return 0;
  if (lead < 0xF0) return 3;
  if ((lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F) || !tail(3)) return 0;
  return 4;
}

// Undoes the five escapes that poppler writes; control characters go, wrong UTF-8 becomes U+FFFD.
std::string PlainText(std::string_view s) {
  static constexpr std::pair<std::string_view, char> kEscapes[] = {
      {"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}};
  std::string text;
  while (!s.empty()) {
    size_t length = CharacterLength(s);
    char plain = s.front();
    for (const auto& [escape, character] : kEscapes) {
      if (s.substr(0, escape.size()) == escape) {
        length = escape.size();
        plain = character;
      }
    }
    if (length == 0) {
      text += "\uFFFD";
      length = 1;
    } else if (plain == s.front() && length > 1 && plain != '&') {
      text.append(s.substr(0, length));
    } else if (static_cast<uint8_t>(plain) >= 0x20 && plain != 0x7F) {
      text.push_back(plain);
    }
    s.remove_prefix(length);
  }
  return text;
}

}  // namespace

Result<std::vector<PageWord>> ParseTextLayer(std::string_view html, size_t max_words) {
  std::vector<PageWord> words;
  int32_t block = -1, line = -1;
  bool page = false, done = false;
  while (!done) {
    const size_t open = html.find('<');
    const size_t close = html.find('>', open);
    if (open == html.npos || close == html.npos) return BadOutput("no end of the page");
    const std::string_view tag = html.substr(open + 1, close - open - 1);
    html.remove_prefix(close + 1);
    const std::string_view name = tag.substr(0, tag.find(' '));
    if (name == "page") {
      if (page) return BadOutput("a page within a page");
      page = true;
    } else if (name == "/page") {
      done = true;
    } else if (name == "block") {
      ++block;
    } else if (name == "line") {
      ++line;
    } else if (name == "word") {
      const size_t end = html.find("</word>");
      if (!page || block < 0 || line < 0 || end == html.npos)
        return BadOutput("a word out of place");
      PageWord word;
      ASSIGN_OR_RETURN(word.box.x0, Attribute(tag, "xMin"));
      ASSIGN_OR_RETURN(word.box.y0, Attribute(tag, "yMin"));
      ASSIGN_OR_RETURN(word.box.x1, Attribute(tag, "xMax"));
      ASSIGN_OR_RETURN(word.box.y1, Attribute(tag, "yMax"));
      word.text = PlainText(html.substr(0, end));
      word.block = block;
      word.line = line;
      html.remove_prefix(end + 7);
      if (word.text.empty()) continue;
      if (words.size() >= max_words) {
        return ResourceExhausted("a page with more than " + std::to_string(max_words) + " words");
      }
      words.push_back(std::move(word));
    }
  }
  return words;
}

}  // namespace galen

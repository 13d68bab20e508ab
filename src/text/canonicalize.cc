#include "text/canonicalize.h"

#include <unicode/locid.h>
#include <unicode/unistr.h>

#include "text/tokenizer/unicode.h"

namespace galen {
namespace {

bool IsPythonSpace(char32_t c) { return (c >= 0x1C && c <= 0x1F) || text::IsWhitespace(c); }

// string.punctuation is what ASCII calls graphic but no letter or digit.
bool IsAsciiPunctuation(char32_t c) {
  return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
         (c >= '{' && c <= '~');
}

}  // namespace

std::string CanonicalizeText(std::string_view raw, bool lower_case) {
  std::string valid;
  text::AppendLossy(raw, false, &valid);
  if (lower_case) {
    std::string lower;
    // With the rule of the final sigma, as Python's str.lower.
    icu::UnicodeString::fromUTF8(valid).toLower(icu::Locale::getRoot()).toUTF8String(lower);
    valid = std::move(lower);
  }
  std::string out;
  bool space = false;
  for (size_t i = 0; i < valid.size(); i += static_cast<size_t>(text::Utf8Length(valid[i]))) {
    const char32_t c = text::CharAt(valid, i);
    if (IsAsciiPunctuation(c)) continue;
    if (IsPythonSpace(c)) {
      space = true;
      continue;
    }
    if (space && !out.empty()) out += ' ';
    space = false;
    text::AppendUtf8(c, &out);
  }
  return out;
}

}  // namespace galen

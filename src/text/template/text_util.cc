#include "text/template/text_util.h"

#include <string.h>  // memmem
#include <unicode/locid.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <functional>

namespace galen::jinja {
namespace {

// Applies `change` to the valid stretches of s; invalid bytes stay.
template <typename Change>
std::string MapText(std::string_view s, Change change) {
  std::string out;
  out.reserve(s.size());
  size_t begin = 0, pos = 0;
  const auto flush = [&](size_t end) {
    if (end == begin) return;
    icu::UnicodeString text = icu::UnicodeString::fromUTF8(
        icu::StringPiece(s.data() + begin, static_cast<int32_t>(end - begin)));
    change(text);
    text.toUTF8String(out);
  };
  while (pos < s.size()) {
    const size_t at = pos;
    if (NextChar(s, &pos) >= kInvalidByte) {
      flush(at);
      out += s[at];
      begin = pos;
    }
  }
  flush(s.size());
  return out;
}

std::string MapAscii(std::string_view s, char first, char last, int delta) {
  std::string out(s);
  for (char& c : out) {
    if (c >= first && c <= last) c = static_cast<char>(c + delta);
  }
  return out;
}

UChar32 Icu(char32_t c) { return static_cast<UChar32>(c); }
bool Cased(char32_t c) { return c < kInvalidByte && u_hasBinaryProperty(Icu(c), UCHAR_CASED); }
bool Upper(char32_t c) { return c < kInvalidByte && u_hasBinaryProperty(Icu(c), UCHAR_UPPERCASE); }
bool Lower(char32_t c) { return c < kInvalidByte && u_hasBinaryProperty(Icu(c), UCHAR_LOWERCASE); }
bool TitleCased(char32_t c) { return c < kInvalidByte && u_charType(Icu(c)) == U_TITLECASE_LETTER; }
bool Alpha(char32_t c) {
  if (c < 0x80) return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  if (c >= kInvalidByte) return false;
  return (U_GET_GC_MASK(Icu(c)) & U_GC_L_MASK) != 0;
}
int NumericType(char32_t c) {
  return c >= kInvalidByte ? 0 : u_getIntPropertyValue(Icu(c), UCHAR_NUMERIC_TYPE);
}
bool Decimal(char32_t c) { return NumericType(c) == U_NT_DECIMAL; }
bool DecimalOrDigit(char32_t c) {
  return NumericType(c) == U_NT_DECIMAL || NumericType(c) == U_NT_DIGIT;
}
bool Numeric(char32_t c) { return NumericType(c) != U_NT_NONE; }

// Case mapping of one character, which may give several. ICU's string functions are used for their
// full mappings.
void AppendTitle(char32_t c, std::string* out) {
  if (c >= kInvalidByte) return AppendChar(c, out);
  icu::UnicodeString text(Icu(c));
  // A single letter: its title form does not depend on word boundaries.
  const UChar32 title = u_totitle(Icu(c));
  if (title != Icu(c)) {
    text = icu::UnicodeString(title);
  } else if (u_hasBinaryProperty(Icu(c), UCHAR_CHANGES_WHEN_TITLECASED)) {
    text.toTitle(nullptr, icu::Locale::getRoot(), U_TITLECASE_NO_BREAK_ADJUSTMENT);
  }
  text.toUTF8String(*out);
}

bool AllChars(std::string_view s, bool (*test)(char32_t)) {
  if (s.empty()) return false;
  for (size_t pos = 0; pos < s.size();) {
    if (!test(NextChar(s, &pos))) return false;
  }
  return true;
}

bool IsTitleText(std::string_view s) {
  bool any = false, previous_cased = false;
  for (size_t pos = 0; pos < s.size();) {
    const char32_t c = NextChar(s, &pos);
    if (Upper(c) || TitleCased(c)) {
      if (previous_cased) return false;
      previous_cased = any = true;
    } else if (Lower(c)) {
      if (!previous_cased) return false;
      previous_cased = any = true;
    } else {
      previous_cased = false;
    }
  }
  return any;
}

// islower and isupper: some cased character, and none of the other cases.
bool OneCase(std::string_view s, bool lower) {
  bool any = false;
  for (size_t pos = 0; pos < s.size();) {
    const char32_t c = NextChar(s, &pos);
    if (TitleCased(c) || (lower ? Upper(c) : Lower(c))) return false;
    any = any || (lower ? Lower(c) : Upper(c));
  }
  return any;
}

}  // namespace

char32_t NextChar(std::string_view s, size_t* pos) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(s[i]); };
  const size_t i = (*pos)++;
  const unsigned char b = byte(i);
  if (b < 0x80) return b;
  const int more = b >= 0xF0 && b <= 0xF4  ? 3
                   : b >= 0xE0 && b < 0xF0 ? 2
                   : b >= 0xC2 && b < 0xE0 ? 1
                                           : 0;
  if (more == 0 || i + static_cast<size_t>(more) >= s.size()) return kInvalidByte + b;
  char32_t c = b & (0x3F >> more);
  for (int k = 1; k <= more; ++k) {
    const unsigned char next = byte(i + static_cast<size_t>(k));
    if ((next & 0xC0) != 0x80) return kInvalidByte + b;
    c = (c << 6) | (next & 0x3F);
  }
  constexpr char32_t kSmallest[] = {0, 0x80, 0x800, 0x10000};
  if (c < kSmallest[more] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) return kInvalidByte + b;
  *pos = i + static_cast<size_t>(more) + 1;
  return c;
}

void AppendChar(char32_t c, std::string* out) {
  if (c < 0x80) {
    *out += static_cast<char>(c);
  } else if (c < 0x800) {
    *out += {static_cast<char>(0xC0 | (c >> 6)), static_cast<char>(0x80 | (c & 0x3F))};
  } else if (c < 0x10000) {
    *out += {static_cast<char>(0xE0 | (c >> 12)), static_cast<char>(0x80 | ((c >> 6) & 0x3F)),
             static_cast<char>(0x80 | (c & 0x3F))};
  } else if (c < kInvalidByte) {
    *out += {static_cast<char>(0xF0 | (c >> 18)), static_cast<char>(0x80 | ((c >> 12) & 0x3F)),
             static_cast<char>(0x80 | ((c >> 6) & 0x3F)), static_cast<char>(0x80 | (c & 0x3F))};
  } else {
    *out += static_cast<char>(c - kInvalidByte);
  }
}

bool IsAscii(std::string_view s) {
  return std::none_of(s.begin(), s.end(),
                      [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
}

bool IsValidUtf8(std::string_view s) {
  for (size_t pos = 0; pos < s.size();) {
    if (NextChar(s, &pos) >= kInvalidByte) return false;
  }
  return true;
}

int64_t CountChars(std::string_view s) {
  if (IsAscii(s)) return static_cast<int64_t>(s.size());
  int64_t count = 0;
  for (size_t pos = 0; pos < s.size(); ++count) NextChar(s, &pos);
  return count;
}

size_t ByteOffset(std::string_view s, int64_t index) {
  size_t pos = 0;
  for (; index > 0 && pos < s.size(); --index) NextChar(s, &pos);
  return pos;
}

std::vector<std::string_view> SplitChars(std::string_view s) {
  std::vector<std::string_view> chars;
  for (size_t pos = 0; pos < s.size();) {
    const size_t begin = pos;
    NextChar(s, &pos);
    chars.push_back(s.substr(begin, pos - begin));
  }
  return chars;
}

bool IsSpace(char32_t c) {
  return (c >= 9 && c <= 13) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

std::string_view StripLeft(std::string_view s) {
  for (size_t pos = 0; pos < s.size();) {
    const size_t begin = pos;
    if (!IsSpace(NextChar(s, &pos))) return s.substr(begin);
  }
  return {};
}

namespace {

// Start of the last character of s, which is not empty.
size_t LastCharStart(std::string_view s) {
  for (size_t back = 1; back <= 4 && back <= s.size(); ++back) {
    size_t pos = s.size() - back;
    if (NextChar(s, &pos) < kInvalidByte && pos == s.size()) return s.size() - back;
  }
  return s.size() - 1;
}

}  // namespace

std::string_view StripRight(std::string_view s) {
  while (!s.empty()) {
    const size_t start = LastCharStart(s);
    size_t pos = start;
    if (!IsSpace(NextChar(s, &pos))) break;
    s = s.substr(0, start);
  }
  return s;
}

std::string_view Strip(std::string_view s) { return StripRight(StripLeft(s)); }

std::string_view StripChars(std::string_view s, std::string_view chars, bool left, bool right) {
  std::vector<std::string_view> set = SplitChars(chars);
  std::sort(set.begin(), set.end());
  const auto listed = [&](std::string_view c) {
    return std::binary_search(set.begin(), set.end(), c);
  };
  while (left && !s.empty()) {
    size_t pos = 0;
    NextChar(s, &pos);
    if (!listed(s.substr(0, pos))) break;
    s = s.substr(pos);
  }
  while (right && !s.empty()) {
    const size_t start = LastCharStart(s);
    if (!listed(s.substr(start))) break;
    s = s.substr(0, start);
  }
  return s;
}

std::string ToUpper(std::string_view s) {
  if (IsAscii(s)) return MapAscii(s, 'a', 'z', 'A' - 'a');
  return MapText(s, [](icu::UnicodeString& t) { t.toUpper(icu::Locale::getRoot()); });
}

std::string ToLower(std::string_view s) {
  if (IsAscii(s)) return MapAscii(s, 'A', 'Z', 'a' - 'A');
  return MapText(s, [](icu::UnicodeString& t) { t.toLower(icu::Locale::getRoot()); });
}

std::string CaseFold(std::string_view s) {
  if (IsAscii(s)) return MapAscii(s, 'A', 'Z', 'a' - 'A');
  return MapText(s, [](icu::UnicodeString& t) { t.foldCase(U_FOLD_CASE_DEFAULT); });
}

namespace {

// The lower form of what follows the first `skip` bytes (one character), seen in its context: a
// final sigma has its own form.
std::string LowerAfter(std::string_view s, size_t skip) {
  const std::string first = ToLower(s.substr(0, skip));
  const std::string whole = ToLower(s);
  return whole.starts_with(first) ? whole.substr(first.size()) : ToLower(s.substr(skip));
}

}  // namespace

std::string ToTitle(std::string_view s) {
  std::string out;
  size_t pos = 0;
  while (pos < s.size()) {
    const size_t begin = pos;
    const char32_t c = NextChar(s, &pos);
    if (!Cased(c)) {
      out += s.substr(begin, pos - begin);
      continue;
    }
    AppendTitle(c, &out);
    const size_t rest = pos;
    while (pos < s.size()) {
      size_t next = pos;
      if (!Cased(NextChar(s, &next))) break;
      pos = next;
    }
    out += LowerAfter(s.substr(begin, pos - begin), rest - begin);
  }
  return out;
}

std::string Capitalize(std::string_view s) {
  if (s.empty()) return {};
  std::string out;
  size_t pos = 0;
  AppendTitle(NextChar(s, &pos), &out);
  return out + LowerAfter(s, pos);
}

std::string SwapCase(std::string_view s) {
  std::string out;
  for (size_t pos = 0; pos < s.size();) {
    const size_t begin = pos;
    const char32_t c = NextChar(s, &pos);
    const std::string_view one = s.substr(begin, pos - begin);
    out += Upper(c) ? ToLower(one) : Lower(c) ? ToUpper(one) : std::string(one);
  }
  return out;
}

bool IsAlnum(char32_t c) { return Alpha(c) || Decimal(c) || DecimalOrDigit(c) || Numeric(c); }

bool IsPrintable(char32_t c) {
  if (c < 0x7F) return c >= 0x20;
  if (c >= kInvalidByte) return false;
  constexpr uint32_t kHidden = U_GC_C_MASK | U_GC_ZL_MASK | U_GC_ZP_MASK | U_GC_ZS_MASK;
  return (U_GET_GC_MASK(Icu(c)) & kHidden) == 0;
}

bool IsIdentifierStart(char32_t c) {
  return c == '_' || Alpha(c) ||
         (c >= 0x80 && c < kInvalidByte && u_hasBinaryProperty(Icu(c), UCHAR_XID_START));
}
bool IsIdentifierPart(char32_t c) {
  return IsIdentifierStart(c) || (c >= '0' && c <= '9') ||
         (c >= 0x80 && c < kInvalidByte && u_hasBinaryProperty(Icu(c), UCHAR_XID_CONTINUE));
}

bool TextPredicate(std::string_view name, std::string_view s) {
  if (name == "isalnum") return AllChars(s, IsAlnum);
  if (name == "isalpha") return AllChars(s, Alpha);
  if (name == "isascii") return IsAscii(s);
  if (name == "isdecimal") return AllChars(s, Decimal);
  if (name == "isdigit") return AllChars(s, DecimalOrDigit);
  if (name == "isnumeric") return AllChars(s, Numeric);
  if (name == "isprintable") return s.empty() || AllChars(s, IsPrintable);
  if (name == "isspace") return AllChars(s, IsSpace);
  if (name == "istitle") return IsTitleText(s);
  if (name == "islower") return OneCase(s, true);
  if (name == "isupper") return OneCase(s, false);
  size_t pos = 0;  // isidentifier
  return !s.empty() && IsIdentifierStart(NextChar(s, &pos)) &&
         (pos == s.size() || AllChars(s.substr(pos), IsIdentifierPart));
}

std::vector<std::string_view> SplitLines(std::string_view s, bool keep_ends) {
  std::vector<std::string_view> lines;
  size_t begin = 0;
  for (size_t pos = 0; pos < s.size();) {
    const size_t at = pos;
    const char32_t c = NextChar(s, &pos);
    const bool ends =
        (c >= 10 && c <= 13) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 || c == 0x2029;
    if (!ends) continue;
    if (c == '\r' && pos < s.size() && s[pos] == '\n') ++pos;
    lines.push_back(s.substr(begin, (keep_ends ? pos : at) - begin));
    begin = pos;
  }
  if (begin < s.size()) lines.push_back(s.substr(begin));
  return lines;
}

size_t FindText(std::string_view s, std::string_view needle, size_t from) {
  if (from > s.size()) return std::string_view::npos;
  if (needle.empty()) return from;
  // Also for the sanitizers, whose memmem looks at the whole rest of the text each time.
  if (needle.size() == 1) return s.find(needle[0], from);
  // glibc's memmem is linear (two-way); string_view::find is quadratic at worst, which a template
  // could exploit.
  const void* hit = memmem(s.data() + from, s.size() - from, needle.data(), needle.size());
  return hit == nullptr ? std::string_view::npos
                        : static_cast<size_t>(static_cast<const char*>(hit) - s.data());
}

size_t RFindText(std::string_view s, std::string_view needle) {
  if (needle.size() > s.size()) return std::string_view::npos;
  if (needle.empty()) return s.size();
  if (needle.size() == 1) return s.rfind(needle[0]);
  const std::string reversed(s.rbegin(), s.rend());
  const std::string reversed_needle(needle.rbegin(), needle.rend());
  const size_t at = FindText(reversed, reversed_needle);
  return at == std::string_view::npos ? at : s.size() - at - needle.size();
}

int64_t CountText(std::string_view s, std::string_view needle) {
  if (needle.empty()) return CountChars(s) + 1;
  int64_t count = 0;
  for (size_t at = FindText(s, needle); at != std::string_view::npos;
       at = FindText(s, needle, at + needle.size())) {
    ++count;
  }
  return count;
}

std::string ReprText(std::string_view s) {
  const bool single =
      s.find('\'') != std::string_view::npos && s.find('"') == std::string_view::npos;
  const char quote = single ? '"' : '\'';
  std::string out(1, quote);
  char buffer[16];
  for (size_t pos = 0; pos < s.size();) {
    const size_t begin = pos;
    const char32_t c = NextChar(s, &pos);
    if (c == static_cast<unsigned char>(quote) || c == '\\') {
      out += {'\\', static_cast<char>(c)};
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c >= kInvalidByte || IsPrintable(c)) {
      out += s.substr(begin, pos - begin);
    } else {
      const char* form = c < 0x100 ? "\\x%02x" : c < 0x10000 ? "\\u%04x" : "\\U%08x";
      std::snprintf(buffer, sizeof(buffer), form, static_cast<unsigned>(c));
      out += buffer;
    }
  }
  return out + quote;
}

std::string ReprDouble(double d) {
  if (std::isnan(d)) return "nan";
  if (std::isinf(d)) return d < 0 ? "-inf" : "inf";
  char buffer[64];
  const auto scientific =
      std::to_chars(buffer, buffer + sizeof(buffer), d, std::chars_format::scientific);
  const std::string text(buffer, scientific.ptr);
  const size_t e = text.find('e');
  const int exponent = std::atoi(text.c_str() + e + 1);
  if (exponent < -4 || exponent >= 16) return text;  // Python writes the same form: 1e+16, 1.5e-07
  const auto fixed = std::to_chars(buffer, buffer + sizeof(buffer), d, std::chars_format::fixed);
  std::string out(buffer, fixed.ptr);
  if (out.find('.') == std::string::npos) out += ".0";
  return out;
}

}  // namespace galen::jinja

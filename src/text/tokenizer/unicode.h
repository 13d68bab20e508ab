// UTF-8 and the character classes of Hugging Face's `tokenizers`, which differ from ICU's (another
// Unicode version, another definition): the tables come from that library itself, see
// unicode_tables.inc.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace galen::text {

struct CodeRange {
  uint32_t first, last;
};

// U+2581, by which SentencePiece spells a space.
inline constexpr std::string_view kMetaSpace = "\xE2\x96\x81";
inline constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// The length that a lead byte announces in well-formed UTF-8.
inline int Utf8Length(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

// The character at s[i]; s is well-formed UTF-8, i < s.size() at a boundary.
char32_t CharAt(std::string_view s, size_t i);
// The character that ends at s[end - 1], end > 0; *start becomes its first byte.
char32_t CharBefore(std::string_view s, size_t end, size_t* start);
void AppendUtf8(char32_t c, std::string* out);
size_t CountChars(std::string_view s);

// The number of bytes at the front of s that are whole, well-formed characters.
size_t ValidUtf8Prefix(std::string_view s);
// Appends s with one U+FFFD for each maximal ill-formed part (Unicode 3.9, as Python's
// errors="replace" and Rust's from_utf8_lossy). When `hold_tail`, an incomplete character at the
// very end is not replaced: its length is returned.
size_t AppendLossy(std::string_view s, bool hold_tail, std::string* out);

bool IsWhitespace(char32_t c);    // White_Space
bool IsWord(char32_t c);          // \w of the Whitespace pre-tokenizer and of single_word
bool IsNumeric(char32_t c);       // Digits
bool IsPunctuation(char32_t c);   // Punctuation
bool IsStrippedMark(char32_t c);  // what StripAccents removes
bool JoinsCluster(char32_t c);    // goes on the grapheme cluster in front of it
void AppendLower(char32_t c, std::string* out);

// Code points of an Oniguruma general category ("Lu", ...) that PCRE2's tables of Unicode 14 lack.
std::span<const CodeRange> NewInCategory(std::string_view category);
// Oniguruma's \w beyond the categories L, M, Nd, Nl and Pc.
std::span<const CodeRange> WordExtra();

}  // namespace galen::text

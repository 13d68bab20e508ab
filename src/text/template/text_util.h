// Text as Python's str sees it, held as UTF-8. Bytes that are not valid UTF-8 pass through
// unchanged, each as one character.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace galen::jinja {

// Decodes the character at s[*pos] and moves *pos behind it; requires *pos < s.size(). An invalid
// byte b is returned as kInvalidByte + b, which is no code point.
constexpr char32_t kInvalidByte = 0x110000;
char32_t NextChar(std::string_view s, size_t* pos);
void AppendChar(char32_t c, std::string* out);

int64_t CountChars(std::string_view s);
// Byte position of the character with this index; s.size() where there are fewer. O(s.size()).
size_t ByteOffset(std::string_view s, int64_t index);
// The characters of s as separate strings.
std::vector<std::string_view> SplitChars(std::string_view s);
bool IsAscii(std::string_view s);
bool IsValidUtf8(std::string_view s);

// str.isspace for one character, and what strip() removes.
bool IsSpace(char32_t c);
std::string_view StripLeft(std::string_view s);
std::string_view StripRight(std::string_view s);
std::string_view Strip(std::string_view s);
// Removes leading or trailing characters that occur in `chars`.
std::string_view StripChars(std::string_view s, std::string_view chars, bool left, bool right);

std::string ToUpper(std::string_view s);
std::string ToLower(std::string_view s);
std::string ToTitle(std::string_view s);     // str.title
std::string Capitalize(std::string_view s);  // str.capitalize
std::string SwapCase(std::string_view s);
std::string CaseFold(std::string_view s);

// "isalnum", "isalpha", "isascii", "isdecimal", "isdigit", "isidentifier", "islower", "isnumeric",
// "isprintable", "isspace", "istitle", "isupper". `name` must be one of them.
bool TextPredicate(std::string_view name, std::string_view s);
bool IsPrintable(char32_t c);
bool IsAlnum(char32_t c);
bool IsIdentifierStart(char32_t c);
bool IsIdentifierPart(char32_t c);

// str.splitlines.
std::vector<std::string_view> SplitLines(std::string_view s, bool keep_ends);

// First or last occurrence at or after `from`, in linear time; npos where there is none.
size_t FindText(std::string_view s, std::string_view needle, size_t from = 0);
size_t RFindText(std::string_view s, std::string_view needle);
// Count of non-overlapping occurrences; an empty needle occurs between all characters.
int64_t CountText(std::string_view s, std::string_view needle);

// str.__repr__: quotes and escapes.
std::string ReprText(std::string_view s);
// float.__repr__: the shortest text that gives the same double.
std::string ReprDouble(double d);

}  // namespace galen::jinja

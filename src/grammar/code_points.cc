#include "grammar/code_points.h"

#include <unicode/uset.h>

#include <algorithm>
#include <string>

namespace galen::grammar {

void CodePointSet::Add(const CodePointSet& other) {
  ranges_.insert(ranges_.end(), other.ranges_.begin(), other.ranges_.end());
}

std::vector<std::pair<uint32_t, uint32_t>> CodePointSet::Ranges() const {
  auto sorted = ranges_;
  std::sort(sorted.begin(), sorted.end());
  std::vector<std::pair<uint32_t, uint32_t>> joined;
  for (const auto& [low, high] : sorted) {
    if (!joined.empty() && low <= joined.back().second + 1)
      joined.back().second = std::max(joined.back().second, high);
    else
      joined.emplace_back(low, high);
  }
  return joined;
}

CodePointSet CodePointSet::Complement() const {
  CodePointSet out;
  uint32_t next = 0;
  for (const auto& [low, high] : Ranges()) {
    if (low > next) out.Add(next, low - 1);
    next = high + 1;
  }
  if (next <= kLastCodePoint) out.Add(next, kLastCodePoint);
  return out;
}

CodePointSet Digits() { return {{'0', '9'}}; }
CodePointSet WordCharacters() { return {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}; }
CodePointSet NotLineEnds() {
  return CodePointSet{{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}}.Complement();
}

// ECMA-262, WhiteSpace and LineTerminator.
CodePointSet WhitespaceCharacters() {
  return {{'\t', '\r'},     {' ', ' '},       {0xa0, 0xa0},     {0x1680, 0x1680}, {0x2000, 0x200a},
          {0x2028, 0x2029}, {0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000}, {0xfeff, 0xfeff}};
}

Result<CodePointSet> UnicodeProperty(std::string_view name) {
  const bool plain = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '=';
  });
  const std::string pattern = "[\\p{" + std::string(name) + "}]";
  const std::u16string wide(pattern.begin(), pattern.end());
  UErrorCode error = U_ZERO_ERROR;
  USet* set =
      plain ? uset_openPattern(wide.data(), static_cast<int32_t>(wide.size()), &error) : nullptr;
  if (set == nullptr || U_FAILURE(error)) {
    return InvalidArgument("no Unicode property has the name \\p{" + std::string(name) + "}");
  }
  CodePointSet out;
  for (int32_t i = 0; i < uset_getItemCount(set); ++i) {
    UChar32 low = 0, high = 0;
    if (uset_getItem(set, i, &low, &high, nullptr, 0, &error) == 0)
      out.Add(static_cast<uint32_t>(low), static_cast<uint32_t>(high));
  }
  uset_close(set);
  return out;
}

}  // namespace galen::grammar

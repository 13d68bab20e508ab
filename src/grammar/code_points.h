// Sets of Unicode code points as sorted ranges.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"

namespace galen::grammar {

inline constexpr uint32_t kLastCodePoint = 0x10ffff;

class CodePointSet {
 public:
  CodePointSet() = default;
  CodePointSet(std::initializer_list<std::pair<uint32_t, uint32_t>> ranges) {
    for (const auto& [low, high] : ranges) Add(low, high);
  }
  void Add(uint32_t low, uint32_t high) { ranges_.emplace_back(low, high); }
  void Add(const CodePointSet& other);
  CodePointSet Complement() const;
  // Sorted, without overlap.
  std::vector<std::pair<uint32_t, uint32_t>> Ranges() const;

 private:
  std::vector<std::pair<uint32_t, uint32_t>> ranges_;
};

// \d \w \s of ECMA-262, and what `.` matches.
CodePointSet Digits();
CodePointSet WordCharacters();
CodePointSet WhitespaceCharacters();
CodePointSet NotLineEnds();
// \p{name}: a Unicode property as ICU knows it ("L", "Letter", "Script=Greek", ...).
Result<CodePointSet> UnicodeProperty(std::string_view name);

}  // namespace galen::grammar

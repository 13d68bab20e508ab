// The regular expressions of tokenizer.json. They are written for Oniguruma (Ruby syntax, its own
// Unicode tables); here they are translated to PCRE2, with every class spelled out so that it holds
// the same characters. What cannot be translated faithfully is refused by name.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace galen::text {

struct Span {
  size_t begin, end;  // bytes
};

// Oniguruma pattern -> PCRE2 pattern (for PCRE2_UTF). Exposed for the tests.
Result<std::string> TranslatePattern(std::string_view pattern);

// Thread-safe once made.
class Regex {
 public:
  static Result<Regex> Compile(std::string_view oniguruma_pattern);

  // All matches from left to right, as Oniguruma's find_iter: an empty match right behind another
  // match does not count. `text` must be valid UTF-8. Fails when the pattern backtracks beyond the
  // limits.
  Status FindAll(std::string_view text, std::vector<Span>* matches) const;

 private:
  struct Code;
  std::shared_ptr<const Code> code_;
  std::string pattern_;
};

}  // namespace galen::text

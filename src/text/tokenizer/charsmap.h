// The "precompiled charsmap" of SentencePiece: a table of strings and what they are normalised to.
// A blob of uint32 trie_bytes, a darts-clone double array of uint32, then the replacements, each
// ended by NUL.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"

namespace galen::text {

class Charsmap {
 public:
  static Result<Charsmap> Parse(std::string_view blob);

  struct Match {
    size_t length = 0;  // bytes of the text; 0: no entry is a prefix of it
    std::string_view replacement;
  };
  Match Shortest(std::string_view text) const { return Find(text, true); }
  Match Longest(std::string_view text) const { return Find(text, false); }

  // As Hugging Face reads it ("Precompiled"): a grapheme cluster below 6 bytes is looked up whole,
  // and replaced whole even when only its first character has an entry; otherwise each character is
  // looked up. Appends to out.
  void NormalizeClusters(std::string_view text, std::string* out) const;

 private:
  Match Find(std::string_view text, bool shortest) const;
  std::vector<uint32_t> units_;
  std::string replacements_;  // ends with NUL
};

// Bytes of the extended grapheme cluster at the front of text (valid UTF-8, not empty).
size_t GraphemeLength(std::string_view text);

}  // namespace galen::text

// What happens to a text before it is cut into pieces: the "normalizer" of tokenizer.json, and
// SentencePiece's own.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/status.h"
#include "text/tokenizer/charsmap.h"
#include "text/tokenizer/regex.h"
#include "text/tokenizer/trie.h"

namespace galen::text {

enum class UnicodeForm { kNfc, kNfd, kNfkc, kNfkd };

struct NormalizeUnicode {
  UnicodeForm form;
};
struct NormalizeLowercase {};
struct NormalizeStrip {
  bool left, right;
};
struct NormalizeStripAccents {};
struct NormalizePrepend {
  std::string text;
};
struct NormalizeReplace {
  std::string literal, content;
};
struct NormalizeReplaceRegex {
  Regex regex;
  std::string content;
};
struct NormalizeCharsmap {
  Charsmap map;
};
// The whole normalisation of a SentencePiece model, in one step as that library does it.
struct NormalizeSentencePiece {
  std::shared_ptr<const Charsmap> map;  // null: none
  Trie user_defined;                    // left as they are
  bool dummy_prefix = true, remove_extra_spaces = true, escape_spaces = true,
       space_as_suffix = false;
};

using NormalizerStep =
    std::variant<NormalizeUnicode, NormalizeLowercase, NormalizeStrip, NormalizeStripAccents,
                 NormalizePrepend, NormalizeReplace, NormalizeReplaceRegex, NormalizeCharsmap,
                 NormalizeSentencePiece>;

class Normalizer {
 public:
  void Add(NormalizerStep step) { steps_.push_back(std::move(step)); }
  bool empty() const { return steps_.empty(); }

  // Normalises valid UTF-8. The result is `in` itself or a view of *storage. *starts_at_origin
  // turns false when characters at the front were dropped (Metaspace's prepend_scheme "first" asks
  // for that).
  Result<std::string_view> Normalize(std::string_view in, std::string* storage,
                                     bool* starts_at_origin) const;

 private:
  std::vector<NormalizerStep> steps_;
};

}  // namespace galen::text

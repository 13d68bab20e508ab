// SigLIP's clean-up of texts before tokenisation.
#pragma once

#include <string>
#include <string_view>

namespace galen {

// SiglipTokenizer.canonicalize_text of transformers 5.23: lower case (if asked for), Python's 32
// string.punctuation characters deleted, runs of whitespace one space, none at the ends. Whitespace
// is Python's: U+001C..U+001F and U+0085 count. Bytes that are no UTF-8 become U+FFFD.
std::string CanonicalizeText(std::string_view text, bool lower_case);

}  // namespace galen

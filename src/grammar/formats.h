// The formats of JSON Schema that are enforced, as automata. docs/SCHEMA.md says where a format is
// a subset of its RFC (nothing outside the RFC is ever generated).
#pragma once

#include <string_view>
#include <vector>

#include "grammar/dfa.h"

namespace galen::grammar {

struct FormatLanguage {
  Dfa dfa;
  int64_t max_length = -1;  // characters of a text, beside the Dfa
};
// Unsupported for formats that are not enforced; names those that are. Each is compiled once, when
// it is first asked for, and stays.
Result<const FormatLanguage*> LanguageOfFormat(std::string_view name);
std::vector<std::string_view> EnforcedFormats();

}  // namespace galen::grammar

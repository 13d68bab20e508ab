// The tables of configs/clinical and configs/synth that the program carries.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/template/chat_template.h"

namespace galen {

struct SynthTables {
  OrderedJson analytes, drugs, diagnoses;  // configs/clinical
  OrderedJson names, labels, letters;      // configs/synth
};
// Parsed once, at the first call; any thread may read.
const SynthTables& BuiltinSynthTables();

// (file's name without .json, text), from the build.
const std::vector<std::pair<std::string_view, std::string_view>>& BuiltinSynthTexts();

}  // namespace galen

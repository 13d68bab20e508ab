// GBNF, llama.cpp's form of grammars: rules `name ::= ...` of literals, character classes, groups,
// alternatives and repetitions; `root` is the answer.
#pragma once

#include <string_view>

#include "base/status.h"
#include "grammar/grammar.h"

namespace galen::grammar {

// InvalidArgument with the line for syntax errors, rules that are missing, repeated or without an
// end; Unsupported for left recursion.
Result<Grammar> CompileGbnf(std::string_view text);

}  // namespace galen::grammar

// Regular expressions of ECMA-262 (with the `u` flag) as automata. What no automaton can do is
// refused by name: back references, look-around, word boundaries, named groups' references.
#pragma once

#include <string_view>

#include "base/status.h"
#include "grammar/dfa.h"

namespace galen::grammar {

enum class RegexMatch : uint8_t {
  kWhole,   // the text is matched from its beginning to its end
  kSearch,  // some part of the text is matched, as "pattern" of JSON Schema means
};

// InvalidArgument for a syntax error, Unsupported for a construct that is not done (both with the
// offset), ResourceExhausted beyond kMaxDfaStates.
Result<Dfa> CompileRegex(std::string_view pattern, RegexMatch match);

}  // namespace galen::grammar

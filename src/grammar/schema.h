// JSON Schema 2020-12 as a Grammar over the texts of its documents. docs/SCHEMA.md says which
// keywords are enforced, and which of the texts of a document are generated.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "grammar/grammar.h"

namespace galen::grammar {

enum class KeywordUse : uint8_t {
  kEnforced,
  kAnnotation,  // says nothing about which documents are valid
  kRefused,     // a request with it is refused by name
};
struct Keyword {
  std::string_view name;
  KeywordUse use;
};
// All keywords of 2020-12; others are refused, too.
std::span<const Keyword> Keywords();

// flexible: whitespace as docs/SCHEMA.md says; otherwise none. Errors name keyword and path.
Result<Grammar> CompileSchema(std::string_view schema, bool flexible);

}  // namespace galen::grammar

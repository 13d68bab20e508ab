// What a reader of single lines may answer, derived from the schema of the whole document.
#pragma once

#include <string>

#include "base/json.h"
#include "base/status.h"

namespace galen::extract {

// The schema of the part of a document that one line prints: every property of an object may be
// absent, a list has one entry at least; an entry of a list has all of its properties, null where
// other lines print them. schema: type, properties, required, items, enum, $ref into its own $defs
// and keywords of single values, as configs/schemas has them. Unsupported names anything else that
// holds schemas.
Result<std::string> LineSchema(const std::string& schema);

// The document that says nothing: each property null, [] or an object of such.
Result<std::string> EmptyDocument(const std::string& schema);

// Whether a line's answer has a null where the whole document's schema wants a value: the line
// printed an entry in part, or was read in part.
Result<bool> LacksValues(const std::string& schema, const Json& part);

}  // namespace galen::extract

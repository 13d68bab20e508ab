// What exports pass on of an answer: values that no check refuted, in the words of the page.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "extract/extraction.h"
#include "extract/units/analyte.h"

namespace galen::extract {

// Without control characters and without spaces at the ends. Empty: nothing is left.
std::string Clean(std::string_view text);

// The value if it may be passed on: there, and not refuted by the pages.
bool Usable(const Value* value);
std::string TextOf(const Value* value);                 // "" where not usable or no text
std::optional<std::string> DateOf(const Value* value);  // a possible date: "2026-01-31"

const Value* ValueAt(const Extraction& extraction, std::string_view path);
const Value* FieldOf(const Record& record, std::string_view name);
// The day that the document is about, else its own date; "" where neither is known.
std::string EffectiveDate(const Extraction& extraction);

// The UCUM code of a number that has `unit` beside it (null: it has none); "" where it is not
// known, and where the unit stands nowhere on the pages.
std::string UnitCodeOf(const Value& number, const Value* unit);
// LOINC has a code for each property: mass concentration, substance concentration.
std::string LoincOf(const Analyte& analyte, const std::string& ucum);

// 32 hexadecimal digits of a UUID made of the sources' digests and `name` (RFC 9562, version 8):
// the same case gives the same ones.
std::string CaseUuid(const Extraction& extraction, std::string_view name);
std::string UuidOf(std::string_view seed);

// The last component of a path.
std::string FileName(std::string_view path);

}  // namespace galen::extract

// Parts that the resources of FHIR R4 are made of. https://hl7.org/fhir/R4/
#pragma once

#include <string>
#include <string_view>

#include "extract/output/passed_on.h"

namespace galen::extract::fhir {

// A number with the digits of the page: JSON numbers of the library lose the zeros of "5.40".
Json Decimal(const std::string& text);
// Writes `json`; objects made by Decimal become bare numbers.
std::string Write(const Json& json);

// Text for the inside of XHTML.
std::string EscapeXhtml(std::string_view text);

// {"coding": [{...}], "text": ...}; empty codes and texts are left out; null: nothing is left.
Json Concept(std::string_view system, std::string_view code, std::string_view display,
             std::string_view text);
// A quantity of a number; unit as printed, code of UCUM where known.
Json Quantity(const Value& number, std::string_view printed_unit, std::string_view ucum);

// "urn:uuid:..." made of the sources' digests and `name`: the same case gives the same names.
std::string Urn(const Extraction& extraction, std::string_view name);
Json Reference(const std::string& urn);

}  // namespace galen::extract::fhir

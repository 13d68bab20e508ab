// Resources of FHIR R4 for the records of an answer.
#pragma once

#include <string>
#include <vector>

#include "extract/extraction.h"

namespace galen::extract::fhir {

struct Context {
  const Extraction* extraction;
  std::string patient;    // urn
  std::string document;   // urn of the first file's DocumentReference
  std::string effective;  // date of what is observed; empty: not known
};

// Null where the record's name stands nowhere on the pages, or nothing else is left of it.
Json LaboratoryObservation(const Context& context, const Record& record);
Json MedicationRequest(const Context& context, const Record& record);
Json MedicationStatement(const Context& context, const Record& record);
Json Condition(const Context& context, const Record& record);
Json Procedure(const Context& context, const Record& record);
// Of a field that is a measurement by itself; `time` "HH:MM" or empty.
Json VitalObservation(const Context& context, const Value& value, const std::string& time);
Json Allergy(const Context& context, const Value& value);

}  // namespace galen::extract::fhir

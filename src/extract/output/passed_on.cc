#include "extract/output/passed_on.h"

#include <algorithm>

#include "base/sha256.h"

namespace galen::extract {

std::string Clean(std::string_view text) {
  std::string clean;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte >= 0x20 && byte != 0x7F) || c == '\n' || c == '\t') clean += c;
  }
  const size_t begin = clean.find_first_not_of(" \t\n");
  if (begin == clean.npos) return "";
  return clean.substr(begin, clean.find_last_not_of(" \t\n") - begin + 1);
}

bool Usable(const Value* value) {
  return value != nullptr && !value->leaf.value.is_null() &&
         value->Find("source.not_found") == nullptr && value->Find("date.impossible") == nullptr;
}

std::string TextOf(const Value* value) {
  if (!Usable(value)) return "";
  const Json& json = value->leaf.value;
  if (json.is_string()) return Clean(json.get<std::string>());
  return json.is_number() ? (value->leaf.raw.empty() ? json.dump() : value->leaf.raw) : "";
}

std::optional<std::string> DateOf(const Value* value) {
  const std::string text = TextOf(value);
  CalendarDate date;
  if (!ReadIsoDate(text, &date) || !IsPossible(date) || date.month == 0 || date.day == 0) {
    return std::nullopt;
  }
  return text;
}

const Value* ValueAt(const Extraction& extraction, std::string_view path) {
  const auto& values = extraction.answer.values;
  const auto at = std::find_if(values.begin(), values.end(),
                               [&](const Value& value) { return value.leaf.path == path; });
  return at == values.end() ? nullptr : &*at;
}

const Value* FieldOf(const Record& record, std::string_view name) {
  for (const auto& [field, value] : record.fields) {
    if (field == name) return value;
  }
  return nullptr;
}

std::string EffectiveDate(const Extraction& extraction) {
  for (const char* path : {"/collection_date", "/exam_date", "/document_date"}) {
    if (const auto date = DateOf(ValueAt(extraction, path))) return *date;
  }
  return "";
}

std::string UnitCodeOf(const Value& number, const Value* unit) {
  const bool stated = unit != nullptr && !unit->leaf.value.is_null();
  return stated && !Usable(unit) ? "" : number.unit_code;
}

std::string LoincOf(const Analyte& analyte, const std::string& ucum) {
  const Result<Unit> unit = ParseUnit(ucum);
  if (unit.ok() && unit->exponent(kMass) != 0 && !analyte.loinc_mass.empty()) {
    return analyte.loinc_mass;
  }
  const bool amount =
      unit.ok() && (unit->exponent(kAmount) != 0 || unit->exponent(kEquivalents) != 0);
  if (amount && !analyte.loinc_moles.empty()) return analyte.loinc_moles;
  return analyte.loinc;
}

std::string CaseUuid(const Extraction& extraction, std::string_view name) {
  std::string seed = "galen ";
  for (const Case::File& file : extraction.source->files()) seed += file.sha256 + " ";
  seed += name;
  return UuidOf(seed);
}

std::string UuidOf(std::string_view seed) {
  std::string hex =
      Sha256Hex({reinterpret_cast<const uint8_t*>(seed.data()), seed.size()}).substr(0, 32);
  hex[12] = '8';
  hex[16] = 'a';
  return hex;
}

std::string FileName(std::string_view path) {
  return std::string(path.substr(path.find_last_of('/') + 1));
}

}  // namespace galen::extract

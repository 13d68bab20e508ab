#include "extract/output/fhir_resources.h"

#include "extract/output/fhir_values.h"
#include "extract/units/analyte.h"

namespace galen::extract::fhir {
namespace {

constexpr const char* kLoincSystem = "http://loinc.org";
constexpr const char* kCategory = "http://terminology.hl7.org/CodeSystem/observation-category";
constexpr const char* kInterpretation =
    "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation";
constexpr const char* kConditionClinical =
    "http://terminology.hl7.org/CodeSystem/condition-clinical";
constexpr const char* kConditionVerification =
    "http://terminology.hl7.org/CodeSystem/condition-ver-status";
constexpr const char* kAllergyClinical =
    "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical";
constexpr const char* kAllergyVerification =
    "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification";

Json Base(const Context& context, const char* type, const char* subject = "subject") {
  Json json = {{"resourceType", type}};
  json[subject] = Reference(context.patient);
  return json;
}

void AddNote(const Value& value, Json* json) {
  std::string text;
  for (const Verdict& verdict : value.verdicts) {
    if (verdict.level == Level::kOk) continue;
    text += (text.empty() ? "" : "; ") + verdict.id + ": " + verdict.message;
  }
  if (!text.empty()) (*json)["note"] = Json::array({{{"text", Clean(text)}}});
}

Json Dosage(const Record& record) {
  Json dosage;
  std::string text;
  const Value *dose = record.Use("dose"), *unit = record.Use("dose_unit");
  const Value *route = record.Use("route"), *frequency = record.Use("frequency");
  for (const Value* part : {dose, unit, route, frequency}) {
    const std::string words = TextOf(part);
    if (!words.empty()) text += (text.empty() ? "" : " ") + words;
  }
  const Value* needed = record.Use("as_needed");
  const bool as_needed =
      Usable(needed) && needed->leaf.value.is_boolean() && needed->leaf.value.get<bool>();
  if (as_needed) text += text.empty() ? "as needed" : " as needed";
  if (text.empty()) return dosage;
  dosage["text"] = text;
  if (as_needed) dosage["asNeededBoolean"] = true;
  if (const std::string words = TextOf(route); !words.empty()) {
    dosage["route"] = {{"text", words}};
  }
  if (const std::string times = TextOf(frequency); !times.empty()) {
    dosage["timing"] = {{"code", {{"text", times}}}};
  }
  if (Usable(dose) && dose->leaf.value.is_number()) {
    dosage["doseAndRate"] =
        Json::array({{{"doseQuantity", Quantity(*dose, TextOf(unit), UnitCodeOf(*dose, unit))}}});
  }
  return dosage;
}

}  // namespace

Json LaboratoryObservation(const Context& context, const Record& record) {
  const std::string name = TextOf(record.Use("name"));
  const Value *value = record.Use("value"), *unit = record.Use("unit");
  if (name.empty() || !Usable(value)) return nullptr;
  Json json = Base(context, "Observation");
  json["status"] = "preliminary";
  json["category"] = Json::array({Concept(kCategory, "laboratory", "", "")});
  const Analyte* analyte = value->analyte.empty() ? nullptr : AnalyteById(value->analyte);
  const std::string ucum = UnitCodeOf(*value, unit);
  json["code"] = Concept(kLoincSystem, analyte != nullptr ? LoincOf(*analyte, ucum) : "", "", name);
  if (!context.effective.empty()) json["effectiveDateTime"] = context.effective;
  if (value->leaf.value.is_number()) {
    json["valueQuantity"] = Quantity(*value, TextOf(unit), ucum);
  } else {
    const std::string text = TextOf(value);
    if (text.empty()) return nullptr;
    json["valueString"] = text;
  }
  const Value* flag = record.Use("flag");
  if (Usable(flag) && flag->leaf.value.is_string() && !flag->Has(Level::kFlag)) {
    const std::string code = flag->leaf.value.get<std::string>();
    if (code == "N" || code == "L" || code == "H" || code == "LL" || code == "HH" || code == "A") {
      json["interpretation"] = Json::array({Concept(kInterpretation, code, "", "")});
    }
  }
  Json range;
  for (const char* end : {"low", "high"}) {
    const Value* border = record.Use(end);
    if (Usable(border) && border->leaf.value.is_number()) {
      range[end] = Quantity(*border, TextOf(unit), ucum);
    }
  }
  if (!range.is_null()) json["referenceRange"] = Json::array({range});
  json["derivedFrom"] = Json::array({Reference(context.document)});
  AddNote(*value, &json);
  return json;
}

Json VitalObservation(const Context& context, const Value& value, const std::string& time) {
  const Analyte* analyte = AnalyteById(value.analyte);
  if (analyte == nullptr || !Usable(&value) || !value.leaf.value.is_number()) return nullptr;
  Json json = Base(context, "Observation");
  json["status"] = "preliminary";
  const bool vital =
      value.leaf.path.starts_with("/readings/") || value.leaf.path.starts_with("/examination/");
  json["category"] = Json::array({Concept(kCategory, vital ? "vital-signs" : "exam", "", "")});
  json["code"] = Concept(kLoincSystem, analyte->loinc, "", analyte->display);
  // FHIR wants a zone with a time of day; the page states none, so the time goes into a note.
  if (!context.effective.empty()) json["effectiveDateTime"] = context.effective;
  json["valueQuantity"] =
      Quantity(value, value.unit_code == "1" ? "" : value.unit_code, value.unit_code);
  json["derivedFrom"] = Json::array({Reference(context.document)});
  AddNote(value, &json);
  if (!time.empty()) {
    if (!json.contains("note")) json["note"] = Json::array();
    json["note"].push_back({{"text", "time on the page: " + Clean(time)}});
  }
  return json;
}

Json MedicationRequest(const Context& context, const Record& record) {
  const std::string name = TextOf(record.Use("name"));
  if (name.empty()) return nullptr;
  Json json = Base(context, "MedicationRequest");
  json["status"] = "draft";
  json["intent"] = "order";
  json["medicationCodeableConcept"] = {{"text", name}};
  if (const Json dosage = Dosage(record); !dosage.is_null()) {
    json["dosageInstruction"] = Json::array({dosage});
  }
  Json dispense;
  const Value *quantity = FieldOf(record, "quantity"), *refills = FieldOf(record, "refills");
  const auto whole = [](const Value* v, int64_t least) {
    return Usable(v) && v->leaf.value.is_number_integer() &&
           v->leaf.value.get<int64_t>() >= least && v->leaf.value.get<int64_t>() < int64_t{1} << 31;
  };
  if (whole(quantity, 1)) dispense["quantity"] = Quantity(*quantity, "", "");
  if (whole(refills, 0)) dispense["numberOfRepeatsAllowed"] = refills->leaf.value;
  if (!dispense.is_null()) json["dispenseRequest"] = dispense;
  const Value* dose = record.Use("dose");
  if (dose != nullptr) AddNote(*dose, &json);
  return json;
}

Json MedicationStatement(const Context& context, const Record& record) {
  const std::string name = TextOf(record.Use("name"));
  if (name.empty()) return nullptr;
  Json json = Base(context, "MedicationStatement");
  const Value* action = record.Use("action");
  const std::string what =
      Usable(action) && action->leaf.value.is_string() ? action->leaf.value.get<std::string>() : "";
  json["status"] = what == "stop"                      ? "stopped"
                   : what == "hold"                    ? "on-hold"
                   : what.empty() && action != nullptr ? "unknown"
                                                       : "active";
  json["medicationCodeableConcept"] = {{"text", name}};
  if (!context.effective.empty()) json["dateAsserted"] = context.effective;
  if (const Json dosage = Dosage(record); !dosage.is_null()) json["dosage"] = Json::array({dosage});
  if (const std::string reason = TextOf(FieldOf(record, "indication")); !reason.empty()) {
    json["reasonCode"] = Json::array({{{"text", reason}}});
  }
  json["derivedFrom"] = Json::array({Reference(context.document)});
  const Value* dose = record.Use("dose");
  if (dose != nullptr) AddNote(*dose, &json);
  return json;
}

Json Condition(const Context& context, const Record& record) {
  const std::string name = TextOf(record.Use("name"));
  if (name.empty()) return nullptr;
  Json json = Base(context, "Condition");
  const std::string state = TextOf(FieldOf(record, "status"));
  json["clinicalStatus"] =
      Concept(kConditionClinical, state == "resolved" ? "resolved" : "active", "", "");
  json["verificationStatus"] = Concept(kConditionVerification, "unconfirmed", "", "");
  std::string code = TextOf(record.Use("code"));
  if (code.find_first_of(" \t\n") != code.npos) code.clear();
  json["code"] = Concept("http://hl7.org/fhir/sid/icd-10", code, "", name);
  if (const auto date = DateOf(FieldOf(record, "onset_date"))) json["onsetDateTime"] = *date;
  if (!context.effective.empty()) json["recordedDate"] = context.effective;
  json["evidence"] = Json::array({{{"detail", Json::array({Reference(context.document)})}}});
  return json;
}

Json Procedure(const Context& context, const Record& record) {
  const std::string name = TextOf(record.Use("name"));
  if (name.empty()) return nullptr;
  Json json = Base(context, "Procedure");
  json["status"] = "unknown";
  json["code"] = {{"text", name}};
  if (const auto date = DateOf(FieldOf(record, "date"))) json["performedDateTime"] = *date;
  return json;
}

Json Allergy(const Context& context, const Value& value) {
  const std::string text = TextOf(&value);
  if (text.empty()) return nullptr;
  Json json = Base(context, "AllergyIntolerance", "patient");
  json["clinicalStatus"] = Concept(kAllergyClinical, "active", "", "");
  json["verificationStatus"] = Concept(kAllergyVerification, "unconfirmed", "", "");
  json["code"] = {{"text", text}};
  return json;
}

}  // namespace galen::extract::fhir

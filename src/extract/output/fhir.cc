// The bundle: patient, document, resources of the records, a composition of the texts, provenance.
#include <algorithm>

#include "extract/output/fhir_resources.h"
#include "extract/output/fhir_values.h"
#include "extract/output/output.h"

namespace galen::extract {
namespace {

using fhir::Concept;
using fhir::Context;
using fhir::Reference;

constexpr const char* kLoinc = "http://loinc.org";

class BundleWriter {
 public:
  BundleWriter(const Extraction& extraction, const OutputOptions& options)
      : e_(extraction), options_(options) {}

  std::string Write() {
    context_.extraction = &e_;
    context_.patient = Urn("patient");
    context_.document = Urn("file 0");
    context_.effective = EffectiveDate(e_);
    AddPatient();
    AddDocuments();
    AddRecords();
    AddMeasures();
    AddAllergies();
    AddReport();
    AddComposition();
    AddDevices();
    AddProvenance();
    AddOutcome();
    return fhir::Write({{"resourceType", "Bundle"},
                        {"type", "collection"},
                        {"timestamp", options_.written},
                        {"entry", entries_}});
  }

 private:
  std::string Urn(const std::string& name) const { return fhir::Urn(e_, name); }

  const Value* At(const std::string& path) const { return ValueAt(e_, path); }

  std::string Add(const std::string& name, Json resource, bool made = true) {
    const std::string urn = Urn(name);
    if (made) targets_.push_back(Reference(urn));
    entries_.push_back({{"fullUrl", urn}, {"resource", std::move(resource)}});
    return urn;
  }

  void AddPatient() {
    Json patient = {{"resourceType", "Patient"}};
    if (const std::string name = TextOf(At("/patient/name")); !name.empty()) {
      patient["name"] = Json::array({{{"text", name}}});
    }
    if (const auto birth = DateOf(At("/patient/date_of_birth"))) patient["birthDate"] = *birth;
    const std::string sex = TextOf(At("/patient/sex"));
    if (sex == "female" || sex == "male" || sex == "other") patient["gender"] = sex;
    if (const std::string id = TextOf(At("/patient/patient_id")); !id.empty()) {
      patient["identifier"] = Json::array({{{"value", id}}});
    }
    Add("patient", patient);
  }

  void AddDocuments() {
    const auto& files = e_.source->files();
    for (size_t i = 0; i < files.size(); ++i) {
      Json attachment = {{"size", std::min<int64_t>(files[i].bytes, (int64_t{1} << 31) - 1)}};
      if (files[i].type == "pdf") attachment["contentType"] = "application/pdf";
      const std::string title = Clean(FileName(files[i].path));
      if (!title.empty()) attachment["title"] = title;
      Json document = {
          {"resourceType", "DocumentReference"},
          {"status", "current"},
          {"docStatus", "preliminary"},
          {"subject", Reference(context_.patient)},
          {"masterIdentifier",
           {{"system", "urn:ietf:rfc:3986"}, {"value", "urn:hash::sha256:" + files[i].sha256}}},
          {"content", Json::array({{{"attachment", attachment}}})}};
      if (!e_.kind->loinc.empty()) {
        document["type"] = Concept(kLoinc, e_.kind->loinc, "", e_.kind->title);
      }
      documents_.push_back(Reference(Add("file " + std::to_string(i), document, false)));
    }
  }

  void AddRecords() {
    for (const Record& record : e_.answer.records) {
      Json resource;
      const std::string& role = record.spec->role;
      if (role == "measurement") {
        resource = fhir::LaboratoryObservation(context_, record);
      } else if (role == "medication") {
        resource = e_.kind->id == "prescription" ? fhir::MedicationRequest(context_, record)
                                                 : fhir::MedicationStatement(context_, record);
      } else if (role == "condition") {
        resource = fhir::Condition(context_, record);
      } else if (role == "procedure") {
        resource = fhir::Procedure(context_, record);
      }
      if (resource.is_null()) continue;
      const std::string urn = Add(record.spec->at + "/" + std::to_string(record.number), resource);
      if (role == "measurement") results_.push_back(Reference(urn));
    }
  }

  void AddMeasures() {
    for (const Value& value : e_.answer.values) {
      if (value.field == nullptr || value.field->measure.empty()) continue;
      std::string time;
      for (const Record& record : e_.answer.records) {
        const bool ours = std::any_of(record.fields.begin(), record.fields.end(),
                                      [&](const auto& field) { return field.second == &value; });
        if (ours) time = TextOf(record.Use("name"));
      }
      const Json resource = fhir::VitalObservation(context_, value, time);
      if (!resource.is_null()) results_.push_back(Reference(Add(value.leaf.path, resource)));
    }
  }

  void AddAllergies() {
    for (const Value& value : e_.answer.values) {
      if (value.field == nullptr || value.field->use != "allergy") continue;
      const Json resource = fhir::Allergy(context_, value);
      if (!resource.is_null()) Add(value.leaf.path, resource);
    }
  }

  void AddReport() {
    if (e_.kind->id != "lab_report" && e_.kind->id != "radiology_report") return;
    Json report = {
        {"resourceType", "DiagnosticReport"},
        {"status", "preliminary"},
        {"subject", Reference(context_.patient)},
        {"category", Json::array({Concept("http://terminology.hl7.org/CodeSystem/v2-0074",
                                          e_.kind->id == "lab_report" ? "LAB" : "RAD", "", "")})},
        {"code", Concept(kLoinc, e_.kind->loinc, "", e_.kind->title)}};
    if (!context_.effective.empty()) report["effectiveDateTime"] = context_.effective;
    if (!results_.empty()) report["result"] = results_;
    std::string conclusion;
    for (size_t i = 0;; ++i) {
      const Value* value = At("/impression/" + std::to_string(i));
      if (value == nullptr) break;
      const std::string text = TextOf(value);
      if (!text.empty()) conclusion += (conclusion.empty() ? "" : "\n") + text;
    }
    if (!conclusion.empty()) report["conclusion"] = conclusion;
    Add("report", report);
  }

  // Texts of the answer that no other resource holds.
  void AddComposition() {
    Json sections = Json::array();
    for (const Value& value : e_.answer.values) {
      const std::string& path = value.leaf.path;
      const bool recorded = std::any_of(
          e_.kind->records.begin(), e_.kind->records.end(), [&](const RecordSpec& spec) {
            return spec.role != "event" && path.starts_with(spec.at + "/");
          });
      const bool measured = value.field != nullptr && !value.field->measure.empty();
      const bool allergy = value.field != nullptr && value.field->use == "allergy";
      if (recorded || measured || allergy || path.starts_with("/patient/")) continue;
      const std::string text = TextOf(&value);
      if (text.empty()) continue;
      sections.push_back({{"title", Clean(path)},
                          {"text",
                           {{"status", "generated"},
                            {"div", "<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>" +
                                        fhir::EscapeXhtml(text) + "</p></div>"}}}});
    }
    if (sections.empty()) return;
    Add("composition",
        {{"resourceType", "Composition"},
         {"status", "preliminary"},
         {"type",
          Concept(kLoinc, e_.kind->loinc.empty() ? "34133-9" : e_.kind->loinc, "", e_.kind->title)},
         {"subject", Reference(context_.patient)},
         {"date", options_.written},
         {"author", Json::array({Reference(Urn("galen"))})},
         {"title", Clean(e_.kind->title)},
         {"section", sections}});
  }

  void AddDevices() {
    Add("galen",
        {{"resourceType", "Device"},
         {"deviceName", Json::array({{{"name", "galen"}, {"type", "model-name"}}})},
         {"version", Json::array({{{"value", options_.version}}})}},
        false);
    for (size_t i = 0; i < e_.readers.size(); ++i) {
      const ReaderIdentity& reader = e_.readers[i];
      const std::string name = Clean(reader.model);
      Json device = {
          {"resourceType", "Device"},
          {"deviceName",
           Json::array({{{"name", name.empty() ? "model" : name}, {"type", "model-name"}}})},
          {"type", {{"text", "language model"}}}};
      Json identifiers = Json::array();
      if (!reader.digest.empty()) {
        identifiers.push_back({{"type", {{"text", "model digest"}}}, {"value", reader.digest}});
      }
      for (const std::string& adapter : reader.adapters) {
        identifiers.push_back({{"type", {{"text", "adapter digest"}}}, {"value", Clean(adapter)}});
      }
      if (!identifiers.empty()) device["identifier"] = identifiers;
      models_.push_back(Add("model " + std::to_string(i), device, false));
    }
  }

  void AddProvenance() {
    const char* kParticipant = "http://terminology.hl7.org/CodeSystem/provenance-participant-type";
    Json agents = Json::array(
        {{{"type", Concept(kParticipant, "assembler", "", "")}, {"who", Reference(Urn("galen"))}}});
    for (const std::string& model : models_) {
      agents.push_back(
          {{"type", Concept(kParticipant, "author", "", "")}, {"who", Reference(model)}});
    }
    Json sources = Json::array();
    for (const Json& document : documents_) {
      sources.push_back({{"role", "source"}, {"what", document}});
    }
    Add("provenance",
        {{"resourceType", "Provenance"},
         {"target", targets_},
         {"recorded", options_.written},
         {"activity",
          {{"text", "read by a model under the schema of " + e_.kind->id +
                        " and checked by rules; no practitioner has confirmed it"}}},
         {"agent", agents},
         {"entity", sources}},
        false);
  }

  // What, where, and what to do, for who reads the outcome without the program beside it.
  std::string Diagnostics(const Verdict& verdict, const Value* value) const {
    if (value == nullptr) {
      std::string files;
      for (const Case::File& file : e_.source->files())
        files += (files.empty() ? "" : ", ") + Clean(FileName(file.path));
      return Clean(verdict.id + " of the whole case (" + files + "): " + verdict.message +
                   ". Look at the pages before the bundle is used.");
    }
    std::string what = value->leaf.value.is_string() ? value->leaf.value.get<std::string>()
                       : value->leaf.raw.empty()     ? value->leaf.value.dump()
                                                     : value->leaf.raw;
    std::string text = "The value at " + value->leaf.path;
    if (!value->leaf.value.is_null()) text += ", '" + what + "',";
    text += " was flagged by " + verdict.id + ": " + verdict.message + ". ";
    if (value->evidence && value->evidence->span.page < e_.source->pages().size()) {
      const SourcePage& page = e_.source->pages()[value->evidence->span.page];
      text += "Compare it with " + FileName(page.file) + ", page " + std::to_string(page.number);
      if (!value->evidence->words.empty())
        text += ", which has '" + value->evidence->words + "' there";
    } else {
      text += "It has no place on the pages: look for it there";
    }
    return Clean(text + "; correct or confirm it before it is used." +
                 (Usable(value) ? "" : " The bundle leaves it out."));
  }

  void AddOutcome() {
    Json issues = Json::array();
    const auto add = [&](const Verdict& verdict, const Value* value) {
      if (verdict.level != Level::kFlag) return;
      Json issue = {{"severity", "warning"},
                    {"code", verdict.id == "source.not_found" ? "not-found" : "business-rule"},
                    {"details", {{"text", verdict.id + ": " + Clean(verdict.message)}}}};
      issue["diagnostics"] = Diagnostics(verdict, value);
      issues.push_back(issue);
    };
    for (const Verdict& verdict : e_.verdicts) add(verdict, nullptr);
    for (const Value& value : e_.answer.values) {
      for (const Verdict& verdict : value.verdicts) add(verdict, &value);
    }
    if (issues.empty()) {
      issues.push_back({{"severity", "information"},
                        {"code", "informational"},
                        {"details", {{"text", "no check has flagged a value"}}}});
    }
    Add("outcome", {{"resourceType", "OperationOutcome"}, {"issue", issues}}, false);
  }

  const Extraction& e_;
  const OutputOptions& options_;
  Context context_;
  Json entries_ = Json::array(), targets_ = Json::array(), documents_ = Json::array(),
       results_ = Json::array();
  std::vector<std::string> models_;
};

}  // namespace

std::string ToFhir(const Extraction& extraction, const OutputOptions& options) {
  return BundleWriter(extraction, options).Write();
}

}  // namespace galen::extract

// The report: observer context, measurements (TID 1501, TID 300), the other values as qualitative
// evaluations, checks, sources.
#include <algorithm>
#include <cstdio>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "extract/output/output.h"
#include "extract/output/passed_on.h"
#include "extract/output/sr_tree.h"

namespace galen::extract {
namespace {

using sr::Code;
using sr::Link;

Code Dcm(const char* value, const char* meaning) { return {value, "DCM", meaning}; }
Code Snomed(const char* value, const char* meaning) { return {value, "SCT", meaning}; }
Code Own(std::string value, std::string meaning) {
  return {std::move(value), sr::kOwnScheme, std::move(meaning)};
}

std::string Shortened(std::string_view seed) { return "h." + UuidOf(seed).substr(0, 14); }

// Paths of fields that DICOM has a concept for (CID 7000 and neighbours); the others are galen's.
Code FieldCode(const std::string& path) {
  static const std::pair<std::string_view, Code> kKnown[] = {
      {"findings", Dcm("121071", "Finding")},
      {"impression", Dcm("121073", "Impression")},
      {"recommendations", Dcm("121075", "Recommendation")},
      {"history", Dcm("121060", "History")},
      {"indication", Dcm("121109", "Indications for Procedure")},
      {"comment", Dcm("121106", "Comment")}};
  std::string name, last;
  bool plain = true;
  for (size_t at = 1; at < path.size();) {
    const size_t end = std::min(path.find('/', at), path.size());
    const std::string part = path.substr(at, end - at);
    at = end + 1;
    if (part.find_first_not_of("0123456789") == part.npos) continue;
    name += (name.empty() ? "" : ".") + part;
    last = part;
  }
  for (const char c : name) {
    plain = plain && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '_' || c == '.');
  }
  for (const auto& [field, code] : kKnown) {
    if (name == field) return code;
  }
  for (char& c : last) c = c == '_' ? ' ' : c;
  if (sr::ShortText(last).empty()) last = "value";
  return Own(plain && !name.empty() && name.size() <= 64 ? name : Shortened(name), last);
}

Code RoleCode(const std::string& role) {
  if (role == "medication") return Own("medication", "Medication");
  if (role == "condition") return Own("condition", "Condition");
  if (role == "procedure") return Own("procedure", "Procedure");
  return Own("event", "Event");
}

Code ProcedureOf(const std::string& kind) {
  if (kind == "lab_report") return Snomed("15220000", "Laboratory test");
  if (kind == "radiology_report") return Snomed("363679005", "Imaging procedure");
  return Snomed("71388002", "Procedure");
}

class SrWriter {
 public:
  SrWriter(const Extraction& extraction, const OutputOptions& options)
      : e_(extraction),
        options_(options),
        tree_(extraction.kind->loinc.empty()
                  ? Code{"34133-9", "LN", "Summary of episode note"}
                  : Code{extraction.kind->loinc, "LN", extraction.kind->title}),
        effective_(EffectiveDate(extraction)) {}

  std::string Write() {
    tree_.CodeItem(Link::kModifiedBy, Dcm("121058", "Procedure reported"),
                   ProcedureOf(e_.kind->id));
    AddObservers();
    AddMeasurements();
    tree_.Container(Link::kContains, {"C0034375", "UMLS", "Qualitative Evaluations"}, nullptr,
                    [&] { AddEvaluations(); });
    return tree_.Write(HeaderOf());
  }

 private:
  std::string Uid(const std::string& name) const {
    return sr::UidOfUuid(CaseUuid(e_, "sr " + name));
  }

  sr::Header HeaderOf() const {
    sr::Header h;
    h.patient_name = TextOf(ValueAt(e_, "/patient/name"));
    h.patient_id = TextOf(ValueAt(e_, "/patient/patient_id"));
    h.patient_birth_date = DateOf(ValueAt(e_, "/patient/date_of_birth")).value_or("");
    const std::string sex = TextOf(ValueAt(e_, "/patient/sex"));
    h.patient_sex = sex == "female" ? "F" : sex == "male" ? "M" : sex == "other" ? "O" : "";
    h.study = options_.study.get();
    h.study_uid = Uid("study");
    h.series_uid = Uid(h.study != nullptr ? "series of " + h.study->uid : "series");
    // Another reader, version or time makes another instance.
    std::string made = (h.study != nullptr ? h.study->uid + " " : "") + options_.version + " " +
                       options_.written + " " + e_.kind->id + " " +
                       e_.document.dump(-1, ' ', false, Json::error_handler_t::replace);
    for (const ReaderIdentity& reader : e_.readers) made += " " + reader.model + reader.digest;
    h.instance_uid = Uid("instance " + UuidOf(made));
    h.study_date = effective_;
    h.study_description = e_.kind->title;
    h.written = options_.written;
    h.version = options_.version;
    return h;
  }

  // TID 1004. serial: what tells it from others of its name.
  void AddDevice(const std::string& name, const std::string& model, const std::string& serial) {
    const auto text = [&](const char* code, const char* meaning, const std::string& value) {
      if (!Clean(value).empty()) tree_.Text(Link::kHasContext, Dcm(code, meaning), value);
    };
    tree_.CodeItem(Link::kHasContext, Dcm("121005", "Observer Type"), Dcm("121007", "Device"));
    tree_.Uid(Link::kHasContext, Dcm("121012", "Device Observer UID"),
              sr::UidOfUuid(UuidOf("device " + name + " " + model + " " + serial)));
    text("121013", "Device Observer Name", name);
    text("121015", "Device Observer Model Name", model);
    text("121016", "Device Observer Serial Number", serial);
  }

  void AddObservers() {
    AddDevice("galen", "galen " + options_.version, "");
    for (const ReaderIdentity& reader : e_.readers) {
      AddDevice(reader.model.empty() ? "model" : reader.model, reader.architecture, reader.digest);
      for (const std::string& adapter : reader.adapters) {
        const size_t space = adapter.rfind(' ');
        const bool digest = space != adapter.npos;
        AddDevice(digest ? adapter.substr(0, space) : adapter, "adapter",
                  digest ? adapter.substr(space + 1) : "");
      }
    }
  }

  // What was found out about a value, below its item.
  void AddChecks(const Value& value) {
    if (value.evidence) {
      const Span& span = value.evidence->span;
      const SourcePage& page = e_.source->pages()[span.page];
      char box[160];
      std::snprintf(box, sizeof(box), ", page %lld, box %.1f %.1f to %.1f %.1f of %.0f x %.0f: ",
                    static_cast<long long>(page.number), span.box.x0, span.box.y0, span.box.x1,
                    span.box.y1, page.width, page.height);
      tree_.Text(Link::kInferredFrom, Own("evidence", "Evidence on the page"),
                 FileName(page.file) + box + value.evidence->words);
    }
    for (const Verdict& verdict : value.verdicts) {
      if (verdict.level == Level::kOk) continue;
      tree_.Text(Link::kHasProperty, CheckCode(verdict.level), verdict.id + ": " + verdict.message);
    }
  }

  static Code CheckCode(Level level) {
    return level == Level::kFlag ? Own("check.flag", "Flag of a check")
                                 : Own("check.note", "Note of a check");
  }

  static Code UnitCode(const Value& number, const Value* unit) {
    const std::string ucum = UnitCodeOf(number, unit);
    if (ucum == "1") return {"1", "UCUM", "no units"};
    if (!ucum.empty()) return {ucum, "UCUM", ucum};
    const std::string printed = TextOf(unit);
    if (!sr::ShortText(printed).empty()) {
      const bool fits = sr::ShortText(printed, 16) == printed && printed.size() <= 16;
      return Own(fits ? printed : Shortened(printed), printed);
    }
    return Own("no-unit", "no unit on the page");
  }

  static std::string Decimal(const Value& value) {
    return value.leaf.raw.empty() ? value.leaf.value.dump() : value.leaf.raw;
  }

  // The document's name of what is measured, where the code's meaning is another or a part of it.
  void AddPrintedName(const Code& code, const std::string& name) {
    if (name.empty() || name == sr::ShortText(code.meaning)) return;
    tree_.Text(Link::kModifiedBy, Dcm("121050", "Equivalent Meaning of Concept Name"), name);
  }

  static Code ConceptOf(const Analyte* analyte, const std::string& ucum, const std::string& name) {
    const std::string loinc = analyte != nullptr ? LoincOf(*analyte, ucum) : "";
    if (!loinc.empty()) return {loinc, "LN", analyte->display};
    return Own(Shortened("analyte " + FoldName(name)), name);
  }

  bool IsResult(const Record& record) const {
    return record.spec->role == "measurement" && !TextOf(record.Use("name")).empty() &&
           !TextOf(record.Use("value")).empty();
  }

  static bool IsMeasure(const Value& value) {
    return value.field != nullptr && !value.field->measure.empty() && Usable(&value) &&
           value.leaf.value.is_number() && AnalyteById(value.analyte) != nullptr;
  }

  void AddRangeAndFlag(const Record& record, const Code& unit) {
    const Value* flag = record.Use("flag");
    const std::string mark = flag != nullptr && !flag->Has(Level::kFlag) ? TextOf(flag) : "";
    const Code normality{"121402", "DCM", "Normality"};
    const auto set = [&](const char* value, const char* meaning) {
      tree_.CodeItem(Link::kHasProperty, normality, Snomed(value, meaning));
    };
    if (mark == "N") set("17621005", "Normal");
    if (mark == "L" || mark == "LL") set("371880002", "Abnormally Low");
    if (mark == "H" || mark == "HH") set("371879000", "Abnormally High");
    if (mark == "A") set("263654008", "Abnormal");
    if (mark == "LL" || mark == "HH") {
      tree_.Text(Link::kHasProperty, Own("flag", "Flag of the document"), mark);
    }
    const auto border = [&](const char* use, const Code& name) {
      const Value* end = record.Use(use);
      if (!Usable(end) || !end->leaf.value.is_number()) return;
      tree_.Number(Link::kHasProperty, name, Decimal(*end), unit, "", [&] { AddChecks(*end); });
    };
    border("low", Snomed("385524004", "Normal Range Lower Limit"));
    border("high", Snomed("371933006", "Normal Range Upper Limit"));
  }

  void AddResult(const Record& record) {
    const Value& value = *record.Use("value");
    const Value* unit = record.Use("unit");
    const std::string name = TextOf(record.Use("name"));
    const Code concept_name = ConceptOf(AnalyteById(value.analyte), UnitCodeOf(value, unit), name);
    const Code unit_code = UnitCode(value, unit);
    const auto inside = [&] {
      AddPrintedName(concept_name, name);
      AddRangeAndFlag(record, unit_code);
      AddChecks(value);
    };
    if (value.leaf.value.is_number()) {
      tree_.Number(Link::kContains, concept_name, Decimal(value), unit_code, effective_, inside);
    } else {
      tree_.Text(Link::kContains, concept_name, TextOf(&value), inside);
    }
  }

  void AddMeasure(const Value& value) {
    const Analyte& analyte = *AnalyteById(value.analyte);
    const Code concept_name = ConceptOf(&analyte, value.unit_code, analyte.display);
    tree_.Number(Link::kContains, concept_name, Decimal(value), UnitCode(value, nullptr),
                 effective_, [&] { AddChecks(value); });
  }

  // Values of one place in the answer are a group: a row, a reading, an examination.
  struct Group {
    std::string path;
    const Record* record = nullptr;
    std::vector<const Value*> measures;
  };

  std::vector<Group> Groups() const {
    std::vector<Group> groups;
    for (const Record& record : e_.answer.records) {
      if (IsResult(record)) groups.push_back({PathOf(record), &record, {}});
    }
    for (const Value& value : e_.answer.values) {
      if (!IsMeasure(value)) continue;
      const std::string path = value.leaf.path.substr(0, value.leaf.path.rfind('/'));
      if (groups.empty() || groups.back().path != path) groups.push_back({path, nullptr, {}});
      groups.back().measures.push_back(&value);
    }
    return groups;
  }

  static std::string PathOf(const Record& record) {
    return record.spec->at + "/" + std::to_string(record.number);
  }

  std::string TimeOf(const Group& group) const {
    for (const Record& record : e_.answer.records) {
      if (record.spec->role == "reading" && PathOf(record) == group.path) {
        return TextOf(record.Use("name"));
      }
    }
    return "";
  }

  void AddMeasurements() {
    const std::vector<Group> groups = Groups();
    if (groups.empty()) return;
    tree_.Container(Link::kContains, Dcm("126010", "Imaging Measurements"), nullptr, [&] {
      for (const Group& group : groups) {
        tree_.Container(Link::kContains, Dcm("125007", "Measurement Group"), "1501",
                        [&] { AddGroup(group); });
      }
    });
  }

  void AddGroup(const Group& group) {
    tree_.Text(Link::kHasContext, Dcm("112039", "Tracking Identifier"),
               group.path.empty() ? "/" : group.path);
    tree_.Uid(Link::kHasContext, Dcm("112040", "Tracking Unique Identifier"),
              Uid("group " + group.path));
    if (const std::string time = TimeOf(group); !time.empty()) {
      tree_.Text(Link::kHasContext, {"C2348792", "UMLS", "Time Point"}, time);
    }
    if (group.record != nullptr) AddResult(*group.record);
    for (const Value* value : group.measures) AddMeasure(*value);
  }

  // A medication, a condition, a procedure, an event: its name, and below it its other fields.
  void AddRecord(const Record& record) {
    const Value* named = FieldOf(record, record.spec->name);
    const std::string name = TextOf(named);
    if (name.empty()) return;
    tree_.Text(Link::kContains, RoleCode(record.spec->role), name, [&] {
      AddChecks(*named);
      for (const auto& [field, value] : record.fields) {
        if (value != named) AddRecordField(record, field, *value);
      }
    });
  }

  void AddRecordField(const Record& record, const std::string& field, const Value& value) {
    if (!Usable(&value)) return;
    const Code code = FieldCode("/" + field);
    const Value* unit = record.Use("dose_unit");
    const auto inside = [&] { AddChecks(value); };
    if (value.leaf.value.is_boolean()) {
      if (value.leaf.value.get<bool>()) tree_.Text(Link::kHasProperty, code, "yes", inside);
    } else if (value.leaf.value.is_number() && &value == record.Use("dose")) {
      tree_.Number(Link::kHasProperty, code, Decimal(value), UnitCode(value, unit), "", inside);
    } else if (const std::string text = TextOf(&value); !text.empty() && &value != unit) {
      tree_.Text(Link::kHasProperty, code, text, inside);
    }
  }

  // Texts that stand by themselves.
  void AddText(const Value& value) {
    const std::string& path = value.leaf.path;
    for (const RecordSpec& spec : e_.kind->records) {
      if (path.starts_with(spec.at + "/")) return;
    }
    static constexpr std::string_view kInHeader[] = {"/patient/name", "/patient/patient_id",
                                                     "/patient/date_of_birth", "/patient/sex"};
    if (IsMeasure(value) ||
        std::find(std::begin(kInHeader), std::end(kInHeader), path) != std::end(kInHeader)) {
      return;
    }
    const bool truth = Usable(&value) && value.leaf.value.is_boolean();
    const std::string text = truth ? (value.leaf.value.get<bool>() ? "yes" : "no") : TextOf(&value);
    if (text.empty()) return;
    const bool allergy = value.field != nullptr && value.field->use == "allergy";
    tree_.Text(Link::kContains, allergy ? Own("allergy", "Allergy") : FieldCode(path), text,
               [&] { AddChecks(value); });
  }

  void AddFlag(const Verdict& verdict, const std::string& path) {
    if (verdict.level != Level::kFlag) return;
    tree_.Text(Link::kContains, CheckCode(Level::kFlag),
               (path.empty() ? "" : path + ": ") + verdict.id + ": " + verdict.message);
    ++flags_;
  }

  void AddEvaluations() {
    for (const Record& record : e_.answer.records) {
      const std::string& role = record.spec->role;
      if (role != "measurement" && role != "reading") AddRecord(record);
    }
    for (const Value& value : e_.answer.values) AddText(value);
    for (const Verdict& verdict : e_.verdicts) AddFlag(verdict, "");
    for (const Value& value : e_.answer.values) {
      for (const Verdict& verdict : value.verdicts) AddFlag(verdict, value.leaf.path);
    }
    if (flags_ == 0) {
      tree_.Text(Link::kContains, CheckCode(Level::kNote), "no check has flagged a value");
    }
    for (const Case::File& file : e_.source->files()) {
      tree_.Text(Link::kContains, Own("source", "Source document"),
                 FileName(file.path) + ", " + std::to_string(file.bytes) + " bytes, SHA-256 " +
                     file.sha256);
    }
  }

  const Extraction& e_;
  const OutputOptions& options_;
  sr::Tree tree_;
  const std::string effective_;  // date of what is observed; empty: not known
  int64_t flags_ = 0;
};

}  // namespace

std::string ToSr(const Extraction& extraction, const OutputOptions& options) {
  return SrWriter(extraction, options).Write();
}

}  // namespace galen::extract

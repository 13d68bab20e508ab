// Units, plausible and critical values, reference ranges and flags.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "extract/checks/candidates.h"
#include "extract/checks/checks.h"
#include "extract/checks/geometry.h"
#include "extract/checks/look_alike.h"
#include "extract/units/analyte.h"
#include "extract/units/unit_names.h"

namespace galen::extract {
namespace {

std::string Number(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.6g", value);
  return text;
}

std::string Borders(const Limits& limits) {
  const std::string unit = limits.unit == "1" ? "" : " " + limits.unit;
  if (!limits.low) return "up to " + Number(*limits.high) + unit;
  if (!limits.high) return "from " + Number(*limits.low) + unit;
  return Number(*limits.low) + " to " + Number(*limits.high) + unit;
}

// Flags as the schema of laboratory reports has them (HL7 v2 table 0078).
enum class Side { kNone, kNormal, kLow, kHigh, kAbnormal };
Side SideOf(const std::string& flag) {
  if (flag == "N") return Side::kNormal;
  if (flag == "L" || flag == "LL") return Side::kLow;
  if (flag == "H" || flag == "HH") return Side::kHigh;
  return flag == "A" ? Side::kAbnormal : Side::kNone;
}
bool Critical(const std::string& flag) { return flag == "LL" || flag == "HH"; }

struct Mark {
  Side side = Side::kNone;
  bool critical = false;
};

// What a word beside a result means as a mark, and nothing else. "(H)", "L*", "C", "++", arrows.
Mark ReadMark(std::string text) {
  static constexpr std::pair<std::string_view, Mark> kMarks[] = {
      {"L", {Side::kLow, false}},
      {"LOW", {Side::kLow, false}},
      {"↓", {Side::kLow, false}},
      {"-", {Side::kLow, false}},
      {"H", {Side::kHigh, false}},
      {"HIGH", {Side::kHigh, false}},
      {"↑", {Side::kHigh, false}},
      {"+", {Side::kHigh, false}},
      {"LL", {Side::kLow, true}},
      {"↓↓", {Side::kLow, true}},
      {"--", {Side::kLow, true}},
      {"CL", {Side::kLow, true}},
      {"HH", {Side::kHigh, true}},
      {"↑↑", {Side::kHigh, true}},
      {"++", {Side::kHigh, true}},
      {"CH", {Side::kHigh, true}},
      {"C", {Side::kNone, true}},
      {"CRIT", {Side::kNone, true}},
      {"CRITICAL", {Side::kNone, true}},
      {"PANIC", {Side::kNone, true}},
      {"A", {Side::kAbnormal, false}},
      {"ABN", {Side::kAbnormal, false}},
      {"ABNORMAL", {Side::kAbnormal, false}},
      {"!", {Side::kAbnormal, false}},
      {"*", {Side::kAbnormal, false}},
      {"N", {Side::kNormal, false}},
      {"NORMAL", {Side::kNormal, false}}};
  while (text.size() > 1 && (text.front() == '(' || text.front() == '[')) text.erase(0, 1);
  while (text.size() > 1 && (text.back() == ')' || text.back() == ']' || text.back() == '*')) {
    text.pop_back();
  }
  std::string upper;
  for (const char c : text) upper += c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  if (text.size() == 1 && text != upper) return {};  // "h" and "l" are units
  for (const auto& [spelled, mark] : kMarks) {
    if (upper == spelled) return mark;
  }
  return {};
}

class MeasurementCheck {
 public:
  explicit MeasurementCheck(CheckedAnswer* answer) : answer_(answer) {}

  void Run() {
    for (const Record& record : answer_->records) {
      if (record.spec->role == "measurement" && record.anchor && MarkBeside(record, nullptr)) {
        page_has_marks_ = true;
      }
    }
    for (const Record& record : answer_->records) {
      if (record.spec->role == "measurement") CheckRow(record);
    }
    for (Value& value : answer_->values) {
      if (value.field != nullptr && !value.field->measure.empty()) CheckMeasure(&value);
    }
  }

 private:
  // The mark in the row of a result: a word that is nothing else of the record.
  bool MarkBeside(const Record& record, Mark* mark) const {
    const Value* value = record.Use("value");
    if (value == nullptr || !value->evidence || !value->evidence->compared || !record.anchor)
      return false;
    const Span& at = value->evidence->span;
    const PageIndex& page = answer_->pages[at.page];
    const auto& words = page.page().words;
    // Beside the number, without a space: "5.4H".
    const std::string& own = words[at.last].text;
    const size_t tail = own.find_last_of("0123456789");
    Mark found;
    if (tail != own.npos && tail + 1 < own.size()) found = ReadMark(own.substr(tail + 1));
    for (size_t i = 0; i < words.size(); ++i) {
      if (!SameRow(words[i].box, words[at.first].box) || OfAnotherRecord(record, words[i].box) ||
          OfThisRecord(record, at.page, i)) {
        continue;
      }
      // The dash of a range.
      const bool between = i > 0 && i + 1 < words.size() && page.HasNumber(i - 1) &&
                           page.HasNumber(i + 1) && words[i - 1].line == words[i + 1].line;
      if (between && (words[i].text == "-" || words[i].text == "+")) continue;
      const Mark next = ReadMark(words[i].text);
      if (next.side != Side::kNone && found.side == Side::kNone) found.side = next.side;
      found.critical = found.critical || next.critical;
    }
    if (mark != nullptr) *mark = found;
    return found.side != Side::kNone || found.critical;
  }

  static bool OfThisRecord(const Record& record, size_t page, size_t word) {
    return std::any_of(record.fields.begin(), record.fields.end(), [&](const auto& field) {
      const auto& evidence = field.second->evidence;
      return evidence && evidence->compared && evidence->span.page == page &&
             evidence->span.Holds(word);
    });
  }

  // In tables side by side, a word belongs to the name before it.
  bool OfAnotherRecord(const Record& record, const Box& box) const {
    return std::any_of(answer_->records.begin(), answer_->records.end(), [&](const Record& other) {
      if (&other == &record || !other.anchor || other.anchor->page != record.anchor->page)
        return false;
      const Box &o = other.anchor->box, &own = record.anchor->box;
      if (!SameRow(o, own)) return false;
      return o.x0 > own.x0 ? box.x0 >= o.x0 : box.x0 < own.x0;
    });
  }

  void CheckRow(const Record& record) {
    Value* value = record.Use("value");
    Value* unit = record.Use("unit");
    if (value == nullptr) return;
    const Value* name = record.Use("name");
    const bool text = unit != nullptr && unit->leaf.value.is_string();
    const std::string code = text ? UnitCode(unit->leaf.value.get<std::string>()) : "";
    const Analyte* analyte = name != nullptr && name->leaf.value.is_string()
                                 ? FindAnalyte(name->leaf.value.get<std::string>(), code)
                                 : nullptr;
    if (analyte != nullptr) value->analyte = analyte->id;
    if (text) CheckUnit(analyte, unit);
    if (value->leaf.value.is_number()) {
      // Without a unit, a number is compared only where it is a pure number by nature.
      std::string own = code;
      if (own.empty() && analyte != nullptr && (analyte->unit == "1" || analyte->unit == "[pH]") &&
          (unit == nullptr || unit->leaf.value.is_null())) {
        own = analyte->unit;
      }
      value->unit_code = own;
      if (analyte != nullptr && !own.empty()) CheckLimits(*analyte, own, value);
      if (analyte != nullptr && text) SettleMisreadUnit(record, *analyte, *value, unit);
    }
    CheckFlag(record, *value);
  }

  void CheckUnit(const Analyte* analyte, Value* unit) {
    const std::string printed = unit->leaf.value.get<std::string>();
    unit->unit_code = UnitCode(printed);
    if (unit->unit_code.empty()) {
      // A unit that the page has is the page's; one that it has not is the reader's.
      const bool found = unit->Find("source.found") != nullptr;
      unit->Add("unit.unknown", found ? Level::kNote : Level::kFlag, "no unit that galen knows");
      return;
    }
    unit->Add("unit.known", Level::kOk, "UCUM " + unit->unit_code);
    if (analyte == nullptr || Convert(1, unit->unit_code, analyte->unit, analyte).ok()) return;
    unit->Add("unit.unfit", Level::kFlag,
              "a unit in which " + analyte->display + " is not measured (it would be " +
                  analyte->unit + ")",
              "unit." + analyte->id, "configs/rules/analytes.json");
  }

  static bool Plausible(const Analyte& analyte, const std::string& code, double number) {
    const Result<double> own = Convert(number, code, analyte.unit, &analyte);
    return own.ok() && Outside(*own, *analyte.plausible) == 0;
  }

  // Where Tesseract has another unit in the row, one that looks like this one in print and in which
  // the value could not be ("pmol/L" for a bilirubin in µmol/L), it is Tesseract that misread it.
  void SettleMisreadUnit(const Record& record, const Analyte& analyte, const Value& value,
                         Value* unit) {
    if (!unit->Find("source.not_found") && !unit->Find("source.elsewhere")) return;
    if (!record.anchor || !analyte.plausible) return;
    const PageIndex& page = answer_->pages[record.anchor->page];
    const double number = value.leaf.value.get<double>();
    if (page.page().word_source != WordSource::kTesseract ||
        !Plausible(analyte, unit->unit_code, number)) {
      return;
    }
    const std::string printed = FoldUnit(unit->leaf.value.get<std::string>());
    std::optional<Span> alike;
    for (const PageIndex::Unit& read : page.units()) {
      const Span span = page.SpanOf(read.first, read.last);
      if (!SameRow(span.box, record.anchor->box) || OfAnotherRecord(record, span.box) ||
          span.box.x0 < record.anchor->box.x1 || span.Overlaps(*record.anchor)) {
        continue;
      }
      // The row has a unit in which the value could be.
      if (!read.code.empty() && Plausible(analyte, read.code, number)) return;
      if (!alike && LooksLikeUnit(printed, read.folded)) alike = span;
    }
    if (alike) {
      const Span& span = *alike;
      std::erase_if(unit->verdicts, [](const Verdict& verdict) {
        return verdict.id == "source.not_found" || verdict.id == "source.elsewhere";
      });
      unit->evidence = Evidence{span, WordsOf(page, span)};
      unit->evidence->span.box = page.page().Shown(span.first, span.last);
      unit->Add("source.misread", Level::kNote,
                "Tesseract has a unit here that looks like this one and in which the value would "
                "not be plausible",
                analyte.plausible->id, analyte.plausible->source);
    }
  }

  // Plausible and critical limits; the value in the analyte's own unit.
  void CheckLimits(const Analyte& analyte, const std::string& code, Value* value) {
    const double number = value->leaf.value.get<double>();
    const Result<double> own = Convert(number, code, analyte.unit, &analyte);
    if (!own.ok()) return;
    const Result<std::string> text =
        ConvertText(CanonicalNumber(value->leaf.raw), code, analyte.unit, &analyte);
    if (text.ok() && code != analyte.unit) {
      value->converted = *text;
      value->converted_unit = analyte.unit;
    }
    if (analyte.plausible) {
      const Limits& limits = *analyte.plausible;
      const int side = Outside(*own, limits);
      if (side == 0) {
        value->Add("range.plausible", Level::kOk, "plausible", limits.id, limits.source);
      } else {
        value->Add("range.implausible", Level::kFlag,
                   "outside of " + Borders(limits) + ", which is not plausible", limits.id,
                   limits.source);
      }
    }
    if (!analyte.critical) return;
    const Limits& limits = *analyte.critical;
    const Result<double> there = Convert(number, code, limits.unit, &analyte);
    if (!there.ok() || Outside(*there, limits) == 0) return;
    value->Add("range.critical", Level::kNote,
               std::string("critically ") + (Outside(*there, limits) < 0 ? "low" : "high") +
                   " (limits " + Borders(limits) + ")",
               limits.id, limits.source);
  }

  void CheckMeasure(Value* value) {
    const Analyte* analyte = AnalyteById(value->field->measure);
    if (analyte == nullptr || !value->leaf.value.is_number()) return;
    std::string code = value->field->unit;
    if (!value->field->unit_from.empty()) {
      const Value* unit = answer_->At(value->field->unit_from);
      if (unit != nullptr && unit->leaf.value.is_string()) {
        code = UnitCode(unit->leaf.value.get<std::string>());
      }
    }
    value->analyte = analyte->id;
    value->unit_code = code;
    if (!code.empty()) CheckLimits(*analyte, code, value);
  }

  static std::optional<double> NumberOf(const Value* value) {
    if (value == nullptr || !value->leaf.value.is_number()) return std::nullopt;
    return value->leaf.value.get<double>();
  }

  void CheckFlag(const Record& record, const Value& value) {
    Value* flag = record.Use("flag");
    const std::optional<double> low = NumberOf(record.Use("low")),
                                high = NumberOf(record.Use("high"));
    if (low && high && *low > *high) {
      record.Use("low")->Add("range.inverted", Level::kFlag,
                             "the lower end of the range is above the upper end", "range.order",
                             "galen: a range has its lower end first");
    }
    if (flag == nullptr || !flag->leaf.value.is_string()) return;
    const std::string given = flag->leaf.value.get<std::string>();
    const std::optional<double> number = NumberOf(&value);
    Side computed = Side::kNone;
    if (number && (low || high)) {
      computed = low && *number < *low     ? Side::kLow
                 : high && *number > *high ? Side::kHigh
                                           : Side::kNormal;
      const Side side = SideOf(given);
      const bool agrees =
          side == computed || (side == Side::kAbnormal && computed != Side::kNormal);
      if (agrees) {
        flag->Add("flag.agrees", Level::kOk, "agrees with value and reference range", "flag.range",
                  "HL7 v2 table 0078");
      } else {
        flag->Add("flag.differs", Level::kFlag,
                  std::string("value and reference range make it ") +
                      (computed == Side::kLow    ? "low"
                       : computed == Side::kHigh ? "high"
                                                 : "normal"),
                  "flag.range", "HL7 v2 table 0078");
      }
    }
    if (Critical(given) && value.Find("range.critical") == nullptr && number) {
      flag->Add("flag.critical_unsupported", Level::kNote,
                "marked critical, within the limits that galen has", "flag.critical",
                "HL7 v2 table 0078");
    }
    if (value.Find("range.critical") != nullptr && !Critical(given)) {
      flag->Add("flag.not_critical", Level::kNote, "the value is critical, the flag is not",
                "flag.critical", "HL7 v2 table 0078");
    }
    CompareMark(record, given, flag);
  }

  void CompareMark(const Record& record, const std::string& given, Value* flag) {
    Mark mark;
    const bool marked = MarkBeside(record, &mark);
    const Value* value = record.Use("value");
    if (!marked) {
      // Where other rows have marks, a row without one is normal.
      const bool placed =
          value->evidence && record.anchor && value->Find("source.found") != nullptr;
      if (page_has_marks_ && placed && SideOf(given) != Side::kNormal) {
        flag->Add("flag.not_printed", Level::kFlag, "the page has no mark beside this result",
                  "flag.printed", "HL7 v2 table 0078");
      }
      return;
    }
    const Side side = SideOf(given);
    const bool same_side = mark.side == Side::kNone || mark.side == side ||
                           (side == Side::kAbnormal && mark.side != Side::kNormal);
    if (!same_side || (mark.critical && !Critical(given)) || (!mark.critical && Critical(given))) {
      flag->Add("flag.not_as_printed", Level::kFlag, "the page has another mark beside this result",
                "flag.printed", "HL7 v2 table 0078");
    } else {
      flag->Add("flag.printed", Level::kOk, "as printed", "flag.printed", "HL7 v2 table 0078");
    }
  }

  CheckedAnswer* answer_;
  bool page_has_marks_ = false;
};

}  // namespace

void CheckMeasurements(CheckedAnswer* answer) { MeasurementCheck(answer).Run(); }

}  // namespace galen::extract

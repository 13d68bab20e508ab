// Doses against their units and against the largest doses that labels name.
#include <algorithm>
#include <cstdio>

#include "extract/checks/checks.h"
#include "extract/checks/rules.h"
#include "extract/units/analyte.h"
#include "extract/units/unit_names.h"

namespace galen::extract {
namespace {

std::string Amount(double value, const std::string& unit) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.6g", value);
  return std::string(text) + " " + unit;
}

std::string StringOf(const Value* value) {
  return value != nullptr && value->leaf.value.is_string() ? value->leaf.value.get<std::string>()
                                                           : std::string();
}

void CheckUnit(Value* dose, Value* unit) {
  const DoseUnits& rule = DoseUnitRule();
  if (unit == nullptr || !unit->leaf.value.is_string()) {
    if (dose->leaf.value.is_number()) {
      dose->Add("dose.no_unit", Level::kFlag, "a dose without a unit", rule.id, rule.source);
    }
    return;
  }
  unit->unit_code = UnitCode(StringOf(unit));
  if (unit->unit_code.empty()) {
    const bool found = unit->Find("source.found") != nullptr;
    unit->Add("unit.unknown", found ? Level::kNote : Level::kFlag, "no unit that galen knows");
    return;
  }
  unit->Add("unit.known", Level::kOk, "UCUM " + unit->unit_code);
  if (std::find(rule.codes.begin(), rule.codes.end(), unit->unit_code) == rule.codes.end()) {
    unit->Add("dose.unit", Level::kFlag, "nothing that a dose is given in", rule.id, rule.source);
  }
}

void CheckLimit(const Record& record, const DoseRule& rule, Value* dose, const std::string& code) {
  const double number = dose->leaf.value.get<double>();
  if (number <= 0) {
    dose->Add("dose.zero", Level::kFlag, "a dose above 0 was expected", rule.id, rule.source);
    return;
  }
  const Result<double> amount = Convert(number, code, rule.unit, nullptr);
  if (!amount.ok()) return;
  constexpr double kRounding = 1 + 1e-9;
  if (*amount > rule.single * kRounding) {
    dose->Add("dose.large", Level::kFlag,
              "above the largest single dose, " + Amount(rule.single, rule.unit), rule.id,
              rule.source);
    return;
  }
  dose->Add("dose.plausible", Level::kOk, "plausible", rule.id, rule.source);
  const Value* frequency = record.Use("frequency");
  const std::optional<double> times = TimesADay(StringOf(frequency));
  if (rule.day && times && *amount * *times > *rule.day * kRounding) {
    dose->Add("dose.large_day", Level::kFlag,
              "with this frequency above the largest dose a day, " + Amount(*rule.day, rule.unit),
              rule.id, rule.source);
  }
}

}  // namespace

void CheckDoses(CheckedAnswer* answer) {
  for (const Record& record : answer->records) {
    if (record.spec->role != "medication") continue;
    Value *dose = record.Use("dose"), *unit = record.Use("dose_unit");
    if (dose == nullptr) continue;
    CheckUnit(dose, unit);
    if (!dose->leaf.value.is_number() || unit == nullptr || unit->unit_code.empty()) continue;
    dose->unit_code = unit->unit_code;
    const DoseRule* rule = FindDoseRule(StringOf(record.Use("name")));
    if (rule == nullptr || !Convert(1, unit->unit_code, rule->unit, nullptr).ok()) {
      rule = &AnyDoseRule();
    }
    CheckLimit(record, *rule, dose, unit->unit_code);
  }
}

}  // namespace galen::extract

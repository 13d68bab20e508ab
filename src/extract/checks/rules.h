// The rules about dates and doses, as configs/rules has them; those about results are in
// units/analyte.h.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "extract/source/index.h"

namespace galen::extract {

struct DateRule {
  enum Kind { kNotBefore, kNotAfterToday, kOrder, kYears, kDays };
  std::string id, source;
  Kind kind = kOrder;
  // Roles of dates (FieldSpec::date); later "*": every other one.
  std::string earlier, later;
  CalendarDate date;                // kNotBefore
  int64_t days = 0;                 // kNotAfterToday: allowed beyond today; kDays: between the two
  int years = 0;                    // kYears: between the two at most
  std::vector<std::string> except;  // roles that the rule is not about
};
const std::vector<DateRule>& DateRules();

struct DoseRule {
  std::string id, source;
  std::vector<std::string> names;  // folded; "*": every drug
  double single = 0;               // the largest single dose, in unit
  std::string unit;                // UCUM code
  std::optional<double> day;       // the largest dose a day
};
const std::vector<DoseRule>& DoseRules();
// The rule that names the drug ("Metformin HCl ER": its first words decide), else null.
const DoseRule* FindDoseRule(std::string_view drug);
const DoseRule& AnyDoseRule();

// What a dose may be given in: UCUM codes, with id and source of the rule.
struct DoseUnits {
  std::string id, source;
  std::vector<std::string> codes;
};
const DoseUnits& DoseUnitRule();

// "twice daily" to 2; nothing where the text says more or something else.
std::optional<double> TimesADay(std::string_view frequency);

}  // namespace galen::extract

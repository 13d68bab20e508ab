// Every rule of configs/rules on both sides of its border.
#include "extract/checks/rules.h"

#include <gtest/gtest.h>

#include <cmath>

#include "extract/checks/checks.h"
#include "extract/test_pages.h"
#include "extract/units/analyte.h"

namespace galen::extract {
namespace {

// Whether a check of the document gives a verdict above "ok" by the rule.
bool Breaks(const Kind& kind, const Json& document, const std::string& rule,
            const CalendarDate& today = {2024, 6, 1}) {
  static const std::vector<SourcePage> kPages = {TestPage().Text("nothing").page()};
  const CheckedAnswer answer = CheckAnswer(kind, kPages, *ParseAnswer(document.dump()), {}, today);
  for (const Value& value : answer.values) {
    for (const Verdict& verdict : value.verdicts) {
      if (verdict.rule == rule && verdict.level != Level::kOk) {
        EXPECT_FALSE(verdict.source.empty()) << rule;
        return true;
      }
    }
  }
  return false;
}

TEST(Rules, ResultsOnBothSidesOfTheirBorders) {
  const Kind lab = *FindKind("lab_report");
  int rules = 0;
  for (const Analyte& analyte : Analytes()) {
    for (const auto* limits : {&analyte.plausible, &analyte.critical}) {
      if (!*limits) continue;
      const Limits& l = **limits;
      for (const int side : {-1, 1}) {
        const std::optional<double> border = side < 0 ? l.low : l.high;
        if (!border) continue;
        SCOPED_TRACE(l.id + (side < 0 ? " low" : " high"));
        ++rules;
        const double step = std::max(std::abs(*border) * 1e-4, 1e-6);
        const auto breaks = [&](double value) {
          const Json row = {{"test", analyte.display}, {"value", value}, {"unit", l.unit}};
          return Breaks(lab, {{"results", {row}}}, l.id);
        };
        EXPECT_FALSE(breaks(*border - side * step));
        EXPECT_EQ(breaks(*border), l.border_breaks);
        EXPECT_TRUE(breaks(*border + side * step));
      }
    }
  }
  EXPECT_GT(rules, 250);
}

// A document with one text for each role of a date.
Kind DateKind() {
  Kind kind;
  kind.id = "dates";
  for (const char* role : {"birth", "document", "report", "sample", "exam", "admission",
                           "discharge", "onset", "procedure", "follow_up"}) {
    kind.fields["/" + std::string(role)].date = role;
  }
  return kind;
}

std::string Iso(int64_t day) {
  // The date whose number it is, by search from a year that is surely earlier.
  CalendarDate date{static_cast<int>(1970 + day / (day < 0 ? 365 : 366) - 2), 1, 1};
  while (DayNumber({date.year + 1, 1, 1}) <= day) ++date.year;
  while (date.month < 12 && DayNumber({date.year, date.month + 1, 1}) <= day) ++date.month;
  date.day = static_cast<int>(day - DayNumber({date.year, date.month, 1})) + 1;
  char text[16];
  std::snprintf(text, sizeof(text), "%04d-%02d-%02d", date.year, date.month, date.day);
  return text;
}

TEST(Rules, DatesOnBothSidesOfTheirBorders) {
  const Kind kind = DateKind();
  const CalendarDate today{2024, 6, 1};
  const int64_t base = DayNumber({2020, 3, 15});
  for (const DateRule& rule : DateRules()) {
    SCOPED_TRACE(rule.id);
    std::string earlier = "/" + rule.earlier, later = "/" + rule.later;
    if (rule.later == "*") later = "/document";
    int64_t within = 0, beyond = 0;
    switch (rule.kind) {
      case DateRule::kNotBefore:
        EXPECT_FALSE(Breaks(kind, {{"birth", Iso(DayNumber(rule.date))}}, rule.id));
        EXPECT_TRUE(Breaks(kind, {{"birth", Iso(DayNumber(rule.date) - 1)}}, rule.id));
        continue;
      case DateRule::kNotAfterToday: {
        const int64_t last = DayNumber(today) + rule.days;
        EXPECT_FALSE(Breaks(kind, {{"document", Iso(last)}}, rule.id));
        EXPECT_TRUE(Breaks(kind, {{"document", Iso(last + 1)}}, rule.id));
        for (const std::string& role : rule.except) {
          EXPECT_FALSE(Breaks(kind, {{role, Iso(last + 100)}}, rule.id));
        }
        continue;
      }
      case DateRule::kOrder:
        within = base;
        beyond = base - 1;
        break;
      case DateRule::kYears:
        within = DayNumber({2020 + rule.years, 3, 15}) - 1;
        beyond = within + 1;
        break;
      case DateRule::kDays:
        within = base + rule.days;
        beyond = within + 1;
        break;
    }
    const auto breaks = [&](int64_t day) {
      return Breaks(kind, {{earlier.substr(1), Iso(base)}, {later.substr(1), Iso(day)}}, rule.id,
                    {2149, 12, 31});
    };
    EXPECT_FALSE(breaks(within));
    EXPECT_TRUE(breaks(beyond));
  }
}

TEST(Rules, DosesOnBothSidesOfTheirBorders) {
  const Kind kind = *FindKind("prescription");
  const std::pair<const char*, double> times[] = {{"once daily", 1},
                                                  {"twice daily", 2},
                                                  {"three times daily", 3},
                                                  {"four times daily", 4},
                                                  {"every 4 hours", 6}};
  for (const DoseRule& rule : DoseRules()) {
    SCOPED_TRACE(rule.id);
    const std::string name = rule.names[0] == "*" ? "Unheardofine" : rule.names[0];
    const auto breaks = [&](double dose, const char* frequency) {
      Json drug = {{"name", name}, {"dose", dose}, {"dose_unit", rule.unit}};
      if (frequency != nullptr) drug["frequency"] = frequency;
      return Breaks(kind, {{"medications", {drug}}}, rule.id);
    };
    EXPECT_FALSE(breaks(rule.single, nullptr));
    EXPECT_TRUE(breaks(rule.single * 1.001, nullptr));
    EXPECT_TRUE(breaks(0, nullptr));
    if (!rule.day) continue;
    bool tested = false;
    for (const auto& [frequency, count] : times) {
      const double dose = *rule.day / count;
      if (dose > rule.single || dose * 1.001 > rule.single) continue;
      EXPECT_FALSE(breaks(dose, frequency)) << frequency;
      EXPECT_TRUE(breaks(dose * 1.001, frequency)) << frequency;
      tested = true;
    }
    // Where one dose may be all of the day, two may not.
    if (!tested) {
      EXPECT_TRUE(breaks(rule.single, "twice daily") || *rule.day >= 2 * rule.single);
    }
  }
}

TEST(Rules, UnitsOfDoses) {
  const Kind kind = *FindKind("prescription");
  const auto breaks = [&](const char* unit) {
    const Json drug = {{"name", "Unheardofine"}, {"dose", 1}, {"dose_unit", unit}};
    return Breaks(kind, {{"medications", {drug}}}, DoseUnitRule().id);
  };
  for (const std::string& code : DoseUnitRule().codes) EXPECT_FALSE(breaks(code.c_str())) << code;
  for (const char* code : {"mmol/L", "mm[Hg]", "Cel", "/min", "10*9/L"})
    EXPECT_TRUE(breaks(code)) << code;
}

}  // namespace
}  // namespace galen::extract

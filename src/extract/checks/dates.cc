// Dates that exist, in the past, and in an order that can be.
#include <algorithm>

#include "extract/checks/checks.h"
#include "extract/checks/rules.h"

namespace galen::extract {
namespace {

struct Dated {
  Value* value;
  std::string role;
  CalendarDate date;
};

std::string WithSpaces(const std::string& role) {
  std::string words = role;
  std::replace(words.begin(), words.end(), '_', ' ');
  return words;
}

bool Breaks(const DateRule& rule, const CalendarDate& earlier, const CalendarDate& later) {
  const int64_t between = DayNumber(later) - DayNumber(earlier);
  if (rule.kind == DateRule::kOrder) return between < 0;
  if (rule.kind == DateRule::kDays) return between > rule.days;
  CalendarDate border = earlier;
  border.year += rule.years;
  if (border.month == 2 && border.day == 29) border.day = 28;
  return DayNumber(later) >= DayNumber(border);
}

void CheckOne(const DateRule& rule, const Dated& dated, const CalendarDate& today) {
  if (std::find(rule.except.begin(), rule.except.end(), dated.role) != rule.except.end()) return;
  if (rule.kind == DateRule::kNotBefore && DayNumber(dated.date) < DayNumber(rule.date)) {
    dated.value->Add("date.too_old", Level::kFlag, "too long ago", rule.id, rule.source);
  }
  if (rule.kind == DateRule::kNotAfterToday &&
      DayNumber(dated.date) > DayNumber(today) + rule.days) {
    dated.value->Add("date.future", Level::kFlag, "lies in the future", rule.id, rule.source);
  }
}

void CheckPair(const DateRule& rule, const Dated& earlier, const Dated& later) {
  if (rule.earlier != earlier.role || &earlier == &later) return;
  if (rule.later != later.role && rule.later != "*") return;
  if (!Breaks(rule, earlier.date, later.date)) return;
  const std::string what = rule.kind == DateRule::kOrder
                               ? "lies before the date of " + WithSpaces(earlier.role)
                               : "is too far from the date of " + WithSpaces(earlier.role);
  later.value->Add("date.order", Level::kFlag, what, rule.id, rule.source);
}

}  // namespace

void CheckDates(CheckedAnswer* answer, const CalendarDate& today) {
  std::vector<Dated> dates;
  for (Value& value : answer->values) {
    const bool role = value.field != nullptr && !value.field->date.empty();
    CalendarDate date;
    if (!value.leaf.value.is_string() || !ReadIsoDate(value.leaf.value.get<std::string>(), &date)) {
      if (role && value.leaf.value.is_string()) {
        value.Add("date.impossible", Level::kFlag, "no date", "date.calendar", "ISO 8601-1:2019");
      }
      continue;
    }
    if (!IsPossible(date) || date.day == 0 || date.month == 0) {
      value.Add("date.impossible", Level::kFlag, "no day of the calendar", "date.calendar",
                "ISO 8601-1:2019");
      continue;
    }
    if (role) dates.push_back({&value, value.field->date, date});
  }
  for (const DateRule& rule : DateRules()) {
    for (const Dated& dated : dates) {
      CheckOne(rule, dated, today);
      if (rule.kind == DateRule::kNotBefore || rule.kind == DateRule::kNotAfterToday) continue;
      for (const Dated& later : dates) CheckPair(rule, dated, later);
    }
  }
}

}  // namespace galen::extract

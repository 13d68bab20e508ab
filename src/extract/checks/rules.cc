#include "extract/checks/rules.h"

#include <algorithm>

#include "extract/configs.h"
#include "extract/units/analyte.h"

namespace galen::extract {
namespace {

DateRule::Kind KindOf(const std::string& name) {
  static constexpr std::pair<std::string_view, DateRule::Kind> kKinds[] = {
      {"not_before", DateRule::kNotBefore},
      {"not_after_today", DateRule::kNotAfterToday},
      {"order", DateRule::kOrder},
      {"years", DateRule::kYears},
      {"days", DateRule::kDays}};
  const auto* at = std::find_if(std::begin(kKinds), std::end(kKinds),
                                [&](const auto& kind) { return kind.first == name; });
  GALEN_CHECK(at != std::end(kKinds));
  return at->second;
}

const Json& Doses() {
  static const Json doses = BuiltinJson("rules/doses.json");
  return doses;
}

}  // namespace

const std::vector<DateRule>& DateRules() {
  static const std::vector<DateRule> rules = [] {
    std::vector<DateRule> list;
    const Json file = BuiltinJson("rules/dates.json");
    for (const Json& entry : file.at("rules")) {
      DateRule rule;
      rule.id = entry.at("id");
      rule.source = entry.at("source");
      rule.kind = KindOf(entry.at("kind"));
      rule.earlier = entry.value("earlier", "");
      rule.later = entry.value("later", "");
      rule.days = entry.value("days", int64_t{0});
      rule.years = entry.value("years", 0);
      rule.except = entry.value("except", std::vector<std::string>());
      if (rule.kind == DateRule::kNotBefore) {
        GALEN_CHECK(ReadIsoDate(entry.at("date").get<std::string>(), &rule.date));
      }
      list.push_back(std::move(rule));
    }
    return list;
  }();
  return rules;
}

const std::vector<DoseRule>& DoseRules() {
  static const std::vector<DoseRule> rules = [] {
    std::vector<DoseRule> list;
    for (const Json& entry : Doses().at("drugs")) {
      DoseRule rule;
      rule.id = entry.at("id");
      rule.source = entry.at("source");
      rule.single = entry.at("single");
      rule.unit = entry.at("unit");
      if (entry.contains("day")) rule.day = entry.at("day").get<double>();
      for (const Json& name : entry.at("names")) {
        const std::string text = name;
        rule.names.push_back(text == "*" ? text : FoldName(text));
      }
      GALEN_CHECK(ParseUnit(rule.unit).ok());
      list.push_back(std::move(rule));
    }
    return list;
  }();
  return rules;
}

const DoseRule* FindDoseRule(std::string_view drug) {
  std::string folded = FoldName(drug);
  while (!folded.empty()) {
    for (const DoseRule& rule : DoseRules()) {
      if (std::find(rule.names.begin(), rule.names.end(), folded) != rule.names.end()) return &rule;
    }
    const size_t space = folded.rfind(' ');
    folded.erase(space == folded.npos ? 0 : space);
  }
  return nullptr;
}

const DoseRule& AnyDoseRule() {
  const auto& rules = DoseRules();
  const auto at = std::find_if(rules.begin(), rules.end(), [](const DoseRule& rule) {
    return rule.names == std::vector<std::string>{"*"};
  });
  GALEN_CHECK(at != rules.end());
  return *at;
}

const DoseUnits& DoseUnitRule() {
  static const DoseUnits units = [] {
    const Json& entry = Doses().at("units");
    return DoseUnits{entry.at("id"), entry.at("source"),
                     entry.at("codes").get<std::vector<std::string>>()};
  }();
  return units;
}

std::optional<double> TimesADay(std::string_view frequency) {
  const std::string folded = FoldName(frequency);
  for (const Json& entry : Doses().at("times_a_day")) {
    if (FoldName(entry.at(0).get<std::string>()) == folded) return entry.at(1).get<double>();
  }
  return std::nullopt;
}

}  // namespace galen::extract

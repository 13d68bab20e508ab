#include "extract/checks/value.h"

#include <charconv>
#include <map>

#include "extract/checks/checks.h"

namespace galen::extract {

std::string_view LevelName(Level level) {
  return level == Level::kOk ? "ok" : level == Level::kNote ? "note" : "flag";
}

Value* CheckedAnswer::At(const std::string& path) {
  for (Value& value : values) {
    if (value.leaf.path == path) return &value;
  }
  return nullptr;
}

CheckedAnswer Arrange(const Kind& kind, const std::vector<SourcePage>& pages, ParsedAnswer answer,
                      std::span<const TokenSpan> tokens) {
  CheckedAnswer checked;
  checked.kind = &kind;
  for (size_t i = 0; i < pages.size(); ++i) checked.pages.emplace_back(pages[i], i);
  checked.values.reserve(answer.leaves.size());
  for (Leaf& leaf : answer.leaves) {
    Value value;
    value.confidence = ConfidenceOf(tokens, leaf.begin, leaf.end);
    value.field = kind.Field(leaf.path);
    // Items of a list of texts have the field of the list.
    if (value.field == nullptr) {
      value.field = kind.Field(leaf.path.substr(0, leaf.path.rfind('/')));
    }
    value.leaf = std::move(leaf);
    checked.values.push_back(std::move(value));
  }
  std::map<std::pair<const RecordSpec*, size_t>, size_t> places;
  for (Value& value : checked.values) {
    for (const RecordSpec& spec : kind.records) {
      const std::string& path = value.leaf.path;
      if (!path.starts_with(spec.at + "/")) continue;
      size_t number = 0;
      const char* begin = path.data() + spec.at.size() + 1;
      const auto [end, error] = std::from_chars(begin, path.data() + path.size(), number);
      if (error != std::errc() || end == path.data() + path.size() || *end != '/') continue;
      const auto [at, added] = places.emplace(std::pair(&spec, number), checked.records.size());
      if (added) {
        checked.records.emplace_back();
        checked.records.back().spec = &spec;
        checked.records.back().number = number;
      }
      checked.records[at->second].fields.emplace_back(std::string(end + 1), &value);
    }
  }
  return checked;
}

CheckedAnswer CheckAnswer(const Kind& kind, const std::vector<SourcePage>& pages,
                          ParsedAnswer answer, std::span<const TokenSpan> tokens,
                          const CalendarDate& today) {
  CheckedAnswer checked = Arrange(kind, pages, std::move(answer), tokens);
  LocateValues(&checked);
  CheckMeasurements(&checked);
  CheckDates(&checked, today);
  CheckDoses(&checked);
  CheckRepeats(&checked);
  return checked;
}

}  // namespace galen::extract

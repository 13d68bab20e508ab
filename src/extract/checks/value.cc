#include "extract/checks/value.h"

#include <charconv>
#include <map>

#include "extract/checks/checks.h"

namespace galen::extract {
namespace {

// The innermost item of an array that holds the value as one of its fields:
// "/orders/0/items/2/name" to "/orders/0/items", 2, "name". False: there is none.
bool RowOf(const Json& document, const std::string& path, std::string* at, size_t* number,
           std::string* field) {
  for (size_t end = path.rfind('/'); end != path.npos && end > 0; end = path.rfind('/', end - 1)) {
    const size_t begin = path.rfind('/', end - 1) + 1;
    const char* stop = path.data() + end;
    const auto [last, error] = std::from_chars(path.data() + begin, stop, *number);
    if (error != std::errc() || last != stop) continue;
    *at = path.substr(0, begin - 1);
    const Json::json_pointer pointer(*at);  // paths of leaves are pointers
    if (!document.contains(pointer) || !document.at(pointer).is_array()) continue;
    *field = path.substr(end + 1);
    return true;
  }
  return false;
}

// Arrays of objects are lists of rows, whatever the schema means by them.
void ArrangeRows(const Json& document, CheckedAnswer* checked) {
  std::map<std::string, std::shared_ptr<const RecordSpec>> specs;
  std::map<std::pair<std::string, size_t>, size_t> places;
  for (Value& value : checked->values) {
    std::string at, field;
    size_t number = 0;
    if (!RowOf(document, value.leaf.path, &at, &number, &field)) continue;
    std::shared_ptr<const RecordSpec>& spec = specs[at];
    if (spec == nullptr) {
      RecordSpec made;
      made.at = at;
      made.role = "row";
      spec = std::make_shared<const RecordSpec>(std::move(made));
      checked->own_specs.push_back(spec);
    }
    const auto [place, added] = places.emplace(std::pair(at, number), checked->records.size());
    if (added) {
      checked->records.emplace_back();
      checked->records.back().spec = spec.get();
      checked->records.back().number = number;
    }
    checked->records[place->second].fields.emplace_back(field, &value);
  }
}

}  // namespace

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
  if (kind.records.empty() && kind.fields.empty()) ArrangeRows(answer.document, &checked);
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

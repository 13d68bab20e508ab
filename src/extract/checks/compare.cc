// Two readers of the same pages.
#include <algorithm>
#include <map>

#include "extract/checks/checks.h"
#include "extract/units/analyte.h"

namespace galen::extract {
namespace {

bool Same(const Json& a, const Json& b) {
  if (a.is_string() && b.is_string()) {
    return FoldText(a.get<std::string>()) == FoldText(b.get<std::string>());
  }
  return a == b;
}

std::string NameOf(const Record& record) {
  const Value* value = record.Use("name");
  return value != nullptr && value->leaf.value.is_string()
             ? FoldName(value->leaf.value.get<std::string>())
             : "";
}

// The path of the same value in the other answer: entries are matched by name, the k-th of a name
// with the k-th; entries without a counterpart have none.
std::map<std::string, std::string> MatchRecords(const CheckedAnswer& a, const CheckedAnswer& b) {
  std::map<std::string, std::string> prefixes;
  std::vector<bool> used(b.records.size(), false);
  for (const Record& record : a.records) {
    std::string& match = prefixes[record.spec->at + "/" + std::to_string(record.number)];
    for (size_t i = 0; i < b.records.size(); ++i) {
      const Record& other = b.records[i];
      if (used[i] || other.spec->at != record.spec->at || NameOf(other) != NameOf(record)) continue;
      used[i] = true;
      match = other.spec->at + "/" + std::to_string(other.number);
      break;
    }
  }
  return prefixes;
}

}  // namespace

void CompareReaders(CheckedAnswer* answer, const CheckedAnswer& other) {
  std::map<std::string, const Value*> theirs;
  for (const Value& value : other.values) theirs[value.leaf.path] = &value;
  const std::map<std::string, std::string> matches = MatchRecords(*answer, other);
  for (Value& value : answer->values) {
    std::string path = value.leaf.path;
    for (const auto& [ours, match] : matches) {
      if (!path.starts_with(ours + "/")) continue;
      path = match.empty() ? "" : match + path.substr(ours.size());
      break;
    }
    const auto at = path.empty() ? theirs.end() : theirs.find(path);
    if (at == theirs.end()) {
      value.Add("reader.missing", Level::kFlag, "the second reader does not have this value");
      continue;
    }
    value.other = at->second->leaf.value;
    if (Same(value.leaf.value, *value.other)) {
      value.Add("reader.agrees", Level::kOk, "both readers agree");
    } else {
      value.Add("reader.differs", Level::kFlag, "the second reader has another value");
    }
  }
}

}  // namespace galen::extract

#include "extract/output/display_order.h"

#include <algorithm>
#include <array>
#include <map>
#include <string_view>

namespace galen::extract {
namespace {

constexpr std::array<std::string_view, 8> kUseOrder = {"name",      "value", "dose", "unit",
                                                       "dose_unit", "low",   "high", "flag"};

size_t RankOf(const Value& value) {
  if (value.field == nullptr) return kUseOrder.size();
  const auto found = std::find(kUseOrder.begin(), kUseOrder.end(), value.field->use);
  return static_cast<size_t>(found - kUseOrder.begin());
}

}  // namespace

std::vector<DisplayGroup> DisplayGroups(const CheckedAnswer& answer) {
  std::map<const Value*, const Record*> records;
  for (const Record& record : answer.records) {
    for (const auto& [name, value] : record.fields) records[value] = &record;
  }
  std::vector<DisplayGroup> groups;
  std::map<const Record*, size_t> known;
  for (size_t i = 0; i < answer.values.size(); ++i) {
    const auto found = records.find(&answer.values[i]);
    const Record* record = found == records.end() ? nullptr : found->second;
    size_t group = groups.size();
    if (record != nullptr) group = known.emplace(record, group).first->second;
    if (group == groups.size()) groups.push_back({record, {}, std::nullopt});
    groups[group].values.push_back(i);
  }
  for (DisplayGroup& group : groups) {
    std::stable_sort(group.values.begin(), group.values.end(), [&](size_t a, size_t b) {
      return RankOf(answer.values[a]) < RankOf(answer.values[b]);
    });
    for (const size_t i : group.values) {
      if (!group.page && answer.values[i].evidence)
        group.page = answer.values[i].evidence->span.page;
    }
  }
  return groups;
}

}  // namespace galen::extract

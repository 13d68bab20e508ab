// In what order people read values, and on which page: shared by what is written for them.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "extract/checks/value.h"

namespace galen::extract {

// Values that are read together: a record (a laboratory result: name, value, unit, reference, flag,
// and what else it has), or a value outside of all records.
struct DisplayGroup {
  const Record* record = nullptr;
  std::vector<size_t> values;  // indexes into CheckedAnswer::values, all of them in some group
  // Where it is shown: of the values that stand on a page, the first one's. No value's: none.
  std::optional<size_t> page;
};

// Groups in the order of the answer; the values of a record in the order of their use.
std::vector<DisplayGroup> DisplayGroups(const CheckedAnswer& answer);

}  // namespace galen::extract

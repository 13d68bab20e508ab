// The same entry twice, and entries that contradict each other.
#include <algorithm>

#include "extract/checks/checks.h"
#include "extract/checks/geometry.h"
#include "extract/units/analyte.h"

namespace galen::extract {
namespace {

std::string RecordName(const Record& record) {
  for (const auto& [name, value] : record.fields) {
    if (name == record.spec->name && value->leaf.value.is_string()) {
      return FoldName(value->leaf.value.get<std::string>());
    }
  }
  return "";
}

Value* NameValue(const Record& record) {
  for (const auto& [name, value] : record.fields) {
    if (name == record.spec->name) return value;
  }
  return nullptr;
}

// The field in which two entries of one name differ; null: none.
const Value* Difference(const Record& a, const Record& b) {
  for (const auto& [name, value] : a.fields) {
    if (name == a.spec->name) continue;
    const auto at = std::find_if(b.fields.begin(), b.fields.end(),
                                 [&](const auto& field) { return field.first == name; });
    if (at != b.fields.end() && at->second->leaf.value != value->leaf.value) return at->second;
  }
  return nullptr;
}

// Identity on several pages: a page that states another birth date or number beside the same label
// is of somebody else.
void CheckPages(CheckedAnswer* answer) {
  Value* birth = answer->At("/patient/date_of_birth");
  CalendarDate date;
  if (birth == nullptr || birth->field == nullptr || !birth->leaf.value.is_string() ||
      !ReadIsoDate(birth->leaf.value.get<std::string>(), &date)) {
    return;
  }
  for (const PageIndex& page : answer->pages) {
    const std::vector<Span> same = page.FindDate(date);
    for (const std::string& text : birth->field->labels) {
      for (const Span& label : page.FindText(text)) {
        const PageIndex::Date* next = nullptr;
        for (const PageIndex::Date& found : page.dates()) {
          if (found.span.first <= label.last || found.span.first > label.last + 3) continue;
          if (found.readings[0].day == 0 || !SameRow(found.span.box, label.box)) continue;
          if (next == nullptr || found.span.first < next->span.first) next = &found;
        }
        if (next == nullptr) continue;
        const bool agrees = std::any_of(
            same.begin(), same.end(), [&](const Span& span) { return span.Overlaps(next->span); });
        if (agrees) continue;
        birth->Add("page.contradiction", Level::kFlag,
                   "page " + std::to_string(next->span.page + 1) +
                       " of the case states another birth date: another patient's page?",
                   "repeat.patient", "galen: a case is of one patient");
        return;
      }
    }
  }
}

}  // namespace

void CheckRepeats(CheckedAnswer* answer) {
  for (size_t i = 0; i < answer->records.size(); ++i) {
    Record& later = answer->records[i];
    const std::string name = RecordName(later);
    if (name.empty()) continue;
    for (size_t k = 0; k < i; ++k) {
      const Record& earlier = answer->records[k];
      if (earlier.spec != later.spec || RecordName(earlier) != name) continue;
      Value* value = NameValue(later);
      const Value* other = Difference(earlier, later);
      const std::string first = "entry " + std::to_string(earlier.number + 1);
      // Two places of the pages, or one that was read twice.
      const bool two = earlier.anchor && later.anchor &&
                       !(earlier.anchor->page == later.anchor->page &&
                         earlier.anchor->first == later.anchor->first);
      if (other == nullptr) {
        value->Add("repeat.duplicate", two ? Level::kNote : Level::kFlag, "the same as " + first,
                   "repeat.entry", "galen: an entry is stated once");
      } else {
        const bool pages = two && earlier.anchor->page != later.anchor->page;
        value->Add("repeat.contradiction", two && !pages ? Level::kNote : Level::kFlag,
                   "the same name as " + first + " with another " +
                       other->leaf.path.substr(other->leaf.path.rfind('/') + 1),
                   "repeat.entry", "galen: an entry is stated once");
      }
      break;
    }
  }
  CheckPages(answer);
}

}  // namespace galen::extract

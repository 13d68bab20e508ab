// Which rows are worth a second look by Tesseract, and what that settles. Only what the second look
// finds where it belongs settles anything; what it no longer sees does not.
#include <algorithm>
#include <set>
#include <string_view>

#include "extract/checks/checks.h"
#include "extract/checks/geometry.h"

namespace galen::extract {
namespace {

constexpr size_t kLabelPlaces = 2;  // of a value's label, that are looked at
constexpr size_t kShortWord = 3;    // specks and scraps of letters are shorter

bool Flagged(const Value& value, std::initializer_list<std::string_view> ids) {
  return std::any_of(ids.begin(), ids.end(), [&](std::string_view id) {
    const Verdict* verdict = value.Find(id);
    return verdict != nullptr && verdict->level == Level::kFlag;
  });
}
bool Misplaced(const Value& value) {
  return Flagged(value, {"source.not_found", "source.elsewhere", "source.differs"});
}
bool MarkedOtherwise(const Value& value) {
  return Flagged(value, {"flag.not_printed", "flag.not_as_printed"});
}

// Rows of pages that Tesseract read.
class Rows {
 public:
  explicit Rows(const CheckedAnswer& answer) : answer_(answer) {}

  // The whole row of the page that has the box's height.
  void Add(size_t page, const Box& box) {
    const SourcePage& source = answer_.pages[page].page();
    if (source.word_source != WordSource::kTesseract || !(box.y1 > box.y0)) return;
    if (Has(page, box)) return;
    Box row = box;
    for (const PageWord& word : source.words) {
      row.x0 = std::min(row.x0, word.box.x0);
      row.x1 = std::max(row.x1, word.box.x1);
    }
    rows_.push_back({page, row});
  }
  // Where the reader saw it, or beside a label.
  void Add(const Value& value) {
    if (const auto& seen = value.leaf.read_at) {
      return Add(seen->page, answer_.pages[seen->page].page().slope.Level(seen->box));
    }
    if (value.field == nullptr) return;
    for (const std::string& label : value.field->labels) {
      for (const PageIndex& page : answer_.pages) {
        const std::vector<Span> places = page.FindText(label);
        for (size_t i = 0; i < std::min(places.size(), kLabelPlaces); ++i) {
          Add(places[i].page, places[i].box);
        }
      }
    }
  }
  bool Has(size_t page, const Box& box) const {
    return std::any_of(rows_.begin(), rows_.end(), [&](const PagePart& row) {
      return row.page == page && SameRow(row.box, box);
    });
  }
  std::vector<PagePart> Take() { return std::move(rows_); }

 private:
  const CheckedAnswer& answer_;
  std::vector<PagePart> rows_;
};

bool StartsWithOne(const std::string& id, std::initializer_list<std::string_view> prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](std::string_view prefix) { return id.starts_with(prefix); });
}

// Verdicts of the kinds given are `from`'s, the others stay.
void TakeVerdicts(const Value& from, std::initializer_list<std::string_view> prefixes, Value* to) {
  std::erase_if(to->verdicts,
                [&](const Verdict& verdict) { return StartsWithOne(verdict.id, prefixes); });
  for (const Verdict& verdict : from.verdicts) {
    if (!StartsWithOne(verdict.id, prefixes)) continue;
    to->verdicts.push_back(verdict);
    if (verdict.id == "source.found") {
      to->verdicts.back().message = "stands on the page (read at a second look)";
    }
  }
}

class Adoption {
 public:
  Adoption(CheckedAnswer* answer, const CheckedAnswer& again) : answer_(answer), again_(again) {}

  void Run() {
    std::vector<const Value*> in_records;
    for (size_t i = 0; i < answer_->records.size(); ++i) {
      Record& record = answer_->records[i];
      for (const auto& [name, value] : record.fields) in_records.push_back(value);
      AdoptRecord(record, again_.records[i]);
    }
    std::sort(in_records.begin(), in_records.end());
    for (Value& value : answer_->values) {
      if (std::binary_search(in_records.begin(), in_records.end(), &value)) continue;
      if (Misplaced(value) && Settled(value) && Beside(value)) Adopt(&value);
    }
  }

 private:
  const Value& Again(const Value& value) const {
    return again_.values[static_cast<size_t>(&value - answer_->values.data())];
  }
  // The place of the second look's evidence on the level page.
  Box PlaceAgain(const Value& value) const {
    const Span& span = Again(value).evidence->span;
    return again_.pages[span.page].SpanOf(span.first, span.last).box;
  }
  // It is found, and the first look has nothing in the row that could be read instead of it: two
  // looks that contradict each other are a reason for somebody to look.
  bool Settled(const Value& value) const {
    const Value& other = Again(value);
    if (!other.evidence) return false;
    const bool found = other.Find("source.found") != nullptr && other.evidence->compared;
    if (!found) return other.Find("source.misread") != nullptr;
    const Box place = PlaceAgain(value);
    const PageIndex& first = answer_->pages[other.evidence->span.page];
    const auto& words = first.page().words;
    for (size_t i = 0; i < words.size(); ++i) {
      if (SameRow(words[i].box, place) && Rival(value, first, other.evidence->span.page, i)) {
        return false;
      }
    }
    return true;
  }

  // Whether a word of the first look may be what the value was read from: nothing else of the
  // answer stands there, and it is of the value's sort.
  bool Rival(const Value& value, const PageIndex& page, size_t number, size_t word) const {
    const std::string folded = FoldText(page.page().words[word].text);
    const bool digits = folded.find_first_of("0123456789") != folded.npos;
    if (!digits && (value.leaf.value.is_number() || folded.size() < kShortWord)) return false;
    if (value.leaf.value.is_string() && !folded.empty() &&
        FoldText(value.leaf.value.get<std::string>()).find(folded) != std::string::npos) {
      return false;  // a part of it
    }
    const bool taken =
        std::any_of(answer_->values.begin(), answer_->values.end(), [&](const Value& known) {
          return known.evidence && known.evidence->compared &&
                 known.Find("source.found") != nullptr && !adopted_.contains(&known) &&
                 known.evidence->span.page == number && known.evidence->span.Holds(word);
        });
    if (taken) return false;
    if (value.field == nullptr) return true;
    return std::none_of(value.field->labels.begin(), value.field->labels.end(),
                        [&](const std::string& label) {
                          for (const Span& span : page.FindText(label)) {
                            if (span.Holds(word)) return true;
                          }
                          return false;
                        });
  }

  // In its own row, by the names of both looks.
  bool InRow(const Record& record, const Record& again, const Value& value) const {
    if (!record.anchor || !again.anchor || record.anchor->page != again.anchor->page) return false;
    const Box& own = record.anchor->box;
    if (!SameRow(own, again.anchor->box)) return false;
    const Box place = PlaceAgain(value);
    if (Again(value).evidence->span.page != record.anchor->page || !SameRow(place, own)) {
      return false;
    }
    // Not beyond the next name, nor before the one to the left.
    return std::none_of(answer_->records.begin(), answer_->records.end(), [&](const Record& next) {
      if (&next == &record || !next.anchor || next.anchor->page != record.anchor->page ||
          !SameRow(next.anchor->box, own)) {
        return false;
      }
      const Box& name = next.anchor->box;
      return name.x0 > own.x0 ? place.x1 > name.x0 : name.x0 < own.x0 && place.x0 < own.x0;
    });
  }

  void AdoptRecord(const Record& record, const Record& again) {
    bool value_adopted = false;
    for (const auto& [name, value] : record.fields) {
      if (!Misplaced(*value) || !Settled(*value) || !InRow(record, again, *value)) continue;
      Adopt(value);
      value_adopted = value_adopted || value == record.Use("value");
    }
    Value* flag = record.Use("flag");
    if (flag == nullptr) return;
    // A mark beside a value that only now has a place is judged now; one that was misread only
    // where it is seen as the answer has it.
    const Value* value = again.Use("value");
    const bool printed = Again(*flag).Find("flag.printed") != nullptr && value != nullptr &&
                         value->Find("source.found") != nullptr;
    if (value_adopted || (MarkedOtherwise(*flag) && printed)) {
      TakeVerdicts(Again(*flag), {"flag."}, flag);
    }
  }

  // In a row that was looked at for this value, with the labels that the first look saw there.
  bool Beside(const Value& value) const {
    Rows rows(*answer_);
    rows.Add(value);
    const size_t page = Again(value).evidence->span.page;
    if (!rows.Has(page, PlaceAgain(value))) return false;
    if (value.field == nullptr) return true;
    for (const std::string& label : value.field->labels) {
      for (const PageIndex& first : answer_->pages) {
        for (const Span& seen : first.FindText(label)) {
          if (!rows.Has(seen.page, seen.box)) continue;
          const std::vector<Span> now = again_.pages[seen.page].FindText(label);
          const bool still = std::any_of(now.begin(), now.end(), [&](const Span& place) {
            return SameRow(place.box, seen.box);
          });
          if (!still) return false;
        }
      }
    }
    return true;
  }

  void Adopt(Value* value) {
    const Value& other = Again(*value);
    adopted_.insert(value);
    value->evidence = other.evidence;
    // They would be places among the words of the second look.
    value->evidence->span.first = value->evidence->span.last = 0;
    TakeVerdicts(other, {"source.", "unit."}, value);
  }

  CheckedAnswer* answer_;
  const CheckedAnswer& again_;
  std::set<const Value*> adopted_;
};

}  // namespace

std::vector<PagePart> RowsInDoubt(const CheckedAnswer& answer) {
  Rows rows(answer);
  std::vector<const Value*> in_records;
  for (const Record& record : answer.records) {
    for (const auto& [name, value] : record.fields) {
      in_records.push_back(value);
      if (!Misplaced(*value) && !MarkedOtherwise(*value)) continue;
      if (record.anchor) {
        rows.Add(record.anchor->page, record.anchor->box);
      } else {
        rows.Add(*value);
      }
    }
  }
  std::sort(in_records.begin(), in_records.end());
  for (const Value& value : answer.values) {
    if (std::binary_search(in_records.begin(), in_records.end(), &value)) continue;
    if (Misplaced(value)) rows.Add(value);
  }
  return rows.Take();
}

void AdoptConfirmed(CheckedAnswer* answer, const CheckedAnswer& again) {
  Adoption(answer, again).Run();
}

}  // namespace galen::extract

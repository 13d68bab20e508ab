// Evidence: where on the pages each value stands. A value of a record counts as found only in the
// record's own row (or column): what stands elsewhere on the pages may belong to something else.
#include <algorithm>
#include <map>
#include <set>
#include <span>

#include "extract/checks/candidates.h"
#include "extract/checks/checks.h"
#include "extract/checks/geometry.h"

namespace galen::extract {
namespace {

// Below the row of its name, a record may go on for so many heights of a line without a gap of more
// than kLineGap of them.
constexpr double kLineGap = 1.6;
constexpr double kRecordLines = 6;
// A label and its value, the value below.
constexpr double kBelowLabel = 2.5;
constexpr double kWordGap = 0.5;  // of a line's height, between words of one cell
constexpr size_t kWordsAfterLabel = 8;
constexpr size_t kLongText = 8;  // words
constexpr double kWholeText = 0.999;

// Of values of a schema of one's own that stand on the pages, the share that must stand in the rows
// of their entries before the others count as misplaced.
constexpr double kRowShare = 0.5;
// Fields, and places of each, among which the row of such an entry is looked for.
constexpr size_t kRowFields = 3;
constexpr size_t kRowPlaces = 200;
// Of a value that nothing can be compared with: its least likely token. Of galen-mini's values on
// clean pages 2 % of the right and 65 % of the wrong ones lie below (docs/models/galen-mini.md).
constexpr double kDoubt = 0.9;

// The places of one record on its page.
struct Region {
  size_t page = 0;
  std::set<size_t> row;    // words of the row of the name
  std::set<size_t> below;  // words of the lines that follow
};

class Locator {
 public:
  explicit Locator(CheckedAnswer* answer) : answer_(answer) {
    for (Record& record : answer_->records) {
      for (auto& [name, value] : record.fields) owners_[value] = &record;
    }
  }

  void Run() {
    has_words_ = std::any_of(answer_->pages.begin(), answer_->pages.end(),
                             [](const PageIndex& page) { return !page.page().words.empty(); });
    if (has_words_) {
      FindAnchors();
      for (Record& record : answer_->records) LocateRecord(&record);
      for (const auto& [spec, rows] : rows_) JudgeRows(rows);
    }
    for (Value& value : answer_->values) {
      if (NothingToFind(value)) continue;
      if (!Comparable(value)) {
        value.Add("source.not_checked", Level::kNote, "the pages have no words to compare with");
        if (value.confidence && value.confidence->lowest < kDoubt) {
          value.Add("confidence.low", Level::kFlag,
                    "the reader was unsure, and nothing else has read the page");
        }
      } else if (owners_.count(&value) == 0) {
        LocateAlone(&value);
      }
      const std::optional<PagePart>& seen = value.leaf.read_at;
      if (!value.evidence && seen) {
        value.evidence = Evidence{{seen->page, 0, 0, seen->box}, "", false};
      }
    }
  }

 private:
  // There are words where the value was read; where that is not known, anywhere.
  bool Comparable(const Value& value) const {
    const std::optional<PagePart>& seen = value.leaf.read_at;
    return seen ? !Page(seen->page).page().words.empty() : has_words_;
  }
  const PageIndex& Page(size_t i) const { return answer_->pages[i]; }

  // Evidence has the box that people see, not that of the page made level.
  void Show(Value* value, Span span) {
    value->evidence = Evidence{span, WordsOf(Page(span.page), span)};
    value->evidence->span.box = Page(span.page).page().Shown(span.first, span.last);
  }
  void Found(Value* value, const Span& span) {
    Show(value, span);
    value->Add("source.found", Level::kOk, "stands on the page");
  }
  void Elsewhere(Value* value, const Span& span, const std::string& where) {
    Show(value, span);
    value->Add("source.elsewhere", Level::kFlag, "stands on the pages, but not " + where);
  }
  void NotFound(Value* value) {
    const bool seen = std::any_of(
        answer_->pages.begin(), answer_->pages.end(),
        [](const PageIndex& page) { return page.page().word_source == WordSource::kTesseract; });
    value->Add("source.not_found", Level::kFlag,
               seen ? "Tesseract does not find it on the pages" : "stands nowhere on the pages");
  }

  const std::vector<Span>& Places(const Value* value) const {
    const auto [at, added] = places_.try_emplace(value);
    if (added) at->second = Candidates(answer_->pages, *value);
    return at->second;
  }

  // The other fields of the record that stand beside the name, for choosing among several places.
  int Score(const Record& record, const Span& anchor) const {
    int score = 0;
    for (const auto& [name, value] : record.fields) {
      if (name == record.spec->name || NothingToFind(*value)) continue;
      for (const Span& span : Places(value)) {
        if (span.page != anchor.page || span.Overlaps(anchor)) continue;
        if (SameRow(span.box, anchor.box)) {
          score += 3;
          break;
        }
        const bool column = record.spec->role == "reading" && SameColumn(span.box, anchor.box);
        const double gap = span.box.y0 - anchor.box.y1;
        const bool next_line = gap >= 0 && gap < kLineGap * Height(anchor.box);
        if (column || next_line) {
          ++score;
          break;
        }
      }
    }
    return score;
  }

  // Entries of a schema of one's own have no field that is known to name them: the row is where
  // most of an entry's values stand together, by the places of those that the pages have least
  // often, texts before numbers.
  void FindRow(Record* record, std::vector<Span>* taken) {
    std::vector<const Value*> fields;
    for (const auto& [name, value] : record->fields) {
      if (!NothingToFind(*value) && !Places(value).empty()) fields.push_back(value);
    }
    std::stable_sort(fields.begin(), fields.end(), [&](const Value* a, const Value* b) {
      return Places(a).size() < Places(b).size();
    });
    if (fields.size() > kRowFields) fields.resize(kRowFields);
    int best = -1;
    for (const Value* value : fields) {
      const int text = value->leaf.value.is_string() ? 1 : 0;
      const std::span<const Span> places(Places(value));
      for (const Span& span : places.first(std::min(places.size(), kRowPlaces))) {
        const bool used = std::any_of(taken->begin(), taken->end(),
                                      [&](const Span& t) { return t.Overlaps(span); });
        const int score = 4 * Score(*record, span) + 2 * (used ? 0 : 1) + text;
        if (score <= best) continue;
        best = score;
        record->anchor = span;
        anchored_[record] = value;
      }
    }
    if (record->anchor) taken->push_back(*record->anchor);
  }

  // Where the values of entries do not stand in rows, a place elsewhere says little.
  struct Rows {
    int64_t together = 0;
    std::vector<Value*> apart;
  };
  static void JudgeRows(const Rows& rows) {
    const auto apart = static_cast<double>(rows.apart.size());
    const double all = static_cast<double>(rows.together) + apart;
    if (all == 0 || static_cast<double>(rows.together) / all >= kRowShare) return;
    for (Value* value : rows.apart) {
      for (Verdict& verdict : value->verdicts) {
        if (verdict.id != "source.elsewhere") continue;
        verdict.level = Level::kNote;
        verdict.message =
            "stands on the pages; that it belongs to this entry was not checked: the page has no "
            "rows";
      }
    }
  }

  void FindAnchors() {
    std::vector<Span> taken;
    for (Record& record : answer_->records) {
      if (record.spec->role == "row") {
        FindRow(&record, &taken);
        continue;
      }
      const auto name =
          std::find_if(record.fields.begin(), record.fields.end(),
                       [&](const auto& field) { return field.first == record.spec->name; });
      if (name == record.fields.end() || NothingToFind(*name->second)) continue;
      int best = -1;
      for (const Span& span : Places(name->second)) {
        const bool used = std::any_of(taken.begin(), taken.end(), [&](const Span& t) {
          return t.page == span.page && t.first == span.first && t.last == span.last;
        });
        const int score = 2 * Score(record, span) - (used ? 1 : 0);
        if (score > best) {
          best = score;
          record.anchor = span;
        }
      }
      if (record.anchor) taken.push_back(*record.anchor);
    }
  }

  // The next record's name to the right in the same row, and the row where the next record begins.
  Region RegionOf(const Record& record) const {
    const Span& anchor = *record.anchor;
    Region region;
    region.page = anchor.page;
    double right = 1e30, left = -1e30, stop = 1e30;
    for (const Record& other : answer_->records) {
      if (other.spec != record.spec || !other.anchor || &other == &record) continue;
      const Span& o = *other.anchor;
      if (o.page != anchor.page || (o.first == anchor.first && o.last == anchor.last)) continue;
      if (SameRow(o.box, anchor.box)) {
        if (o.box.x0 > anchor.box.x0) right = std::min(right, o.box.x0);
        if (o.box.x0 <= anchor.box.x0) left = anchor.box.x0;
      } else if (o.box.y0 > anchor.box.y0) {
        stop = std::min(stop, o.box.y0);
      }
    }
    const auto& words = Page(anchor.page).page().words;
    const double line = Height(words[anchor.first].box);
    std::vector<size_t> under;
    for (size_t i = 0; i < words.size(); ++i) {
      const Box& box = words[i].box;
      if (box.x0 >= right || box.x1 <= left) continue;
      if (anchor.Holds(i) || SameRow(box, anchor.box)) {
        region.row.insert(i);
      } else if (MiddleY(box) > anchor.box.y1 && MiddleY(box) < stop &&
                 box.y0 < anchor.box.y1 + kRecordLines * line) {
        under.push_back(i);
      }
    }
    std::sort(under.begin(), under.end(),
              [&](size_t a, size_t b) { return words[a].box.y0 < words[b].box.y0; });
    double bottom = anchor.box.y1;
    for (const size_t i : under) {
      if (words[i].box.y0 > bottom + kLineGap * line) break;
      region.below.insert(i);
      bottom = std::max(bottom, words[i].box.y1);
    }
    return region;
  }

  // The label with the words that follow it closely: "Pain (0-10)" heads the whole column.
  Box LabelCell(const Span& label) const {
    const auto& words = Page(label.page).page().words;
    Box cell = label.box;
    for (size_t i = label.last + 1; i < words.size(); ++i) {
      const Box& next = words[i].box;
      const double gap = next.x0 - cell.x1;
      if (!SameRow(next, cell) || gap < 0 || gap > kWordGap * Height(cell)) break;
      cell.x1 = next.x1;
    }
    return cell;
  }

  // Measures of a reading stand where its row (or column) meets the label's column (or row).
  bool Crossing(const Record& record, const Value& value, const Span& span) const {
    const Box& anchor = record.anchor->box;
    if (span.page != record.anchor->page) return false;
    const bool row = SameRow(span.box, anchor), column = SameColumn(span.box, anchor);
    if (!row && !column) return false;
    bool labelled = false;
    for (const std::string& label : value.field->labels) {
      for (const Span& l : Page(span.page).FindText(label)) {
        if (l.Overlaps(span)) continue;
        labelled = true;
        if (column && SameRow(span.box, l.box)) return true;
        if (row && SameColumn(span.box, LabelCell(l))) return true;
      }
    }
    return !labelled;
  }

  static bool Within(const Span& span, const Region& region, bool below) {
    if (span.page != region.page) return false;
    bool any_below = false;
    for (size_t i = span.first; i <= span.last; ++i) {
      const bool lower = region.below.count(i) > 0;
      if (!lower && region.row.count(i) == 0) return false;
      any_below = any_below || lower;
    }
    return below || !any_below;
  }

  void LocateRecord(Record* record) {
    std::optional<Region> region;
    if (record->anchor) region = RegionOf(*record);
    // The range first: its numbers must not serve as evidence of the result.
    std::vector<std::pair<int, Value*>> order;
    for (auto& [name, value] : record->fields) {
      const std::string use = value->field != nullptr ? value->field->use : "";
      order.emplace_back(use == "low" ? 0 : use == "high" ? 1 : use == "name" ? 2 : 3, value);
    }
    std::stable_sort(order.begin(), order.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    std::set<size_t> used;
    std::optional<Span> low;
    for (auto& [rank, value] : order) {
      if (NothingToFind(*value) || !Comparable(*value)) continue;
      const auto anchored = anchored_.find(record);
      if (record->anchor &&
          (rank == 2 || (anchored != anchored_.end() && anchored->second == value))) {
        Found(value, *record->anchor);
        continue;
      }
      const std::vector<Span>& spans = Places(value);
      const Span* best = nullptr;
      int best_score = -1;
      for (const Span& span : spans) {
        if (!record->anchor) break;
        if (span.Overlaps(*record->anchor) && value->leaf.value.is_number()) continue;
        const bool reading = record->spec->role == "reading" && value->field != nullptr;
        if (reading ? !Crossing(*record, *value, span) : !Within(span, *region, true)) continue;
        if (rank == 3 && value->leaf.value.is_number() && used.count(span.first) > 0) continue;
        int score = reading || Within(span, *region, false) ? 4 : 0;
        // Both ends of a range stand side by side, behind the result.
        if (rank == 1 && low && span.first >= low->first && span.first - low->first <= 3)
          score += 2;
        if (rank == 0 || (rank == 1 && !low)) score += RangeLike(span) ? 2 : 0;
        if (score > best_score) {
          best_score = score;
          best = &span;
        }
      }
      const bool own_row = record->spec->role == "row";
      if (best != nullptr) {
        Found(value, *best);
        if (own_row) ++rows_[record->spec].together;
        if (rank == 0) low = *best;
        if (rank <= 1) used.insert(best->first);
      } else if (spans.empty() && own_row) {
        LocateLongText(value);
      } else if (spans.empty()) {
        NotFound(value);
      } else if (own_row && IsLongText(*value)) {
        Found(value, spans[0]);  // as it stands nowhere else
      } else {
        Elsewhere(value, spans[0],
                  own_row          ? "in the row of this entry's other values"
                  : record->anchor ? "beside the name of this entry"
                                   : "in an entry of this name");
        if (own_row) rows_[record->spec].apart.push_back(value);
      }
    }
  }

  // A number that is an end of "a - b", "a-b", "< b".
  bool RangeLike(const Span& span) const {
    const auto& words = Page(span.page).page().words;
    const auto dash = [&](size_t i) {
      const std::string& text = words[i].text;
      return text == "-" || text == "–" || text == "to" || text == "<" || text == ">" ||
             text == "≤" || text == "≥";
    };
    const std::string& own = words[span.first].text;
    return own.find('-', 1) != own.npos || own.find("–") != own.npos || own[0] == '<' ||
           own[0] == '>' || (span.first + 1 < words.size() && dash(span.first + 1)) ||
           (span.first > 0 && dash(span.first - 1));
  }

  bool BesideLabel(const Value& value, const Span& label, const Span& span) const {
    if (label.page != span.page || label.Overlaps(span)) return false;
    const PageIndex& page = Page(span.page);
    const bool right = SameRow(label.box, span.box) && span.box.x0 >= label.box.x0;
    const double gap = span.box.y0 - label.box.y1;
    const bool below = gap > -0.5 * Height(label.box) && gap < kBelowLabel * Height(label.box) &&
                       SameColumn(label.box, span.box);
    const bool after = span.first > label.last && span.first - label.last <= kWordsAfterLabel;
    if (!right && !below && !after) return false;
    if (value.field->date.empty()) return true;
    // Of several dates, the label means the next one: to the right, else in reading order.
    return std::none_of(page.dates().begin(), page.dates().end(), [&](const PageIndex::Date& date) {
      if (date.span.Overlaps(span)) return false;
      const bool beside = SameRow(date.span.box, label.box) && date.span.box.x0 >= label.box.x0;
      if (right) return beside && date.span.box.x0 < span.box.x0;
      return beside || (date.span.first > label.last && date.span.first < span.first);
    });
  }

  void LocateAlone(Value* value) {
    const std::vector<Span>& spans = Places(value);
    if (spans.empty()) return LocateLongText(value);
    bool labelled = false;
    if (value->field != nullptr) {
      for (const std::string& text : value->field->labels) {
        for (const PageIndex& page : answer_->pages) {
          for (const Span& label : page.FindText(text)) {
            for (const Span& span : spans) {
              if (BesideLabel(*value, label, span)) return Found(value, span);
            }
            labelled = true;
          }
        }
      }
    }
    if (!labelled) return Found(value, spans[0]);
    Elsewhere(value, spans[0], "beside the words that name it");
  }

  static bool IsLongText(const Value& value) {
    if (!value.leaf.value.is_string()) return false;
    const auto& text = value.leaf.value.get_ref<const std::string&>();
    return static_cast<size_t>(std::count(text.begin(), text.end(), ' ')) + 1 >= kLongText;
  }

  void LocateLongText(Value* value) {
    if (!value->leaf.value.is_string()) return NotFound(value);
    const std::string text = value->leaf.value.get<std::string>();
    Span first;
    const double share = IsLongText(*value) ? ShareFound(answer_->pages, text, &first) : 0;
    if (share >= kWholeText) return Found(value, first);
    if (share <= 0.5) return NotFound(value);
    Show(value, first);
    value->Add("source.differs", Level::kFlag,
               "the page has " + std::to_string(static_cast<int>(100 * share)) +
                   " % of this text word for word");
  }

  CheckedAnswer* answer_;
  std::map<const Value*, const Record*> owners_;
  std::map<const Record*, const Value*> anchored_;  // of rows: the value at the anchor
  std::map<const RecordSpec*, Rows> rows_;
  mutable std::map<const Value*, std::vector<Span>> places_;
  bool has_words_ = false;
};

}  // namespace

void LocateValues(CheckedAnswer* answer) { Locator(answer).Run(); }

}  // namespace galen::extract

#include "extract/source/index.h"

#include <algorithm>

#include "extract/units/unit_names.h"

namespace galen::extract {
namespace {

bool IsNumberDigit(char c) { return c >= '0' && c <= '9'; }
bool Letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c & 0x80) != 0; }

// A letter ends in front of the byte; dashes and other general punctuation (U+2000 to U+203F,
// U+2212) are none.
bool LetterBefore(std::string_view text, size_t at) {
  if (at == 0 || !Letter(text[at - 1])) return false;
  const std::string_view three = at >= 3 ? text.substr(at - 3, 3) : std::string_view();
  return !three.starts_with("\xE2\x80") && three != "−" && three != "≤" && three != "≥" &&
         !text.substr(0, at).ends_with("±");
}

// What a run of digits, points, commas and apostrophes may mean.
std::vector<std::string> NumberReadings(std::string_view run) {
  std::vector<std::string> readings;
  const auto add = [&](std::string text) {
    text = CanonicalNumber(text);
    if (!text.empty() && std::find(readings.begin(), readings.end(), text) == readings.end()) {
      readings.push_back(std::move(text));
    }
  };
  std::string plain(run), grouped;
  std::replace(plain.begin(), plain.end(), ',', '.');
  add(plain);
  // "1,234.5", "1.234,5": of several signs the last may be the point, the others separate groups.
  const size_t last = run.find_last_of(".,");
  if (run.find_first_of(".,'") != last) {
    for (size_t i = 0; i < run.size(); ++i) {
      if (IsNumberDigit(run[i])) grouped += run[i];
      if (i == last) grouped += '.';
    }
    add(grouped);
  }
  // "1,234": groups of three.
  const size_t first = run.find_first_of(",'");
  if (first != run.npos && first <= 3 && run.size() - first == 4) {
    std::string joined;
    for (const char c : run) {
      if (IsNumberDigit(c)) joined += c;
    }
    add(joined);
  }
  return readings;
}

// "500mg," to "mg": what stands in front of a unit and behind it.
std::string_view UnitPart(std::string_view word) {
  while (!word.empty() && (word.back() == ',' || word.back() == ';' || word.back() == ')' ||
                           word.back() == ':' || (word.back() == '.' && word.size() > 1))) {
    word.remove_suffix(1);
  }
  while (!word.empty() && (word.front() == '(' || word.front() == '[')) word.remove_prefix(1);
  return word;
}
std::string_view WithoutNumber(std::string_view word) {
  const size_t at = word.find_first_not_of("0123456789.,<>");
  return at == word.npos ? std::string_view() : word.substr(at);
}

}  // namespace

PageIndex::PageIndex(const SourcePage& page, size_t number) : page_(&page), number_(number) {
  for (size_t i = 0; i < page.words.size(); ++i) {
    folded_.Append(page.words[i].text, i);
    AddNumbers(i);
  }
  AddDates();
  AddTimes();
  AddUnits();
}

Span PageIndex::SpanOf(size_t first, size_t last) const {
  Span span{number_, first, last, page_->words[first].box};
  for (size_t i = first + 1; i <= last; ++i) {
    const Box& box = page_->words[i].box;
    span.box.x0 = std::min(span.box.x0, box.x0);
    span.box.y0 = std::min(span.box.y0, box.y0);
    span.box.x1 = std::max(span.box.x1, box.x1);
    span.box.y1 = std::max(span.box.y1, box.y1);
  }
  return span;
}

std::vector<Span> PageIndex::FindText(std::string_view text) const {
  std::vector<Span> spans;
  const std::string wanted = FoldText(text);
  if (wanted.empty()) return spans;
  const std::string& stream = folded_.text();
  for (size_t at = stream.find(wanted); at != stream.npos; at = stream.find(wanted, at + 1)) {
    const size_t end = at + wanted.size();
    if (!folded_.Boundary(at) || !folded_.Boundary(end)) continue;
    spans.push_back(SpanOf(folded_.owner(at), folded_.owner(end - 1)));
  }
  return spans;
}

void PageIndex::AddNumbers(size_t word) {
  const std::string& text = page_->words[word].text;
  bool plain = !text.empty();
  for (const char c : text) plain = plain && (IsNumberDigit(c) || c == '.' || c == ',');
  if (!plain && !UnitCode(text).empty()) return;
  for (size_t i = 0; i < text.size();) {
    if (!IsNumberDigit(text[i])) {
      ++i;
      continue;
    }
    size_t end = i;
    while (end < text.size() && (IsNumberDigit(text[end]) ||
                                 ((text[end] == '.' || text[end] == ',' || text[end] == '\'') &&
                                  end + 1 < text.size() && IsNumberDigit(text[end + 1])))) {
      ++end;
    }
    const std::string_view run = std::string_view(text).substr(i, end - i);
    // "HbA1c", "T4": part of a name. ".5" has a point in front.
    const bool named = LetterBefore(text, i) && (i > 1 || text[0] != 'x');
    if (!named) {
      Number number{word, NumberReadings(run)};
      if (i > 0 && (text[i - 1] == '.' || text[i - 1] == ',') &&
          (i < 2 || !IsNumberDigit(text[i - 2]))) {
        number.readings = {CanonicalNumber("." + std::string(run))};
      }
      if (i == 1 && text[0] == '-') {
        for (size_t r = 0, n = number.readings.size(); r < n; ++r) {
          number.readings.push_back(CanonicalNumber("-" + number.readings[r]));
        }
      }
      if (i >= 3 && std::string_view(text).substr(i - 3, 3) == "−") {
        for (std::string& reading : number.readings) reading = CanonicalNumber("-" + reading);
      }
      numbers_.push_back(std::move(number));
    }
    i = end;
  }
}

bool PageIndex::HasNumber(size_t word) const {
  return std::any_of(numbers_.begin(), numbers_.end(),
                     [&](const Number& number) { return number.word == word; });
}

std::vector<Span> PageIndex::FindNumber(std::string_view canonical) const {
  std::vector<Span> spans;
  for (const Number& number : numbers_) {
    if (std::find(number.readings.begin(), number.readings.end(), canonical) !=
        number.readings.end()) {
      spans.push_back(SpanOf(number.word, number.word));
    }
  }
  return spans;
}

std::vector<Span> PageIndex::FindDate(const CalendarDate& date) const {
  std::vector<Span> spans;
  for (const Date& found : dates_) {
    const bool fits =
        std::any_of(found.readings.begin(), found.readings.end(), [&](const CalendarDate& reading) {
          return reading.year == date.year &&
                 (reading.month == date.month || (reading.month == 0 && date.month == 1)) &&
                 (reading.day == date.day || (reading.day == 0 && date.day == 1));
        });
    if (fits) spans.push_back(found.span);
  }
  return spans;
}

std::vector<Span> PageIndex::FindTime(int hour, int minute) const {
  std::vector<Span> spans;
  for (const Time& time : times_) {
    if (time.hour == hour && time.minute == minute) spans.push_back(time.span);
  }
  return spans;
}

void PageIndex::AddUnits() {
  const auto& words = page_->words;
  for (size_t first = 0; first < words.size(); ++first) {
    std::string joined;
    for (size_t last = first; last < std::min(words.size(), first + 3); ++last) {
      joined += words[last].text;
      const std::string_view part = UnitPart(joined);
      // "500mg": the number goes, and what is a number alone is no unit.
      for (const std::string_view text : {part, WithoutNumber(part)}) {
        if (text.empty() || text.find_first_not_of("0123456789.,") == text.npos) continue;
        if (text.size() != part.size() && last != first) continue;
        units_.push_back({first, last, FoldUnit(text), UnitCode(text)});
        if (text.size() == part.size() && WithoutNumber(part).size() == part.size()) break;
      }
    }
  }
}

std::vector<Span> PageIndex::FindUnit(std::string_view printed) const {
  std::vector<Span> spans;
  const std::string folded = FoldUnit(printed), code = UnitCode(printed);
  if (folded.empty()) return spans;
  for (const Unit& unit : units_) {
    if (unit.folded != folded && (code.empty() || unit.code != code)) continue;
    // "mm" of "mm Hg" when that is meant.
    if (!spans.empty() && spans.back().first == unit.first) continue;
    spans.push_back(SpanOf(unit.first, unit.last));
  }
  return spans;
}

}  // namespace galen::extract

// Where texts, numbers, dates and times stand on a page.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "extract/source/page.h"

namespace galen::extract {

// Words [first, last] of a page, and the rectangle around them.
struct Span {
  size_t page = 0;
  size_t first = 0;
  size_t last = 0;
  Box box;

  bool Holds(size_t word) const { return first <= word && word <= last; }
  bool Overlaps(const Span& o) const {
    return page == o.page && first <= o.last && o.first <= last;
  }
};

// A text without what printing changes: case, spaces, hyphens, punctuation. Decimal points stay
// (commas between digits become points), "|" keeps numbers apart that were apart.
class FoldedText {
 public:
  void Append(std::string_view word, size_t owner);
  const std::string& text() const { return text_; }
  size_t owner(size_t at) const { return owners_[at]; }
  // Something was left out before the byte, or it is the first or last.
  bool Boundary(size_t at) const { return at >= boundaries_.size() || boundaries_[at]; }

 private:
  void Put(char c, size_t owner);

  std::string text_;
  std::vector<size_t> owners_;
  std::vector<bool> boundaries_;
  bool apart_ = true;
};
std::string FoldText(std::string_view text);

// "5.40", "+5.4" and "05.4" to "5.4"; empty: no plain decimal.
std::string CanonicalNumber(std::string_view text);

struct CalendarDate {
  int year = 0, month = 0, day = 0;  // month or day 0: not stated
  bool operator==(const CalendarDate&) const = default;
};
bool IsPossible(const CalendarDate& date);
// Days since 1970-01-01, of a possible date.
int64_t DayNumber(const CalendarDate& date);
// "2024-03-05", and nothing else.
bool ReadIsoDate(std::string_view text, CalendarDate* date);

class PageIndex {
 public:
  PageIndex(const SourcePage& page, size_t number);

  const SourcePage& page() const { return *page_; }
  // Whole words that spell the text, whatever the line breaks.
  std::vector<Span> FindText(std::string_view text) const;
  std::vector<Span> FindNumber(std::string_view canonical) const;
  // Where the page states no day (or month), the first of the month (or year) fits.
  std::vector<Span> FindDate(const CalendarDate& date) const;
  std::vector<Span> FindTime(int hour, int minute) const;
  struct Date {
    Span span;
    std::vector<CalendarDate> readings;  // several where day and month may be exchanged
  };
  const std::vector<Date>& dates() const { return dates_; }
  struct Unit {
    size_t first, last;        // words
    std::string folded, code;  // FoldUnit; UnitCode: empty where no unit is spelled so
  };
  // Every run of one to three words that may be a unit: by its spelling (FoldUnit) or its UCUM
  // code.
  std::vector<Span> FindUnit(std::string_view printed) const;
  const std::vector<Unit>& units() const { return units_; }
  // A word with digits in it that is part of a unit ("10^9/L") is no number.
  bool HasNumber(size_t word) const;

  Span SpanOf(size_t first, size_t last) const;

 private:
  struct Number {
    size_t word;
    std::vector<std::string> readings;  // canonical
  };
  void AddNumbers(size_t word);
  void AddUnits();
  void AddDates();
  void AddTimes();
  struct Time {
    Span span;
    int hour, minute;
  };

  const SourcePage* page_;
  size_t number_;
  FoldedText folded_;
  std::vector<Number> numbers_;
  std::vector<Date> dates_;
  std::vector<Time> times_;
  std::vector<Unit> units_;
};

}  // namespace galen::extract

// Dates and times among the words of a page.
#include <algorithm>
#include <charconv>

#include "extract/source/index.h"

namespace galen::extract {
namespace {

constexpr int kOldest = 1880, kNewest = 2150;

bool IsDateDigit(char c) { return c >= '0' && c <= '9'; }

bool Leap(int year) { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; }

// English, German, French, Spanish: the beginning of the name decides, where the rest agrees.
int MonthOf(std::string_view word) {
  static constexpr std::pair<std::string_view, int> kMonths[] = {
      {"january", 1},    {"february", 2},  {"march", 3},      {"april", 4},     {"may", 5},
      {"june", 6},       {"july", 7},      {"august", 8},     {"september", 9}, {"october", 10},
      {"november", 11},  {"december", 12}, {"januar", 1},     {"jänner", 1},    {"februar", 2},
      {"märz", 3},       {"mai", 5},       {"juni", 6},       {"juli", 7},      {"oktober", 10},
      {"dezember", 12},  {"janvier", 1},   {"février", 2},    {"mars", 3},      {"avril", 4},
      {"juin", 6},       {"juillet", 7},   {"août", 8},       {"septembre", 9}, {"octobre", 10},
      {"novembre", 11},  {"décembre", 12}, {"enero", 1},      {"febrero", 2},   {"marzo", 3},
      {"abril", 4},      {"mayo", 5},      {"junio", 6},      {"julio", 7},     {"agosto", 8},
      {"septiembre", 9}, {"octubre", 10},  {"noviembre", 11}, {"diciembre", 12}};
  std::string lower;
  for (const char c : word) lower += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  if (lower.size() < 3) return 0;
  for (const auto& [name, month] : kMonths) {
    if (name.starts_with(lower)) return month;
  }
  return lower == "sept" ? 9 : 0;
}

// A run of digits or of letters, with what stands between it and the run before.
struct Piece {
  std::string_view text;
  size_t word = 0;
  char before = ' ';  // the one sign between; ' ' between words, '?' for anything else
  int number = -1;
  int month = 0;
};

std::vector<Piece> Pieces(const SourcePage& page) {
  std::vector<Piece> pieces;
  for (size_t w = 0; w < page.words.size(); ++w) {
    const std::string_view text = page.words[w].text;
    size_t last_end = 0;
    bool first = true;
    for (size_t i = 0; i < text.size();) {
      const bool digit = IsDateDigit(text[i]);
      const auto letter = [&](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c & 0x80) != 0;
      };
      if (!digit && !letter(text[i])) {
        ++i;
        continue;
      }
      size_t end = i + 1;
      while (end < text.size() && (digit ? IsDateDigit(text[end]) : letter(text[end]))) ++end;
      Piece piece{text.substr(i, end - i), w};
      piece.before = first && i == 0     ? ' '
                     : first             ? '?'
                     : i == last_end     ? 'j'  // joined: "5th", "2024T08"
                     : i - last_end == 1 ? text[i - 1]
                                         : '?';
      if (digit && piece.text.size() <= 8) {
        std::from_chars(piece.text.data(), piece.text.data() + piece.text.size(), piece.number);
      } else if (!digit) {
        piece.month = MonthOf(piece.text);
      }
      pieces.push_back(piece);
      first = false;
      last_end = end;
      i = end;
    }
  }
  return pieces;
}

int FullYear(const Piece& piece) {
  if (piece.text.size() == 4) return piece.number;
  if (piece.text.size() != 2) return -1;
  return piece.number;  // the caller tries both centuries
}

void AddReading(int year, int month, int day, std::vector<CalendarDate>* readings) {
  for (const int century : {0, 1900, 2000}) {
    if ((year < 100) != (century != 0)) continue;
    const CalendarDate date{year + century, month, day};
    if (IsPossible(date) && std::find(readings->begin(), readings->end(), date) == readings->end())
      readings->push_back(date);
  }
}

bool Separator(char c) { return c == '/' || c == '.' || c == '-'; }
bool Near(char c) { return c == ' ' || c == '-' || c == '.' || c == ',' || c == '/' || c == 'j'; }

bool Ordinal(const Piece& piece) {
  return piece.text == "st" || piece.text == "nd" || piece.text == "rd" || piece.text == "th";
}

}  // namespace

bool IsPossible(const CalendarDate& date) {
  static constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (date.year < kOldest || date.year > kNewest || date.month < 0 || date.month > 12) return false;
  if (date.month == 0) return date.day == 0;
  const int days = kDays[date.month - 1] + (date.month == 2 && Leap(date.year) ? 1 : 0);
  return date.day >= 0 && date.day <= days;
}

int64_t DayNumber(const CalendarDate& date) {
  // Days from the civil calendar, years beginning in March (Howard Hinnant, days_from_civil).
  const int64_t y = date.year - (date.month <= 2 ? 1 : 0);
  const int64_t era = (y >= 0 ? y : y - 399) / 400;
  const int64_t of_era = y - era * 400;
  const int64_t month = (date.month + 9) % 12;
  const int64_t of_year = (153 * month + 2) / 5 + date.day - 1;
  return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

bool ReadIsoDate(std::string_view text, CalendarDate* date) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return false;
  const auto number = [&](size_t at, size_t length, int* value) {
    const char* begin = text.data() + at;
    const auto [end, error] = std::from_chars(begin, begin + length, *value);
    return error == std::errc() && end == begin + length && IsDateDigit(*begin);
  };
  return number(0, 4, &date->year) && number(5, 2, &date->month) && number(8, 2, &date->day);
}

void PageIndex::AddDates() {
  const std::vector<Piece> pieces = Pieces(*page_);
  for (size_t i = 0; i < pieces.size(); ++i) {
    const auto at = [&](size_t k) -> const Piece& {
      static const Piece kNothing{"", 0, '?', -1, 0};
      return i + k < pieces.size() ? pieces[i + k] : kNothing;
    };
    Date date;
    size_t count = 0;
    const Piece &a = at(0), &b = at(1), &c = at(2);
    if (a.before != ' ' && a.before != '?') continue;  // inside of a longer token
    const bool apart =
        Separator(b.before) && b.before == c.before && b.word == a.word && c.word == a.word;
    if (a.number >= 0 && b.number >= 0 && c.number >= 0 && apart) {
      if (a.text.size() == 4) AddReading(a.number, b.number, c.number, &date.readings);
      const int year = FullYear(c);
      if (a.text.size() <= 2 && year >= 0) {
        AddReading(year, b.number, a.number, &date.readings);  // day first
        if (b.before == '/' || b.before == '-') {
          AddReading(year, a.number, b.number, &date.readings);  // month first
        }
      }
      count = 3;
    } else if (a.number >= 0 && a.text.size() <= 2) {
      // "5 March 2024", "5th of March 2024", "05-Mar-24", "5. März 2024".
      size_t k = Ordinal(b) ? 2 : 1;
      if (at(k).text == "of" || at(k).text == "de") ++k;
      if (at(k).month > 0 && Near(at(k).before)) {
        if (at(k + 1).text == "de") ++k;
        const int month = at(k).month > 0 ? at(k).month : at(k - 1).month;
        const int year = FullYear(at(k + 1));
        if (year >= 0 && Near(at(k + 1).before)) {
          AddReading(year, month, a.number, &date.readings);
          count = k + 2;
        }
      } else if (b.number >= 0 && b.text.size() == 4 && b.before == '/' && b.word == a.word) {
        AddReading(b.number, a.number, 0, &date.readings);  // 03/2024
        count = 2;
      }
    } else if (a.month > 0) {
      // "March 5, 2024", "Mar 5th 2024", "March 2024".
      const size_t k = Ordinal(at(2)) ? 3 : 2;
      if (b.number >= 0 && b.text.size() <= 2 && at(k).text.size() == 4 && at(k).number >= 0) {
        AddReading(at(k).number, a.month, b.number, &date.readings);
        count = k + 1;
      } else if (b.number >= 0 && b.text.size() == 4 && Near(b.before)) {
        AddReading(b.number, a.month, 0, &date.readings);
        count = 2;
      }
    } else if (a.number >= 0 && a.text.size() == 4 && b.word != a.word) {
      AddReading(a.number, 0, 0, &date.readings);  // a year alone
      count = 1;
    }
    if (date.readings.empty()) continue;
    date.span = SpanOf(a.word, at(count - 1).word);
    dates_.push_back(std::move(date));
    if (count > 1) i += count - 1;
  }
}

void PageIndex::AddTimes() {
  const std::vector<Piece> pieces = Pieces(*page_);
  const auto add = [&](int hour, int minute, size_t word) {
    if (hour >= 0 && hour < 24 && minute >= 0 && minute < 60) {
      times_.push_back({SpanOf(word, word), hour, minute});
    }
  };
  for (size_t i = 0; i < pieces.size(); ++i) {
    const Piece& a = pieces[i];
    if (a.number < 0) continue;
    const auto half = [&](size_t k) {
      if (k >= pieces.size()) return 0;
      const std::string_view text = pieces[k].text;
      const bool am = text == "am" || text == "AM" || text == "a",
                 pm = text == "pm" || text == "PM";
      return am ? 1 : pm ? 2 : 0;
    };
    if (a.text.size() == 4 && a.before != '/' && a.before != '.') {
      add(a.number / 100, a.number % 100, a.word);
    }
    if (i + 1 >= pieces.size() || pieces[i + 1].word != a.word) continue;
    const Piece& b = pieces[i + 1];
    const bool clock = b.number >= 0 && b.text.size() == 2 && a.text.size() <= 2 &&
                       (b.before == ':' || b.before == '.');
    if (clock) {
      // "08:10:33" and "8:10 pm".
      const bool seconds = i + 2 < pieces.size() && pieces[i + 2].before == ':';
      const int twelve = half(seconds ? i + 3 : i + 2);
      const int hour = twelve == 2 && a.number < 12    ? a.number + 12
                       : twelve == 1 && a.number == 12 ? 0
                                                       : a.number;
      add(hour, b.number, a.word);
    } else if (b.text == "h" && i + 2 < pieces.size() && pieces[i + 2].word == a.word) {
      add(a.number, pieces[i + 2].number, a.word);
    }
  }
}

}  // namespace galen::extract

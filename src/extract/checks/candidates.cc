#include "extract/checks/candidates.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace galen::extract {
namespace {

constexpr size_t kExtraWords = 3;
constexpr size_t kRun = 4;

// What numbers up to twelve are called.
constexpr std::string_view kNumberWords[] = {"zero", "one",    "two",   "three", "four",
                                             "five", "six",    "seven", "eight", "nine",
                                             "ten",  "eleven", "twelve"};

std::vector<std::string> Words(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    const size_t end = std::min(text.find_first_of(" \t\n"), text.size());
    std::string folded = FoldText(text.substr(0, end));
    if (!folded.empty()) words.push_back(std::move(folded));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

std::string NumberText(const Leaf& leaf) {
  const std::string plain = CanonicalNumber(leaf.raw);
  if (!plain.empty()) return plain;
  char text[64];
  std::snprintf(text, sizeof(text), "%.12g", leaf.value.get<double>());
  return CanonicalNumber(text);
}

std::string ValueText(const Leaf& leaf) {
  if (leaf.value.is_string()) return leaf.value.get<std::string>();
  if (leaf.value.is_boolean()) return leaf.value.get<bool>() ? "true" : "false";
  return leaf.value.is_number() ? NumberText(leaf) : "";
}

void Join(std::vector<Span> more, std::vector<Span>* spans) {
  spans->insert(spans->end(), more.begin(), more.end());
}

bool ReadTime(std::string_view text, int* hour, int* minute) {
  return text.size() == 5 && std::sscanf(std::string(text).c_str(), "%2d:%2d", hour, minute) == 2;
}

}  // namespace

std::string WordsOf(const PageIndex& page, const Span& span) {
  std::string words;
  for (size_t i = span.first; i <= span.last; ++i) {
    words += (words.empty() ? "" : " ") + page.page().words[i].text;
  }
  return words;
}

bool NothingToFind(const Value& value) {
  const Json& json = value.leaf.value;
  if (json.is_null()) return true;
  const bool spelled =
      value.field != nullptr && value.field->spelled.count(ValueText(value.leaf)) > 0;
  if (spelled) return false;
  if (json.is_boolean() || (value.field != nullptr && value.field->inferred)) return true;
  if (value.field != nullptr && value.field->use == "flag") return true;
  return json.is_string() && FoldText(json.get<std::string>()).empty() &&
         !(value.field != nullptr && value.field->use == "unit");
}

std::vector<Span> FindAnyOrder(const PageIndex& page, std::string_view text) {
  std::vector<Span> spans;
  const std::vector<std::string> wanted = Words(text);
  if (wanted.empty() || wanted.size() > 12) return spans;
  const auto& words = page.page().words;
  std::vector<std::string> folded;
  folded.reserve(words.size());
  for (const PageWord& word : words) folded.push_back(FoldText(word.text));
  for (size_t first = 0; first < words.size(); ++first) {
    if (std::find(wanted.begin(), wanted.end(), folded[first]) == wanted.end()) continue;
    const size_t end = std::min(words.size(), first + wanted.size() + kExtraWords);
    size_t last = first;
    const bool all = std::all_of(wanted.begin(), wanted.end(), [&](const std::string& word) {
      const auto begin = folded.begin() + static_cast<ptrdiff_t>(first);
      const auto at = std::find(begin, folded.begin() + static_cast<ptrdiff_t>(end), word);
      if (at == folded.begin() + static_cast<ptrdiff_t>(end)) return false;
      last = std::max(last, static_cast<size_t>(at - folded.begin()));
      return true;
    });
    if (all) spans.push_back(page.SpanOf(first, last));
  }
  return spans;
}

double ShareFound(const std::vector<PageIndex>& pages, std::string_view text, Span* first) {
  const std::vector<std::string> words = Words(text);
  if (words.size() < kRun) return 0;
  size_t found = 0;
  const size_t runs = words.size() - kRun + 1;
  for (size_t i = 0; i < runs; ++i) {
    std::string run;
    for (size_t k = 0; k < kRun; ++k) run += words[i + k] + " ";
    for (const PageIndex& page : pages) {
      const std::vector<Span> spans = page.FindText(run);
      if (spans.empty()) continue;
      if (found++ == 0) *first = spans[0];
      break;
    }
  }
  return static_cast<double>(found) / static_cast<double>(runs);
}

std::vector<Span> Candidates(const std::vector<PageIndex>& pages, const Value& value) {
  std::vector<Span> spans;
  const std::string text = ValueText(value.leaf);
  const FieldSpec* field = value.field;
  CalendarDate date;
  int hour = 0, minute = 0;
  const bool is_date = value.leaf.value.is_string() && ReadIsoDate(text, &date);
  const bool is_time = value.leaf.value.is_string() && ReadTime(text, &hour, &minute);
  for (const PageIndex& page : pages) {
    if (field != nullptr) {
      if (const auto at = field->spelled.find(text); at != field->spelled.end()) {
        for (const std::string& spelling : at->second) {
          Join(field->use == "unit" ? page.FindUnit(spelling) : page.FindText(spelling), &spans);
        }
      }
      if (field->use == "unit" || field->use == "dose_unit") {
        Join(page.FindUnit(text), &spans);
        continue;
      }
      if (field->any_order) Join(FindAnyOrder(page, text), &spans);
    }
    if (value.leaf.value.is_number()) {
      std::vector<Span> numbers = page.FindNumber(text);
      // A part of a date is no number.
      std::erase_if(numbers, [&](const Span& span) {
        return std::any_of(page.dates().begin(), page.dates().end(),
                           [&](const PageIndex::Date& d) { return d.span.Overlaps(span); });
      });
      Join(std::move(numbers), &spans);
      const double number = value.leaf.value.get<double>();
      if (number >= 0 && number <= 12 && number == std::floor(number)) {
        Join(page.FindText(kNumberWords[static_cast<size_t>(number)]), &spans);
      }
      continue;
    }
    if (is_date) Join(page.FindDate(date), &spans);
    if (is_time) Join(page.FindTime(hour, minute), &spans);
    if (!is_date) Join(page.FindText(text), &spans);
  }
  return spans;
}

}  // namespace galen::extract

// Where on the pages a value may stand.
#pragma once

#include <vector>

#include "extract/checks/value.h"

namespace galen::extract {

// Every place that spells the value: as text, number, date or time by its field and type.
std::vector<Span> Candidates(const std::vector<PageIndex>& pages, const Value& value);

// Nothing on a page could spell it: null, empty text, false, an inferred value without spellings.
bool NothingToFind(const Value& value);

// The words of a span with spaces between.
std::string WordsOf(const PageIndex& page, const Span& span);

// The fewest words in a row that hold all words of the text, in any order, and at most three
// others.
std::vector<Span> FindAnyOrder(const PageIndex& page, std::string_view text);

// The share of a long text's runs of four words that the page has; 1 for a text that stands there.
double ShareFound(const std::vector<PageIndex>& pages, std::string_view text, Span* first);

}  // namespace galen::extract

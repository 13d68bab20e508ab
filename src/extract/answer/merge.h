// Answers about groups of pages, made one.
#pragma once

#include <string>
#include <vector>

#include "extract/answer/leaves.h"
#include "extract/answer/reader.h"

namespace galen::extract {

struct MergedAnswer {
  ParsedAnswer parsed;
  std::vector<TokenSpan> tokens;
  size_t bytes = 0;                // of the texts so far
  std::vector<PagePart> left_out;  // where answers that were incomplete were read
  std::vector<std::string> clash;  // paths whose values differ between groups: the first stays
};

// Lists are appended; of single values the first that is not null stays.
void Merge(ParsedAnswer more, const Answer& answer, MergedAnswer* merged);

}  // namespace galen::extract

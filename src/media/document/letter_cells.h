// Where one letter ends and the next begins in a word, by its ink alone.
#pragma once

#include <cstdint>
#include <vector>

#include "media/image/image.h"

namespace galen {

// Columns [begin, end).
struct ColumnSpan {
  int64_t begin, end;
};

// letters: a word, grey, one channel, paper white (255) and its darkest ink black; as high as a
// row. What most likely are its letters, from the left: pieces that hold all that is inked, none
// wider than the word is high. Where there is paper between two columns is a border; where ink runs
// through, the cheapest set of borders is taken: a border costs what ink crosses it, more where it
// crosses in several strokes (the arcs of a 0), and a piece costs what it is wider than letters
// are.
std::vector<ColumnSpan> LetterCells(const Image& letters);

}  // namespace galen

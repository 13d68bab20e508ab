// Ranges of code points as a Dfa over UTF-8 reads them.
#pragma once

#include <algorithm>
#include <cstdint>

#include "grammar/dfa.h"

namespace galen::grammar {

// True if `fits` is true of a state that the UTF-8 of some code point in [low, high] leads to from
// `state`. `left`: bytes behind the one that is read now; all code points have the same bytes in
// front of it. `mark`: the bits that tell its kind.
template <typename Fits>
bool AnyBehind(const Dfa& dfa, int state, uint32_t low, uint32_t high, int left, uint32_t mark,
               const Fits& fits) {
  const int shift = 6 * left;
  const uint32_t digits = mark == 0x80 ? 63 : 0xff;
  int tried = -1;  // where the last byte led behind which everything may come
  for (uint32_t d = low >> shift; d <= high >> shift; ++d) {
    const int to = dfa.Next(state, static_cast<uint8_t>(mark | (d & digits)));
    if (to < 0 || to == tried) continue;
    if (left == 0) {
      if (fits(to)) return true;
      tried = to;
      continue;
    }
    const uint32_t first = d << shift, last = first + (uint32_t{1} << shift) - 1;
    if (AnyBehind(dfa, to, std::max(low, first), std::min(high, last), left - 1, 0x80, fits))
      return true;
    if (low <= first && last <= high) tried = to;
  }
  return false;
}

// The same of all code points of [low, high] but surrogates.
template <typename Fits>
bool AnyCodePoint(const Dfa& dfa, int state, uint32_t low, uint32_t high, const Fits& fits) {
  struct Piece {
    uint32_t low, high;
    int left;
    uint32_t mark;
  };
  static constexpr Piece kPieces[] = {{0, 0x7f, 0, 0},
                                      {0x80, 0x7ff, 1, 0xc0},
                                      {0x800, 0xd7ff, 2, 0xe0},
                                      {0xe000, 0xffff, 2, 0xe0},
                                      {0x10000, 0x10ffff, 3, 0xf0}};
  for (const Piece& piece : kPieces) {
    const uint32_t from = std::max(low, piece.low), to = std::min(high, piece.high);
    if (from <= to && AnyBehind(dfa, state, from, to, piece.left, piece.mark, fits)) return true;
  }
  return false;
}

}  // namespace galen::grammar

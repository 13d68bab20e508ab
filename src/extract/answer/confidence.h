// How sure a model was of a value: from the probabilities of the tokens that spelled it.
#pragma once

#include <optional>
#include <span>

#include "extract/answer/reader.h"

namespace galen::extract {

struct Confidence {
  double mean = 0;    // geometric mean of the tokens' probabilities
  double lowest = 0;  // of the least likely token
};

// Over the tokens that overlap the bytes [begin, end); nothing: there are none.
std::optional<Confidence> ConfidenceOf(std::span<const TokenSpan> tokens, size_t begin, size_t end);

}  // namespace galen::extract

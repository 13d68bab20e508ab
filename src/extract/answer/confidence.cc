#include "extract/answer/confidence.h"

#include <algorithm>
#include <cmath>

namespace galen::extract {

std::optional<Confidence> ConfidenceOf(std::span<const TokenSpan> tokens, size_t begin,
                                       size_t end) {
  // Tokens come in the order of the text.
  auto at = std::lower_bound(tokens.begin(), tokens.end(), begin,
                             [](const TokenSpan& t, size_t b) { return t.end <= b; });
  double sum = 0, lowest = 0;
  int count = 0;
  for (; at != tokens.end() && at->begin < end; ++at) {
    if (at->begin == at->end) continue;
    sum += at->logprob;
    lowest = std::min<double>(lowest, at->logprob);
    ++count;
  }
  if (count == 0) return std::nullopt;
  return Confidence{std::exp(sum / count), std::exp(lowest)};
}

}  // namespace galen::extract

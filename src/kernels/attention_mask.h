// The mask as an interval: every query row sees the keys [begin, end) and no others
// (kernels/attention.h).
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/attention.h"

namespace galen {

struct KeyInterval {
  int64_t begin = 0;
  int64_t end = 0;
};

// Keys that the query at `position` sees, out of the `written` first positions of its sequence.
inline KeyInterval VisibleKeys(const AttentionShape& shape, int64_t position,
                               const int32_t* look_ahead, int64_t written) {
  const int64_t last = look_ahead == nullptr ? position : std::max<int64_t>(position, *look_ahead);
  KeyInterval keys{0, std::min(last + 1, written)};
  if (shape.window > 0) keys.begin = std::max<int64_t>(0, position - shape.window + 1);
  return keys;
}

// As above for batch row `row` of a paged span; pages before the first kept one do not count.
inline KeyInterval VisibleKeysOfRow(const AttentionShape& shape, const AttentionSpan& span,
                                    const int32_t* look_ahead, int64_t row) {
  KeyInterval keys = VisibleKeys(shape, span.position + row - span.begin,
                                 look_ahead == nullptr ? nullptr : look_ahead + row,
                                 span.position + span.end - span.begin);
  keys.begin = std::max(keys.begin, span.kv.first_page * kPageTokens);
  return keys;
}

}  // namespace galen

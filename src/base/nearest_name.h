// "did you mean": the known name that a wrong one most resembles.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace galen {

// Edits (insert, remove, replace) that turn one name into the other, counted up to `limit`.
inline size_t EditDistance(std::string_view a, std::string_view b, size_t limit) {
  if (a.size() > b.size()) std::swap(a, b);
  if (b.size() - a.size() > limit) return limit + 1;
  std::vector<size_t> row(a.size() + 1);
  for (size_t i = 0; i < row.size(); ++i) row[i] = i;
  for (size_t j = 1; j <= b.size(); ++j) {
    size_t diagonal = row[0];
    row[0] = j;
    for (size_t i = 1; i <= a.size(); ++i) {
      const size_t above = row[i];
      row[i] = std::min({above + 1, row[i - 1] + 1, diagonal + (a[i - 1] != b[j - 1] ? 1 : 0)});
      diagonal = above;
    }
  }
  return row[a.size()];
}

// The nearest of `names`; empty if none is within 12 edits.
template <typename Names>
std::string NearestName(std::string_view wrong, const Names& names) {
  std::string nearest;
  size_t best = 12;
  for (const auto& name : names) {
    const size_t distance = EditDistance(wrong, name, best);
    if (distance < best) {
      best = distance;
      nearest = name;
    }
  }
  return nearest;
}

}  // namespace galen

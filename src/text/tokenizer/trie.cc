#include "text/tokenizer/trie.h"

#include <algorithm>

namespace galen::text {

Trie::Trie(std::vector<std::pair<std::string_view, int32_t>> entries) {
  std::stable_sort(entries.begin(), entries.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  struct Work {
    uint32_t node;
    size_t begin, end, depth;  // entries [begin, end) share their first `depth` bytes
  };
  nodes_.emplace_back();
  std::vector<Work> queue;
  size_t begin = 0;
  while (begin < entries.size() && entries[begin].first.empty()) ++begin;
  if (begin < entries.size()) queue.push_back({0, begin, entries.size(), 0});
  // Breadth first, so that the children of one node get neighbouring numbers.
  for (size_t head = 0; head < queue.size(); ++head) {
    const Work work = queue[head];
    size_t i = work.begin;
    while (i < work.end && entries[i].first.size() == work.depth)
      nodes_[work.node].value = entries[i++].second;
    nodes_[work.node].child_begin = static_cast<uint32_t>(nodes_.size() - 1);
    while (i < work.end) {
      const auto label = static_cast<unsigned char>(entries[i].first[work.depth]);
      size_t j = i;
      while (j < work.end && static_cast<unsigned char>(entries[j].first[work.depth]) == label) ++j;
      const auto child = static_cast<uint32_t>(nodes_.size());
      nodes_.emplace_back();
      labels_.push_back(label);
      if (work.node == 0) first_[label] = child;
      ++nodes_[work.node].child_count;
      queue.push_back({child, i, j, work.depth + 1});
      i = j;
    }
  }
}

uint32_t Trie::Child(uint32_t node, unsigned char byte) const {
  const Node& n = nodes_[node];
  const unsigned char* begin = labels_.data() + n.child_begin;
  const unsigned char* end = begin + n.child_count;
  const unsigned char* it =
      n.child_count <= 8 ? std::find(begin, end, byte) : std::lower_bound(begin, end, byte);
  if (it == end || *it != byte) return 0;
  return static_cast<uint32_t>(it - labels_.data()) + 1;
}

std::pair<size_t, int32_t> Trie::Longest(std::string_view text) const {
  std::pair<size_t, int32_t> best{0, -1};
  Prefixes(text, [&](size_t length, int32_t value) { best = {length, value}; });
  return best;
}

}  // namespace galen::text

// A byte trie over a fixed set of strings: all prefixes of a text that are in the set, and the
// longest one.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace galen::text {

class Trie {
 public:
  // Strings with their values; of equal strings the last one counts. Empty strings are left out.
  explicit Trie(std::vector<std::pair<std::string_view, int32_t>> entries = {});

  bool empty() const { return nodes_.size() <= 1; }
  // May a string of the set start with this byte?
  bool StartsWith(char c) const { return first_[static_cast<unsigned char>(c)] != 0; }

  // Calls found(length, value) for each prefix of text in the set, the shortest first.
  template <typename F>
  void Prefixes(std::string_view text, F found) const {
    if (text.empty()) return;
    uint32_t node = first_[static_cast<unsigned char>(text[0])];
    for (size_t i = 1; node != 0; ++i) {
      if (nodes_[node].value >= 0) found(i, nodes_[node].value);
      if (i == text.size()) return;
      node = Child(node, static_cast<unsigned char>(text[i]));
    }
  }

  // The longest prefix of text in the set: {length, value}, or {0, -1}.
  std::pair<size_t, int32_t> Longest(std::string_view text) const;

 private:
  struct Node {
    uint32_t child_begin = 0,
             child_count = 0;  // a range of labels_; child i is node child_begin + i + 1
    int32_t value = -1;
  };
  uint32_t Child(uint32_t node, unsigned char byte) const;

  std::vector<Node>
      nodes_;  // 0 is the root; the children of a node are neighbours, sorted by label
  std::vector<unsigned char> labels_;  // label of node i + 1
  uint32_t first_[256] = {};
};

}  // namespace galen::text

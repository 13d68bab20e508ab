#include "grammar/grammar.h"

#include <algorithm>
#include <limits>
#include <set>
#include <utility>

namespace galen::grammar {
namespace {

// One byte of each class that two labels of bytes make together.
template <typename Label>
std::vector<uint8_t> Representatives(const Dfa& dfa, const Label& label) {
  std::vector<uint8_t> bytes;
  std::set<std::pair<int, int>> seen;
  for (int b = 0; b < 256; ++b) {
    if (seen.insert({dfa.byte_class[b], label(b)}).second) bytes.push_back(static_cast<uint8_t>(b));
  }
  return bytes;
}

// For each state the code points to the nearest acceptance, and to the farthest (-1: no limit).
// A byte that continues a character counts nothing.
void FindDistances(const Dfa& dfa, StringLanguage* language) {
  const int n = dfa.num_states();
  struct Edge {
    int to, cost;
  };
  std::vector<std::vector<Edge>> edges(n);
  const std::vector<uint8_t> bytes =
      Representatives(dfa, [](int b) { return (b & 0xc0) == 0x80 ? 1 : 0; });
  for (int s = 0; s < n; ++s) {
    for (const uint8_t b : bytes) {
      const int t = dfa.Next(s, b);
      const int cost = (b & 0xc0) != 0x80;
      if (t >= 0 && (edges[s].empty() || edges[s].back().to != t || edges[s].back().cost != cost))
        edges[s].push_back({t, cost});
    }
  }
  constexpr int32_t kFar = std::numeric_limits<int32_t>::max();
  std::vector<int32_t>& near = language->min_distance;
  near.assign(n, kFar);
  std::vector<std::vector<Edge>> before(n);
  for (int s = 0; s < n; ++s) {
    for (const Edge& e : edges[s]) before[e.to].push_back({s, e.cost});
  }
  std::vector<int> level;  // breadth first, with edges of cost 0 taken within a level
  for (int s = 0; s < n; ++s) {
    if (dfa.accepting[s]) near[s] = 0, level.push_back(s);
  }
  for (int32_t distance = 0; !level.empty(); ++distance) {
    std::vector<int> following;
    for (size_t i = 0; i < level.size(); ++i) {
      if (near[level[i]] != distance) continue;
      for (const Edge& e : before[level[i]]) {
        if (near[e.to] <= distance + e.cost) continue;
        near[e.to] = distance + e.cost;
        (e.cost == 0 ? level : following).push_back(e.to);
      }
    }
    level = std::move(following);
  }
  // Farthest: states are taken away once all that follow them are known; what is left over has or
  // reaches a circle.
  std::vector<int32_t>& far = language->max_distance;
  far.assign(n, -1);
  std::vector<int> missing(n), todo;
  for (int s = 0; s < n; ++s) {
    missing[s] = static_cast<int>(edges[s].size());
    if (missing[s] == 0) todo.push_back(s);
  }
  for (size_t i = 0; i < todo.size(); ++i) {
    const int s = todo[i];
    far[s] = 0;
    for (const Edge& e : edges[s]) far[s] = std::max(far[s], far[e.to] + e.cost);
    for (const Edge& e : before[s]) {
      if (--missing[e.to] == 0) todo.push_back(e.to);
    }
  }
}

// States from which every text goes on: those of AnyText beside them, state by state.
void FindOpen(const Dfa& dfa, StringLanguage* language) {
  const Dfa& any = AnyText();
  language->open.assign(dfa.num_states(), 0);
  // Pairs (state, state of any) that fail: a byte that `any` allows and the Dfa does not.
  const int m = any.num_states(), n = dfa.num_states();
  const std::vector<uint8_t> bytes = Representatives(dfa, [&](int b) { return any.byte_class[b]; });
  std::vector<uint8_t> fails(static_cast<size_t>(n) * m);
  bool changed = true;
  while (changed) {
    changed = false;
    for (int s = n - 1; s >= 0; --s) {
      for (int a = 0; a < m; ++a) {
        if (fails[s * m + a]) continue;
        bool ok = true;
        for (size_t i = 0; i < bytes.size() && ok; ++i) {
          const int to_any = any.Next(a, bytes[i]);
          if (to_any < 0) continue;
          const int to = dfa.Next(s, bytes[i]);
          ok = to >= 0 && !fails[to * m + to_any];
        }
        if (!ok) fails[s * m + a] = 1, changed = true;
      }
    }
  }
  for (int s = 0; s < n; ++s) language->open[s] = !fails[s * m];
}

// How many characters, whatever they are of PlainText(), surely follow from each state.
void FindFree(const Dfa& dfa, StringLanguage* language) {
  const Dfa& plain = PlainText();
  const int m = plain.num_states(), n = dfa.num_states();
  const std::vector<uint8_t> bytes =
      Representatives(dfa, [&](int b) { return plain.byte_class[b]; });
  // Both automata side by side: the fewest characters in front of a byte that fails. States that
  // follow mostly have higher numbers, so that few rounds are needed.
  constexpr int kNever = 255;
  std::vector<uint8_t> fails(static_cast<size_t>(n) * m, kNever);
  bool changed = true;
  while (changed) {
    changed = false;
    for (int pair = n * m - 1; pair >= 0; --pair) {
      int fewest = fails[pair];
      for (size_t i = 0; i < bytes.size() && fewest > 0; ++i) {
        const int to_plain = plain.Next(pair % m, bytes[i]);
        if (to_plain < 0) continue;
        const int to = dfa.Next(pair / m, bytes[i]);
        const int whole = to_plain == 0 ? 1 : 0;  // the byte ends a character
        fewest = std::min(fewest, to < 0 ? 0 : fails[to * m + to_plain] + whole);
      }
      if (fewest == fails[pair]) continue;
      fails[pair] = static_cast<uint8_t>(fewest);
      changed = true;
    }
  }
  language->free.resize(n);
  for (int s = 0; s < n; ++s) language->free[s] = std::min(fails[s * m], kAllFree);
}

bool SameTexts(const Dfa& a, const Dfa& b) {
  return a.num_states() == b.num_states() && a.accepting == b.accepting &&
         Combine(a, b, Combination::kMinus)->empty() && Combine(b, a, Combination::kMinus)->empty();
}

}  // namespace

int Grammar::Add(Node node) {
  nodes_.push_back(node);
  return static_cast<int>(nodes_.size()) - 1;
}

Status Grammar::CheckSize() const {
  if (nodes_.size() <= kMaxNodes) return OkStatus();
  return ResourceExhausted("it takes an automaton of more than " + std::to_string(kMaxNodes) +
                           " nodes; use smaller counts or fewer alternatives");
}

int Grammar::AddByte(uint8_t low, uint8_t high, int next) {
  Node node;
  node.kind = Node::Kind::kByte;
  node.low = low, node.high = high, node.next = next;
  return Add(node);
}

int Grammar::AddText(std::string_view text, int next) {
  for (size_t i = text.size(); i-- > 0;) {
    const uint8_t byte = static_cast<uint8_t>(text[i]);
    next = AddByte(byte, byte, next);
  }
  return next;
}

int Grammar::AddTexts(std::span<const std::string> sorted, int next) {
  return sorted.empty() ? AddSplit({}) : AddTexts(sorted, 0, next);
}

// The texts from their byte `from` on.
int Grammar::AddTexts(std::span<const std::string> sorted, size_t from, int next) {
  const std::string_view first = sorted.front(), last = sorted.back();
  if (sorted.size() == 1) return AddText(first.substr(from), next);
  size_t common = from;
  while (common < first.size() && common < last.size() && first[common] == last[common]) ++common;
  std::vector<int32_t> targets;
  for (size_t i = 0; i < sorted.size();) {
    if (sorted[i].size() == common) {  // ends where the others go on
      targets.push_back(next);
      ++i;
      continue;
    }
    size_t end = i + 1;
    while (end < sorted.size() && sorted[end][common] == sorted[i][common]) ++end;
    targets.push_back(AddTexts(sorted.subspan(i, end - i), common, next));
    i = end;
  }
  return AddText(first.substr(from, common - from), AddSplit(std::move(targets)));
}

int Grammar::AddOpenSplit() {
  Node node;
  node.kind = Node::Kind::kSplit;
  node.index = static_cast<int32_t>(splits_.size());
  splits_.emplace_back();
  open_splits_.push_back(1);
  return Add(node);
}

void Grammar::SetSplit(int node, std::vector<int32_t> targets) {
  splits_[nodes_[node].index] = std::move(targets);
  open_splits_[nodes_[node].index] = 0;
}

int Grammar::AddSplit(std::vector<int32_t> targets) {
  const int node = AddOpenSplit();
  SetSplit(node, std::move(targets));
  return node;
}

int Grammar::AddCall(int body, int next) {
  Node node;
  node.kind = Node::Kind::kCall;
  node.body = body, node.next = next;
  return Add(node);
}

int Grammar::AddReturn() { return Add(Node()); }

int Grammar::AddLoop(int body, int64_t min, int64_t max, int next) {
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max() - 1;
  Node node;
  node.kind = Node::Kind::kLoop;
  node.body = body, node.next = next;
  node.min = static_cast<int32_t>(std::min(min, kMost));
  node.max = static_cast<int32_t>(std::min(max, kMost));
  return Add(node);
}

int Grammar::AddDfa(int dfa, int next) {
  Node node;
  node.kind = Node::Kind::kDfa;
  node.index = dfa, node.next = next;
  return Add(node);
}

int Grammar::AddString(int language, int next) {
  Node node;
  node.kind = Node::Kind::kString;
  node.index = language, node.next = next;
  return Add(node);
}

int Grammar::AddDfaTable(Dfa dfa) {
  dfas_.push_back(std::move(dfa));
  return static_cast<int>(dfas_.size()) - 1;
}

int Grammar::Include(const Grammar& other) {
  const auto node_base = static_cast<int32_t>(nodes_.size());
  const auto split_base = static_cast<int32_t>(splits_.size());
  const auto dfa_base = static_cast<int32_t>(dfas_.size());
  const auto string_base = static_cast<int32_t>(strings_.size());
  for (Node node : other.nodes_) {
    if (node.next >= 0) node.next += node_base;
    if (node.body >= 0) node.body += node_base;
    if (node.kind == Node::Kind::kSplit) node.index += split_base;
    if (node.kind == Node::Kind::kDfa) node.index += dfa_base;
    if (node.kind == Node::Kind::kString) node.index += string_base;
    nodes_.push_back(node);
  }
  for (std::vector<int32_t> targets : other.splits_) {
    for (int32_t& target : targets) target += node_base;
    splits_.push_back(std::move(targets));
  }
  open_splits_.insert(open_splits_.end(), other.open_splits_.begin(), other.open_splits_.end());
  dfas_.insert(dfas_.end(), other.dfas_.begin(), other.dfas_.end());
  for (StringLanguage language : other.strings_) {
    language.dfa += dfa_base;
    strings_.push_back(std::move(language));
  }
  return other.start_ + node_base;
}

Result<int> Grammar::AddStringLanguage(const Dfa& dfa, int64_t min, int64_t max) {
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max() / 2;
  min = std::clamp<int64_t>(min, 0, kMost);
  if (max > kMost) max = -1;
  StringLanguage language;
  language.any = SameTexts(dfa, AnyText());
  Dfa texts = dfa;
  if (max >= 0 && min > max) texts = NoText();
  // With one bound the distances decide exactly whether a text can be completed; with both, texts
  // between them might be missing, so the lower one goes into the states.
  if (!language.any && min > 0 && max >= 0) {
    ASSIGN_OR_RETURN(texts, WithLength(dfa, min, -1));
    min = 0;
  }
  FindDistances(texts, &language);
  if (!texts.empty() && max >= 0 && language.min_distance[0] > max) texts = NoText();
  if (!texts.empty() && language.max_distance[0] >= 0 && language.max_distance[0] < min)
    texts = NoText();
  if (texts.empty()) language.any = false;
  const auto [nearest, farthest] =
      std::pair(std::max_element(language.min_distance.begin(), language.min_distance.end()),
                std::max_element(language.max_distance.begin(), language.max_distance.end()));
  language.most_distance = nearest == language.min_distance.end() ? 0 : *nearest;
  language.endless = farthest != language.max_distance.end() && *farthest < 0;
  FindOpen(texts, &language);
  FindFree(texts, &language);
  language.min = static_cast<int32_t>(min), language.max = static_cast<int32_t>(max);
  language.dfa = AddDfaTable(std::move(texts));
  strings_.push_back(std::move(language));
  return static_cast<int>(strings_.size()) - 1;
}

// Of `among` (all nodes that they lead to must be there), by repeated marking.
std::vector<uint8_t> Grammar::FindProductive(const std::vector<int>& among, bool unknown) const {
  std::vector<uint8_t> productive(nodes_.size());
  std::vector<std::vector<int>> users(nodes_.size());
  for (const int i : among) {
    const Node& node = nodes_[i];
    if (node.next >= 0) users[node.next].push_back(i);
    if (node.body >= 0) users[node.body].push_back(i);
    if (node.kind == Node::Kind::kSplit) {
      for (const int t : splits_[node.index]) users[t].push_back(i);
    }
  }
  const auto holds = [&](const Node& node) {
    switch (node.kind) {
      case Node::Kind::kByte:
        return productive[node.next] != 0;
      case Node::Kind::kSplit:
        if (unknown && open_splits_[node.index]) return true;
        return std::any_of(splits_[node.index].begin(), splits_[node.index].end(),
                           [&](int t) { return productive[t] != 0; });
      case Node::Kind::kCall:
        return productive[node.body] && productive[node.next];
      case Node::Kind::kReturn:
        return true;
      case Node::Kind::kLoop:
        return productive[node.next] && (node.min == 0 || productive[node.body]);
      case Node::Kind::kDfa:
        return productive[node.next] && !dfas_[node.index].empty();
      case Node::Kind::kString:
        return productive[node.next] && !dfas_[strings_[node.index].dfa].empty();
    }
    return false;
  };
  std::vector<int> todo = among;
  while (!todo.empty()) {
    const int i = todo.back();
    todo.pop_back();
    if (productive[i] || !holds(nodes_[i])) continue;
    productive[i] = 1;
    todo.insert(todo.end(), users[i].begin(), users[i].end());
  }
  return productive;
}

bool Grammar::Productive(int start, bool unknown) const {
  std::vector<int> among{start};
  std::vector<uint8_t> seen(nodes_.size());
  seen[start] = 1;
  const auto visit = [&](int t) {
    if (t >= 0 && !seen[t]) seen[t] = 1, among.push_back(t);
  };
  for (size_t i = 0; i < among.size(); ++i) {
    const Node& node = nodes_[among[i]];
    visit(node.next), visit(node.body);
    if (node.kind == Node::Kind::kSplit) {
      for (const int t : splits_[node.index]) visit(t);
    }
  }
  return FindProductive(among, unknown)[start] != 0;
}

Status Grammar::RefuseLeftRecursion() const {
  const int n = static_cast<int>(nodes_.size());
  // Nodes from which the rule's end is reached without reading anything.
  std::vector<uint8_t> nullable(n);
  bool changed = true;
  while (changed) {
    changed = false;
    for (int i = n - 1; i >= 0; --i) {
      if (nullable[i]) continue;
      const Node& node = nodes_[i];
      bool now = false;
      switch (node.kind) {
        case Node::Kind::kReturn:
          now = true;
          break;
        case Node::Kind::kSplit:
          for (const int t : splits_[node.index]) now |= nullable[t] != 0;
          break;
        case Node::Kind::kCall:
          now = nullable[node.body] && nullable[node.next];
          break;
        case Node::Kind::kLoop:
          now = nullable[node.next] && (node.min == 0 || nullable[node.body]);
          break;
        case Node::Kind::kDfa:
          now = nullable[node.next] && dfas_[node.index].accepting[0];
          break;
        default:
          break;
      }
      if (now) nullable[i] = 1, changed = true;
    }
  }
  // A circle of steps that read nothing and enter a rule.
  std::vector<int8_t> color(n);
  std::vector<std::pair<int, size_t>> stack;
  std::vector<std::vector<int32_t>> silent(n);
  for (int i = 0; i < n; ++i) {
    const Node& node = nodes_[i];
    if (node.kind == Node::Kind::kSplit) silent[i] = splits_[node.index];
    if (node.kind == Node::Kind::kCall || node.kind == Node::Kind::kLoop) {
      silent[i].push_back(node.body);
      if (node.kind == Node::Kind::kLoop ? node.min == 0 || nullable[node.body]
                                         : nullable[node.body] != 0)
        silent[i].push_back(node.next);
    }
    if (node.kind == Node::Kind::kDfa && dfas_[node.index].accepting[0])
      silent[i].push_back(node.next);
  }
  for (int i = 0; i < n; ++i) {
    if (color[i] != 0) continue;
    stack.emplace_back(i, 0);
    color[i] = 1;
    while (!stack.empty()) {
      auto& [at, edge] = stack.back();
      if (edge == silent[at].size()) {
        color[at] = 2;
        stack.pop_back();
        continue;
      }
      const int t = silent[at][edge++];
      if (color[t] == 1) {
        return Unsupported(
            "a rule calls itself before it has read anything (left recursion); write it with a "
            "repetition instead");
      }
      if (color[t] == 0) color[t] = 1, stack.emplace_back(t, 0);
    }
  }
  return OkStatus();
}

Status Grammar::Finish(int start) {
  RETURN_IF_ERROR(CheckSize());
  RETURN_IF_ERROR(RefuseLeftRecursion());
  start_ = start;
  std::vector<int> all(nodes_.size());
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<int>(i);
  const std::vector<uint8_t> productive = FindProductive(all, false);
  for (size_t i = 0; i < all.size(); ++i) nodes_[i].productive = productive[i] != 0;
  return OkStatus();
}

}  // namespace galen::grammar

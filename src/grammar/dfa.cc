#include "grammar/dfa.h"

#include <algorithm>
#include <map>
#include <unordered_map>

namespace galen::grammar {
namespace {

Status TooLarge() {
  return ResourceExhausted("an automaton of more than " + std::to_string(kMaxDfaStates) +
                           " states; use a simpler pattern or smaller counts");
}

struct HashInts {
  size_t operator()(const std::vector<int>& values) const {
    uint64_t h = 0xcbf29ce484222325;
    for (const int v : values) h = (h ^ static_cast<uint32_t>(v)) * 0x100000001b3;
    return h ^ (h >> 29);
  }
};

// Drops the states that cannot be reached or cannot reach acceptance.
Dfa Trim(const Dfa& dfa) {
  const int n = dfa.num_states(), k = dfa.num_classes;
  // States that lead to a state, one list behind the other.
  std::vector<int> begin(n + 1), before(dfa.next.size());
  for (const int t : dfa.next) {
    if (t >= 0) ++begin[t + 1];
  }
  for (int s = 0; s < n; ++s) begin[s + 1] += begin[s];
  std::vector<int> end(begin.begin(), begin.end() - 1);
  for (int s = 0; s < n; ++s) {
    for (int c = 0; c < k; ++c) {
      if (const int t = dfa.next[s * k + c]; t >= 0) before[end[t]++] = s;
    }
  }
  std::vector<uint8_t> alive(n);
  std::vector<int> todo;
  for (int s = 0; s < n; ++s) {
    if (dfa.accepting[s]) alive[s] = 1, todo.push_back(s);
  }
  while (!todo.empty()) {
    const int s = todo.back();
    todo.pop_back();
    for (int i = begin[s]; i < end[s]; ++i) {
      const int p = before[i];
      if (!alive[p]) alive[p] = 1, todo.push_back(p);
    }
  }
  if (!alive[0]) return NoText();
  std::vector<int> name(n, -1), order{0};
  name[0] = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    for (int c = 0; c < k; ++c) {
      const int t = dfa.next[order[i] * k + c];
      if (t < 0 || !alive[t] || name[t] >= 0) continue;
      name[t] = static_cast<int>(order.size());
      order.push_back(t);
    }
  }
  Dfa out;
  out.byte_class = dfa.byte_class;
  out.num_classes = k;
  out.next.assign(order.size() * k, -1);
  for (size_t i = 0; i < order.size(); ++i) {
    out.accepting.push_back(dfa.accepting[order[i]]);
    for (int c = 0; c < k; ++c) {
      const int t = dfa.next[order[i] * k + c];
      if (t >= 0 && alive[t]) out.next[i * k + c] = name[t];
    }
  }
  return out;
}

// Joins bytes that no state tells apart.
void JoinClasses(Dfa* dfa) {
  const int n = dfa->num_states(), k = dfa->num_classes;
  std::unordered_map<std::vector<int>, int, HashInts> columns;
  std::vector<int> name(k), first;
  std::vector<int> column(n);
  for (int c = 0; c < k; ++c) {
    for (int s = 0; s < n; ++s) column[s] = dfa->next[s * k + c];
    const auto [it, is_new] = columns.try_emplace(column, static_cast<int>(first.size()));
    if (is_new) first.push_back(c);
    name[c] = it->second;
  }
  const int joined = static_cast<int>(first.size());
  if (joined == k) return;
  std::vector<int32_t> next(static_cast<size_t>(n) * joined);
  for (int s = 0; s < n; ++s) {
    for (int c = 0; c < joined; ++c) next[s * joined + c] = dfa->next[s * k + first[c]];
  }
  for (uint8_t& c : dfa->byte_class) c = static_cast<uint8_t>(name[c]);
  dfa->next = std::move(next);
  dfa->num_classes = joined;
}

// Hopcroft's algorithm: the blocks of states that no text tells apart. The dead state is state n.
class Partition {
 public:
  explicit Partition(const Dfa& dfa) : dfa_(dfa), n_(dfa.num_states() + 1), k_(dfa.num_classes) {
    BuildInverse();
    order_.resize(n_), place_.resize(n_), block_.assign(n_, 0);
    std::vector<int> groups[2];
    for (int s = 0; s < n_; ++s) groups[s < n_ - 1 && dfa.accepting[s]].push_back(s);
    for (const auto& group : groups) {
      if (group.empty()) continue;
      const int begin = begin_.empty() ? 0 : end_.back();
      for (size_t i = 0; i < group.size(); ++i) {
        const int s = group[i];
        place_[s] = begin + static_cast<int>(i);
        order_[place_[s]] = s;
        block_[s] = static_cast<int>(begin_.size());
      }
      AddBlock(begin, begin + static_cast<int>(group.size()));
    }
    while (!todo_.empty()) {
      const int splitter = todo_.back();
      todo_.pop_back();
      queued_[splitter] = 0;
      const std::vector<int> members(order_.begin() + begin_[splitter],
                                     order_.begin() + end_[splitter]);
      for (int c = 0; c < k_; ++c) SplitBy(members, c);
    }
  }
  int block(int state) const { return block_[state]; }
  int num_blocks() const { return static_cast<int>(begin_.size()); }

 private:
  int Target(int s, int c) const {
    const int t = s == n_ - 1 ? -1 : dfa_.next[s * k_ + c];
    return t < 0 ? n_ - 1 : t;
  }

  void BuildInverse() {
    inverse_begin_.assign(static_cast<size_t>(n_) * k_ + 1, 0);
    for (int s = 0; s < n_; ++s) {
      for (int c = 0; c < k_; ++c) ++inverse_begin_[Target(s, c) * k_ + c + 1];
    }
    for (size_t i = 1; i < inverse_begin_.size(); ++i) inverse_begin_[i] += inverse_begin_[i - 1];
    inverse_.resize(inverse_begin_.back());
    std::vector<int> at(inverse_begin_.begin(), inverse_begin_.end() - 1);
    for (int s = 0; s < n_; ++s) {
      for (int c = 0; c < k_; ++c) inverse_[at[Target(s, c) * k_ + c]++] = s;
    }
  }

  void AddBlock(int begin, int end) {
    begin_.push_back(begin), end_.push_back(end), marked_.push_back(0), queued_.push_back(1);
    todo_.push_back(num_blocks() - 1);
  }

  // Splits every block of which some members lead into the splitter by class c and some do not.
  void SplitBy(const std::vector<int>& splitter, int c) {
    touched_.clear();
    for (const int t : splitter) {
      for (int i = inverse_begin_[t * k_ + c]; i < inverse_begin_[t * k_ + c + 1]; ++i) {
        const int s = inverse_[i], b = block_[s];
        if (marked_[b] == 0) touched_.push_back(b);
        const int front = begin_[b] + marked_[b]++;  // marked members stand in front
        const int other = order_[front], from = place_[s];
        std::swap(order_[front], order_[from]);
        place_[s] = front, place_[other] = from;
      }
    }
    for (const int b : touched_) {
      const int marked = marked_[b], size = end_[b] - begin_[b];
      marked_[b] = 0;
      if (marked == size) continue;
      const int middle = begin_[b] + marked;
      // The smaller part becomes the new block, and only that has to be looked at again.
      const bool front = marked <= size - marked;
      const int begin = front ? begin_[b] : middle, end = front ? middle : end_[b];
      (front ? begin_[b] : end_[b]) = middle;
      for (int i = begin; i < end; ++i) block_[order_[i]] = num_blocks();
      AddBlock(begin, end);
    }
  }

  const Dfa& dfa_;
  const int n_, k_;
  std::vector<int> inverse_begin_, inverse_;  // states that lead to a state, by class
  std::vector<int> order_, place_, block_;    // states by block, and where each stands
  std::vector<int> begin_, end_, marked_;     // of a block
  std::vector<uint8_t> queued_;
  std::vector<int> todo_, touched_;
};

Dfa Minimize(Dfa dfa) {
  dfa = Trim(dfa);
  JoinClasses(&dfa);
  const int n = dfa.num_states(), k = dfa.num_classes;
  const Partition partition(dfa);
  if (partition.num_blocks() == n + 1) return dfa;
  // Numbered in the order of their first states, so that state 0 stays the first.
  std::vector<int> name(partition.num_blocks(), -1);
  int named = 0;
  for (int s = 0; s < n; ++s) {
    if (name[partition.block(s)] < 0) name[partition.block(s)] = named++;
  }
  Dfa out;
  out.byte_class = dfa.byte_class;
  out.num_classes = k;
  out.next.assign(static_cast<size_t>(named) * k, -1);
  out.accepting.assign(named, 0);
  for (int s = 0; s < n; ++s) {
    const int from = name[partition.block(s)];
    out.accepting[from] = dfa.accepting[s];
    for (int c = 0; c < k; ++c) {
      const int t = dfa.next[s * k + c];
      out.next[from * k + c] = t < 0 ? -1 : name[partition.block(t)];
    }
  }
  return out;
}

}  // namespace

bool Dfa::empty() const {
  return std::find(accepting.begin(), accepting.end(), 1) == accepting.end();
}

bool Dfa::Accepts(std::string_view text) const {
  int state = 0;
  for (const char c : text) {
    state = Next(state, static_cast<uint8_t>(c));
    if (state < 0) return false;
  }
  return accepting[state] != 0;
}

int Nfa::AddState() {
  states_.emplace_back();
  return num_states() - 1;
}

void Nfa::AddEmpty(int from, int to, Assertion assertion) {
  states_[from].empties.push_back({to, assertion});
}

void Nfa::AddBytes(int from, uint8_t low, uint8_t high, int to) {
  states_[from].edges.push_back({low, high, to});
}

void Nfa::AddCodePoints(int from, uint32_t low, uint32_t high, int to) {
  // Cut where the number of bytes changes and around the surrogates, then into ranges whose
  // continuation bytes are all free or all equal.
  struct Piece {
    uint32_t low, high;
    int bytes;
  };
  static constexpr Piece kPieces[] = {{0, 0x7f, 1},
                                      {0x80, 0x7ff, 2},
                                      {0x800, 0xd7ff, 3},
                                      {0xe000, 0xffff, 3},
                                      {0x10000, 0x10ffff, 4}};
  for (const Piece& piece : kPieces) {
    uint32_t a = std::max(low, piece.low);
    const uint32_t b = std::min(high, piece.high);
    while (a <= b) {
      uint32_t end = a;  // the largest range from a whose low digits are whole
      int free = 0;      // continuation bytes that run from 80 to bf
      while (free < piece.bytes - 1) {
        const uint32_t block = uint32_t{1} << (6 * (free + 1));
        if (a % block != 0 || b - a < block - 1) break;
        end = a + block - 1;
        ++free;
      }
      // The byte above the free ones may run too, while it stays in its own block of 64.
      const uint32_t unit = uint32_t{1} << (6 * free);
      const bool lead = free == piece.bytes - 1;
      const uint32_t stop =
          lead ? b : std::min(b, a | (unit * 64 - 1));  // last value under the same upper bytes
      end = std::max(end, a + (stop - a + 1) / unit * unit - 1);
      static constexpr uint8_t kMark[] = {0, 0, 0xc0, 0xe0, 0xf0};
      int state = from;
      for (int i = piece.bytes - 1; i >= 0; --i) {
        const bool first = i == piece.bytes - 1;
        const uint8_t mark = first ? kMark[piece.bytes] : 0x80;
        const uint32_t digits = first ? ~uint32_t{0} : 63;
        const auto byte = [&](uint32_t x) {
          return static_cast<uint8_t>(mark | ((x >> (6 * i)) & digits));
        };
        const int target = i == 0 ? to : AddState();
        AddBytes(state, byte(a), byte(end), target);
        state = target;
      }
      a = end + 1;
    }
  }
}

void Nfa::Close(std::vector<int>* set, bool at_begin, bool at_end,
                std::vector<uint8_t>* seen) const {
  for (const int s : *set) (*seen)[s] = 1;
  for (size_t i = 0; i < set->size(); ++i) {
    for (const Empty& e : states_[(*set)[i]].empties) {
      if ((*seen)[e.to] || (e.assertion == Assertion::kBegin && !at_begin) ||
          (e.assertion == Assertion::kEnd && !at_end))
        continue;
      (*seen)[e.to] = 1;
      set->push_back(e.to);
    }
  }
  for (const int s : *set) (*seen)[s] = 0;
}

Result<Dfa> Nfa::Determinize(int start, int accept) const {
  Dfa dfa;
  std::array<uint8_t, 257> cut{};
  for (const State& state : states_) {
    for (const Edge& edge : state.edges) cut[edge.low] = cut[edge.high + 1] = 1;
  }
  int k = 0;
  std::vector<int> first_byte{0};
  for (int b = 0; b < 256; ++b) {
    if (b > 0 && cut[b]) ++k, first_byte.push_back(b);
    dfa.byte_class[b] = static_cast<uint8_t>(k);
  }
  dfa.num_classes = ++k;
  // States of the result are sets and whether nothing was read yet: only there a `^` behind an
  // empty piece passes; both kinds of closure are taken here, so the set says it all.
  std::unordered_map<std::vector<int>, int, HashInts> names;
  std::vector<std::vector<int>> sets;
  std::vector<uint8_t> seen(states_.size());
  size_t total = 0;
  // States whose empty edges have all been taken and that read nothing say nothing more.
  std::vector<uint8_t> matters(states_.size());
  for (size_t s = 0; s < states_.size(); ++s) {
    matters[s] = static_cast<int>(s) == accept || !states_[s].edges.empty();
    for (const Empty& e : states_[s].empties) matters[s] |= e.assertion == Assertion::kEnd;
  }
  std::vector<int> set, end;
  const auto name_of = [&](const std::vector<int>& from, bool begin) {
    set = from;
    Close(&set, begin, false, &seen);
    std::erase_if(set, [&](int s) { return !matters[s]; });
    std::sort(set.begin(), set.end());
    if (begin) set.push_back(-1);
    const auto [it, is_new] = names.try_emplace(set, static_cast<int>(sets.size()));
    if (is_new) {
      if (begin) set.pop_back();
      end = set;
      Close(&end, begin, true, &seen);
      dfa.accepting.push_back(std::find(end.begin(), end.end(), accept) != end.end());
      total += set.size();
      sets.push_back(set);
    }
    return it->second;
  };
  name_of({start}, true);
  std::vector<std::vector<int>> moves(k);
  for (size_t i = 0; i < sets.size(); ++i) {
    if (sets.size() > kMaxDfaStates || total > size_t{kMaxDfaStates} * 64) return TooLarge();
    for (auto& move : moves) move.clear();
    for (const int s : sets[i]) {
      for (const Edge& edge : states_[s].edges) {
        for (int c = dfa.byte_class[edge.low]; c <= dfa.byte_class[edge.high]; ++c)
          moves[c].push_back(edge.to);
      }
    }
    dfa.next.resize((i + 1) * k, -1);
    for (int c = 0; c < k; ++c) {
      if (moves[c].empty()) continue;
      std::sort(moves[c].begin(), moves[c].end());
      moves[c].erase(std::unique(moves[c].begin(), moves[c].end()), moves[c].end());
      dfa.next[i * k + c] = name_of(moves[c], false);
    }
  }
  return Minimize(std::move(dfa));
}

Result<Dfa> Combine(const Dfa& a, const Dfa& b, Combination how) {
  Dfa dfa;
  std::map<std::pair<int, int>, int> classes;
  std::vector<std::pair<int, int>> pairs;
  for (int byte = 0; byte < 256; ++byte) {
    const std::pair<int, int> pair{a.byte_class[byte], b.byte_class[byte]};
    const auto [it, is_new] = classes.try_emplace(pair, static_cast<int>(pairs.size()));
    if (is_new) pairs.push_back(pair);
    dfa.byte_class[byte] = static_cast<uint8_t>(it->second);
  }
  const int k = dfa.num_classes = static_cast<int>(pairs.size());
  std::unordered_map<uint64_t, int> names;
  std::vector<std::pair<int, int>> states;
  const auto name_of = [&](int x, int y) {
    if ((x < 0 && (y < 0 || how != Combination::kOr)) || (y < 0 && how == Combination::kAnd))
      return -1;
    const uint64_t key = static_cast<uint64_t>(x + 1) << 32 | static_cast<uint32_t>(y + 1);
    const auto [it, is_new] = names.try_emplace(key, static_cast<int>(states.size()));
    if (is_new) {
      const bool in_a = x >= 0 && a.accepting[x], in_b = y >= 0 && b.accepting[y];
      states.emplace_back(x, y);
      dfa.accepting.push_back(how == Combination::kAnd  ? in_a && in_b
                              : how == Combination::kOr ? in_a || in_b
                                                        : in_a && !in_b);
    }
    return it->second;
  };
  name_of(0, 0);
  for (size_t i = 0; i < states.size(); ++i) {
    if (states.size() > kMaxDfaStates) return TooLarge();
    const auto [x, y] = states[i];
    dfa.next.resize((i + 1) * k, -1);
    for (int c = 0; c < k; ++c) {
      const int to_x = x < 0 ? -1 : a.next[x * a.num_classes + pairs[c].first];
      const int to_y = y < 0 ? -1 : b.next[y * b.num_classes + pairs[c].second];
      dfa.next[i * k + c] = name_of(to_x, to_y);
    }
  }
  return Minimize(std::move(dfa));
}

int DfaBuilder::AddState(bool accepting) {
  rows_.emplace_back().fill(-1);
  accepting_.push_back(accepting);
  return static_cast<int>(rows_.size()) - 1;
}

void DfaBuilder::Set(int from, uint8_t low, uint8_t high, int to) {
  for (int b = low; b <= high; ++b) rows_[from][b] = to;
}

Dfa DfaBuilder::Build() const {
  Dfa dfa;
  std::map<std::vector<int32_t>, int> columns;
  std::vector<int> first;
  std::vector<int32_t> column(rows_.size());
  for (int b = 0; b < 256; ++b) {
    for (size_t s = 0; s < rows_.size(); ++s) column[s] = rows_[s][b];
    const auto [it, is_new] = columns.try_emplace(column, static_cast<int>(first.size()));
    if (is_new) first.push_back(b);
    dfa.byte_class[b] = static_cast<uint8_t>(it->second);
  }
  dfa.num_classes = static_cast<int>(first.size());
  for (const auto& row : rows_) {
    for (const int b : first) dfa.next.push_back(row[b]);
  }
  dfa.accepting = accepting_;
  return Minimize(std::move(dfa));
}

const Dfa& AnyText() {
  static const Dfa dfa = [] {
    Nfa nfa;
    const int state = nfa.AddState();
    nfa.AddCodePoints(state, 0, 0x10ffff, state);
    return *nfa.Determinize(state, state);
  }();
  return dfa;
}

const Dfa& PlainText() {
  static const Dfa dfa = [] {
    Nfa nfa;
    const int state = nfa.AddState();
    nfa.AddCodePoints(state, 0x20, '"' - 1, state);
    nfa.AddCodePoints(state, '"' + 1, '\\' - 1, state);
    nfa.AddCodePoints(state, '\\' + 1, 0x2027, state);
    nfa.AddCodePoints(state, 0x202a, 0x10ffff, state);
    return *nfa.Determinize(state, state);
  }();
  return dfa;
}

Dfa NoText() {
  Dfa dfa;
  dfa.next = {-1};
  dfa.accepting = {0};
  return dfa;
}

Result<Dfa> FiniteSet(const std::vector<std::string>& texts) {
  std::array<bool, 256> used{};
  for (const std::string& text : texts) {
    for (const char c : text) used[static_cast<uint8_t>(c)] = true;
  }
  Dfa dfa;
  const int count = static_cast<int>(std::count(used.begin(), used.end(), true));
  int named = 0;  // bytes that no text has are the last class
  for (int b = 0; b < 256; ++b) dfa.byte_class[b] = static_cast<uint8_t>(used[b] ? named++ : count);
  const int k = dfa.num_classes = std::min(count + 1, 256);
  dfa.next.assign(k, -1);
  dfa.accepting = {0};
  for (const std::string& text : texts) {
    int state = 0;
    for (const char c : text) {
      const size_t edge = static_cast<size_t>(state) * k + dfa.byte_class[static_cast<uint8_t>(c)];
      if (dfa.next[edge] < 0) {
        if (dfa.num_states() > kMaxDfaStates) return TooLarge();
        dfa.next[edge] = dfa.num_states();
        dfa.accepting.push_back(0);
        dfa.next.resize(dfa.next.size() + k, -1);
      }
      state = dfa.next[edge];
    }
    dfa.accepting[state] = 1;
  }
  return Minimize(std::move(dfa));
}

Result<Dfa> WithLength(const Dfa& dfa, int64_t min, int64_t max) {
  if (min <= 0 && max < 0) return dfa;
  if (max >= 0 && min > max) return NoText();
  const int64_t top = max < 0 ? min : max;  // counts above are like this one (no limit), or dead
  if (top > kMaxDfaStates) return TooLarge();
  Dfa out;
  // Continuation bytes count nothing; they need classes of their own.
  std::map<std::pair<int, bool>, int> classes;
  std::vector<std::pair<int, bool>> pairs;
  for (int b = 0; b < 256; ++b) {
    const std::pair<int, bool> pair{dfa.byte_class[b], (b & 0xc0) == 0x80};
    const auto [it, is_new] = classes.try_emplace(pair, static_cast<int>(pairs.size()));
    if (is_new) pairs.push_back(pair);
    out.byte_class[b] = static_cast<uint8_t>(it->second);
  }
  const int k = out.num_classes = static_cast<int>(pairs.size());
  std::unordered_map<int64_t, int> names;
  std::vector<std::pair<int, int64_t>> states;
  const auto name_of = [&](int s, int64_t count) {
    if (s < 0 || (max >= 0 && count > max)) return -1;
    count = std::min(count, top);
    const auto [it, is_new] =
        names.try_emplace(s * (top + 1) + count, static_cast<int>(states.size()));
    if (is_new) {
      states.emplace_back(s, count);
      out.accepting.push_back(dfa.accepting[s] && count >= min);
    }
    return it->second;
  };
  name_of(0, 0);
  for (size_t i = 0; i < states.size(); ++i) {
    if (states.size() > kMaxDfaStates) return TooLarge();
    const auto [s, count] = states[i];
    out.next.resize((i + 1) * k, -1);
    for (int c = 0; c < k; ++c) {
      out.next[i * k + c] =
          name_of(dfa.next[s * dfa.num_classes + pairs[c].first], count + !pairs[c].second);
    }
  }
  return Minimize(std::move(out));
}

}  // namespace galen::grammar

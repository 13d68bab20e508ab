#include "grammar/automaton.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "grammar/code_point_range.h"
#include "text/tokenizer/unicode.h"

namespace galen::grammar {
namespace {

constexpr size_t kMaxPlaces = 2000;      // of one configuration
constexpr size_t kMaxConfigs = 1500000;  // some 500 bytes each
constexpr size_t kMaxFrames = 4000000;

// Place::escape: the kind in the low 3 bits.
enum EscapeKind : uint32_t {
  kNone = 0,
  kBackslash = 1,   // behind a backslash
  kHex = 2,         // behind \u and up to three digits: digits << 3, value << 6
  kPairMark = 3,    // a high surrogate was read: a backslash must follow; surrogate << 6
  kPairLetter = 4,  // then a u
  kPairHex = 5,     // then digits: digits << 3, value << 6, surrogate << 20
};

int HexDigit(uint8_t c) {
  return c >= '0' && c <= '9'   ? c - '0'
         : c >= 'a' && c <= 'f' ? c - 'a' + 10
         : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                : -1;
}

// The character of a short escape, or -1.
int ShortEscape(uint8_t c) {
  switch (c) {
    case '"':
    case '\\':
    case '/':
      return c;
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    default:
      return -1;
  }
}

uint64_t Mix(uint64_t h, uint64_t x) {
  h = (h ^ x) * 0x9e3779b97f4a7c15;
  return h ^ (h >> 32);
}

}  // namespace

Automaton::Automaton(Grammar grammar) : grammar_(std::move(grammar)) {
  FindClasses();
  FindDeadEnds();
  Enter(grammar_.start(), 0, -1);
  start_ = Intern();
}

// Bytes that nothing in the grammar tells apart.
void Automaton::FindClasses() {
  std::array<int, 256> name{};
  int count = 1;
  const auto refine = [&](const auto& label) {
    std::map<std::pair<int, int>, int> names;
    std::array<int, 256> refined;
    for (int b = 0; b < 256; ++b)
      refined[b] =
          names.try_emplace({name[b], label(b)}, static_cast<int>(names.size())).first->second;
    name = refined;
    count = static_cast<int>(names.size());
  };
  std::array<uint8_t, 257> cut{};
  bool strings = false;
  for (const Node& node : grammar_.nodes()) {
    if (node.kind == Node::Kind::kByte) cut[node.low] = cut[node.high + 1] = 1;
    strings |= node.kind == Node::Kind::kString;
  }
  int piece = 0;
  std::array<int, 256> pieces;
  for (int b = 0; b < 256; ++b) pieces[b] = piece += cut[b];
  refine([&](int b) { return pieces[b]; });
  for (const Dfa& dfa : grammar_.dfas()) {
    if (count == 256) break;
    refine([&](int b) { return dfa.byte_class[b]; });
  }
  if (strings) {
    refine([](int b) {
      const bool special = b == '"' || b == '\\' || b == '/' || b == 'n' || b == 'r' || b == 't' ||
                           b == 'u' || HexDigit(static_cast<uint8_t>(b)) >= 0;
      return special ? b : b < 0x20 ? 256 : (b & 0xc0) == 0x80 ? 257 : 258;
    });
  }
  num_classes_ = count;
  class_bytes_.assign(count, 0);
  class_sizes_.assign(count, 0);
  for (int b = 255; b >= 0; --b) {
    byte_class_[b] = static_cast<uint8_t>(name[b]);
    class_bytes_[name[b]] = static_cast<uint8_t>(b);
    ++class_sizes_[name[b]];
  }
}

void Automaton::FindDeadEnds() {
  for (const Dfa& dfa : grammar_.dfas()) {
    std::vector<uint8_t>& ends = dead_ends_.emplace_back(dfa.num_states(), 1);
    for (size_t i = 0; i < dfa.next.size(); ++i) {
      if (dfa.next[i] >= 0) ends[i / static_cast<size_t>(dfa.num_classes)] = 0;
    }
  }
}

int32_t Automaton::Push(int node, int32_t count, int32_t parent) {
  // A caller that has nothing left to do is not remembered: right recursion takes no memory.
  if (grammar_.nodes()[node].kind == Node::Kind::kReturn) return parent;
  uint64_t h = Mix(Mix(static_cast<uint64_t>(node), static_cast<uint32_t>(count)),
                   static_cast<uint32_t>(parent));
  auto& same = frames_by_hash_[h];
  for (const int32_t f : same) {
    const Frame& frame = frames_[f];
    if (frame.node == node && frame.count == count && frame.parent == parent) return f;
  }
  if (frames_.size() >= kMaxFrames) {
    exhausted_ = true;
    return parent;
  }
  frames_.push_back({node, count, parent});
  same.push_back(static_cast<int32_t>(frames_.size()) - 1);
  return same.back();
}

// Adds the places that read, from a node on, to the configuration that is being built.
void Automaton::Enter(int first, int32_t first_count, int32_t first_stack) {
  std::vector<Place>& todo = todo_;
  todo.assign(1, {first, 0, 0, first_count, first_stack});
  const auto remember = [&](std::vector<Place>* list, const Place& place) {
    if (std::find(list->begin(), list->end(), place) != list->end()) return false;
    list->push_back(place);
    return true;
  };
  while (!todo.empty()) {
    const Place place = todo.back();
    todo.pop_back();
    const Node& node = grammar_.nodes()[place.node];
    if (!node.productive || exhausted_) continue;
    if (building_.size() + silent_.size() > kMaxPlaces) {
      exhausted_ = true;
      return;
    }
    switch (node.kind) {
      case Node::Kind::kByte:
      case Node::Kind::kString:
        remember(&building_, place);
        break;
      case Node::Kind::kDfa:
        if (remember(dead_ends_[node.index][place.state] ? &silent_ : &building_, place) &&
            grammar_.dfas()[node.index].accepting[place.state])
          todo.push_back({node.next, 0, 0, place.count, place.stack});
        break;
      case Node::Kind::kSplit:
        if (!remember(&silent_, place)) break;
        for (const int t : grammar_.splits()[node.index])
          todo.push_back({t, 0, 0, place.count, place.stack});
        break;
      case Node::Kind::kCall:
        if (!remember(&silent_, place)) break;
        if (!grammar_.nodes()[node.body].productive) break;
        todo.push_back({node.body, 0, 0, 0, Push(node.next, place.count, place.stack)});
        break;
      case Node::Kind::kReturn: {
        if (!remember(&silent_, place)) break;
        if (place.stack < 0) {
          building_accepts_ = true;
          break;
        }
        const Frame frame = frames_[place.stack];
        todo.push_back({frame.node, 0, 0, frame.count, frame.parent});
        break;
      }
      case Node::Kind::kLoop: {
        if (!remember(&silent_, place)) break;
        if (place.count >= node.min) todo.push_back({node.next, 0, 0, 0, place.stack});
        if (!grammar_.nodes()[node.body].productive) break;
        if (node.max >= 0 && place.count >= node.max) break;
        const int32_t count = node.max < 0 ? std::min(place.count + 1, node.min) : place.count + 1;
        todo.push_back({node.body, 0, 0, 0, Push(place.node, count, place.stack)});
        break;
      }
    }
  }
}

ConfigId Automaton::Intern() {
  std::vector<Place>& places = building_;
  const bool accepting = building_accepts_;
  silent_.clear();
  building_accepts_ = false;
  if (exhausted_ || (places.empty() && !accepting)) {
    places.clear();
    return kDead;
  }
  std::sort(places.begin(), places.end(), [](const Place& a, const Place& b) {
    return std::tie(a.node, a.state, a.escape, a.count, a.stack) <
           std::tie(b.node, b.state, b.escape, b.count, b.stack);
  });
  uint64_t h = accepting;
  for (const Place& p : places) {
    h = Mix(h, static_cast<uint64_t>(p.node) << 32 | static_cast<uint32_t>(p.state));
    h = Mix(h, static_cast<uint64_t>(p.escape) << 32 | static_cast<uint32_t>(p.count));
    h = Mix(h, static_cast<uint32_t>(p.stack));
  }
  auto& same = by_hash_[h];
  for (const ConfigId id : same) {
    if (configs_[id].accepting == accepting && configs_[id].places == places) {
      places.clear();
      return id;
    }
  }
  if (configs_.size() >= kMaxConfigs) {
    exhausted_ = true;
    places.clear();
    return kDead;
  }
  Config config;
  config.places = places;
  config.accepting = accepting;
  if (configs_.size() % kRows == 0) {
    const size_t size = kRows * static_cast<size_t>(num_classes_);
    rows_.push_back(std::make_unique_for_overwrite<int32_t[]>(size));
    std::fill_n(rows_.back().get(), size, kUnknown);
  }
  configs_.push_back(std::move(config));
  places.clear();
  same.push_back(static_cast<ConfigId>(configs_.size()) - 1);
  return same.back();
}

ConfigId Automaton::Compute(ConfigId id, uint8_t byte) {
  const int c = byte_class_[byte];
  if (exhausted_) return kDead;
  // configs_ may move while places are stepped, so they are taken by index.
  for (size_t i = 0; i < configs_[id].places.size(); ++i) {
    const Place place = configs_[id].places[i];
    StepPlace(place, byte);
  }
  const ConfigId next = Intern();
  if (!exhausted_) Row(id)[c] = next;
  return next;
}

ConfigId Automaton::StepText(ConfigId config, std::string_view text) {
  for (const char c : text) {
    config = Step(config, static_cast<uint8_t>(c));
    if (config == kDead) break;
  }
  return config;
}

void Automaton::StepPlace(const Place& place, uint8_t byte) {
  const Node& node = grammar_.nodes()[place.node];
  if (node.kind == Node::Kind::kByte) {
    if (byte >= node.low && byte <= node.high) Enter(node.next, place.count, place.stack);
  } else if (node.kind == Node::Kind::kDfa) {
    const Dfa& dfa = grammar_.dfas()[node.index];
    const int state = dfa.Next(place.state, byte);
    if (state < 0) return;
    Place next = place;
    next.state = state;
    if (!dead_ends_[node.index][state] &&
        std::find(building_.begin(), building_.end(), next) == building_.end())
      building_.push_back(next);
    if (dfa.accepting[state]) Enter(node.next, place.count, place.stack);
  } else {
    StepString(place, node, byte);
  }
}

// Whether a string of `count` characters so far can become one of the language.
bool Automaton::Fits(const StringLanguage& language, int state, int32_t count) const {
  if (language.max >= 0 && count + language.min_distance[state] > language.max) return false;
  const int32_t far = language.max_distance[state];
  return far < 0 || count + far >= language.min;
}

bool Automaton::Feed(const StringLanguage& language, const uint8_t* bytes, int n,
                     Place* place) const {
  const Dfa& dfa = grammar_.dfas()[language.dfa];
  for (int i = 0; i < n; ++i) {
    place->state = dfa.Next(place->state, bytes[i]);
    if (place->state < 0) return false;
    if ((bytes[i] & 0xc0) != 0x80) ++place->count;
  }
  if (!Fits(language, place->state, place->count)) return false;
  if (language.max < 0) place->count = std::min(place->count, language.min);
  return true;
}

bool Automaton::FeedCodePoint(const StringLanguage& language, uint32_t code_point,
                              Place* place) const {
  std::string utf8;
  text::AppendUtf8(code_point, &utf8);
  place->escape = kNone;
  return Feed(language, reinterpret_cast<const uint8_t*>(utf8.data()),
              static_cast<int>(utf8.size()), place);
}

// Whether some escape can stand here.
bool Automaton::EscapeAlive(const StringLanguage& language, const Place& place) const {
  for (const uint8_t c : {'n', '"', '\\', '/', 't', 'r', 'b', 'f'}) {
    Place next = place;
    if (FeedCodePoint(language, static_cast<uint32_t>(ShortEscape(c)), &next)) return true;
  }
  return HexAlive(language, place, 0, 0);
}

// Whether digits can follow that make a character which may stand here. Pairs of surrogates are
// allowed only where every character is: elsewhere the character itself can be written.
bool Automaton::HexAlive(const StringLanguage& language, const Place& place, uint32_t value,
                         int digits) const {
  const int shift = 4 * (4 - digits);
  const uint32_t low = value << shift, high = low + (uint32_t{1} << shift) - 1;
  if (low >= 0xdc00 && high <= 0xdfff) return false;
  const bool open = language.open[place.state] && (language.any || language.max < 0);
  if (open) return language.max < 0 || place.count < language.max;
  return AnyCodePoint(grammar_.dfas()[language.dfa], place.state, low, high,
                      [&](int state) { return Fits(language, state, place.count + 1); });
}

void Automaton::StepString(const Place& place, const Node& node, uint8_t byte) {
  const StringLanguage& language = grammar_.strings()[node.index];
  Place next = place;
  const auto go = [&] {
    if (std::find(building_.begin(), building_.end(), next) == building_.end())
      building_.push_back(next);
  };
  const uint32_t kind = place.escape & 7;
  if (kind == kNone) {
    if (byte == '"') {
      if (grammar_.dfas()[language.dfa].accepting[place.state] && place.count >= language.min)
        Enter(node.next, 0, place.stack);
    } else if (byte == '\\') {
      next.escape = kBackslash;
      if (EscapeAlive(language, place)) go();
    } else if (byte >= 0x20 && Feed(language, &byte, 1, &next)) {
      go();
    }
    return;
  }
  if (kind == kBackslash) {
    const int c = ShortEscape(byte);
    next.escape = kNone;
    if (c >= 0 && FeedCodePoint(language, static_cast<uint32_t>(c), &next)) go();
    next.escape = kHex;
    if (byte == 'u' && HexAlive(language, place, 0, 0)) go();
    return;
  }
  if (kind == kPairMark || kind == kPairLetter) {
    if (byte != (kind == kPairMark ? '\\' : 'u')) return;
    const uint32_t surrogate = place.escape >> 6;
    next.escape = kind == kPairMark ? kPairLetter | surrogate << 6 : kPairHex | surrogate << 20;
    go();
    return;
  }
  const int digit = HexDigit(byte);
  if (digit < 0) return;
  const int digits = static_cast<int>(place.escape >> 3 & 7) + 1;
  const uint32_t value = (place.escape >> 6 & 0xfff) << 4 | static_cast<uint32_t>(digit);
  if (kind == kPairHex) {
    const uint32_t surrogate = place.escape >> 20;
    const uint32_t least = 0xdc00u >> (4 * (4 - digits)), most = 0xdfffu >> (4 * (4 - digits));
    if (value < least || value > most) return;
    next.escape = kPairHex | static_cast<uint32_t>(digits) << 3 | value << 6 | surrogate << 20;
    if (digits < 4 ||
        FeedCodePoint(language, 0x10000 + (surrogate << 10) + (value - 0xdc00), &next))
      go();
    return;
  }
  if (digits < 4) {
    next.escape = kHex | static_cast<uint32_t>(digits) << 3 | value << 6;
    if (HexAlive(language, place, value, digits)) go();
  } else if (value >= 0xd800 && value < 0xdc00) {
    next.escape = kPairMark | (value - 0xd800) << 6;
    if (language.open[place.state] && (language.any || language.max < 0)) go();
  } else if ((value < 0xdc00 || value > 0xdfff) && FeedCodePoint(language, value, &next)) {
    go();
  }
}

}  // namespace galen::grammar

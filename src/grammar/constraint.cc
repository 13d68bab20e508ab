#include "grammar/constraint.h"

#include "grammar/gbnf.h"
#include "grammar/regex.h"
#include "grammar/schema.h"

namespace galen::grammar {
namespace {

constexpr size_t kMaskCacheBytes = size_t{96} << 20;
constexpr size_t kEntryBytes = 128;  // of a map, beside key and mask

}  // namespace

Constraint::Constraint(Kind kind, Grammar grammar, std::shared_ptr<const Vocabulary> vocabulary)
    : kind_(kind), vocabulary_(std::move(vocabulary)), automaton_(std::move(grammar)) {
  start_ = automaton_.start();
}

Result<std::shared_ptr<const Constraint>> Constraint::Make(
    Kind kind, Grammar grammar, std::shared_ptr<const Vocabulary> vocabulary) {
  std::shared_ptr<const Constraint> constraint(
      new Constraint(kind, std::move(grammar), std::move(vocabulary)));
  if (constraint->exhausted())
    return ResourceExhausted("it has too many alternatives at its beginning");
  if (constraint->start_ == kDead)
    return InvalidArgument("it contradicts itself: no text satisfies it");
  return constraint;
}

Result<std::shared_ptr<const Constraint>> Constraint::FromSchema(
    std::string_view schema, std::shared_ptr<const Vocabulary> vocabulary, Whitespace whitespace) {
  ASSIGN_OR_RETURN(Grammar grammar, CompileSchema(schema, whitespace == Whitespace::kFlexible));
  return Make(Kind::kSchema, std::move(grammar), std::move(vocabulary));
}

Result<std::shared_ptr<const Constraint>> Constraint::FromRegex(
    std::string_view pattern, std::shared_ptr<const Vocabulary> vocabulary) {
  ASSIGN_OR_RETURN(Dfa dfa, CompileRegex(pattern, RegexMatch::kWhole));
  Grammar grammar;
  const int table = grammar.AddDfaTable(std::move(dfa));
  RETURN_IF_ERROR(grammar.Finish(grammar.AddDfa(table, grammar.AddReturn())));
  return Make(Kind::kRegex, std::move(grammar), std::move(vocabulary));
}

Result<std::shared_ptr<const Constraint>> Constraint::FromGbnf(
    std::string_view text, std::shared_ptr<const Vocabulary> vocabulary) {
  ASSIGN_OR_RETURN(Grammar grammar, CompileGbnf(text));
  return Make(Kind::kGrammar, std::move(grammar), std::move(vocabulary));
}

Result<std::shared_ptr<const Constraint>> Constraint::FromToolCalls(
    const ToolCallForm& form, std::span<const ToolSchema> tools, bool text,
    std::shared_ptr<const Vocabulary> vocabulary) {
  ASSIGN_OR_RETURN(Grammar grammar, CompileToolCalls(form, tools, text));
  return Make(Kind::kToolCalls, std::move(grammar), std::move(vocabulary));
}

ConfigId Constraint::Advance(ConfigId config, std::string_view bytes) const {
  const std::lock_guard lock(mutex_);
  return automaton_.StepText(config, bytes);
}

bool Constraint::Complete(ConfigId config) const {
  const std::lock_guard lock(mutex_);
  return config != kDead && automaton_.accepting(config);
}

bool Constraint::OpenEnded(ConfigId config) const {
  const std::lock_guard lock(mutex_);
  return config != kDead && automaton_.open_ended(config);
}

bool Constraint::exhausted() const {
  const std::lock_guard lock(mutex_);
  return automaton_.exhausted();
}

// Sets the bits of the tokens that may follow, but for subtrees of plain ones with at most `known`
// characters.
void Constraint::Walk(const TokenTree& tree, ConfigId from, uint8_t known, TokenMask* mask) const {
  std::vector<ConfigId> path(tree.max_depth + 1);
  path[0] = from;
  const TokenTree::Node* const nodes = tree.nodes.data();
  const uint32_t end = static_cast<uint32_t>(tree.nodes.size()) - 1;
  uint64_t* const bits = mask->data();
  for (uint32_t i = 0; i < end;) {
    const TokenTree::Node& node = nodes[i];
    if (node.most <= known) {
      i = node.end;
      continue;
    }
    const ConfigId config = automaton_.Step(path[node.depth - 1], node.byte);
    if (config == kDead) {
      i = node.end;
      continue;
    }
    if (node.end != i + 1) path[node.depth] = config;
    for (uint32_t t = node.first; t < nodes[i + 1].first; ++t) {
      const TokenId id = tree.tokens[t];
      bits[id / 64] |= uint64_t{1} << (id % 64);
    }
    ++i;
  }
}

// What a mask depends on: the places, each with its count as far as the characters of one token can
// tell. Long strings are the same at nearly all of their characters.
std::string Constraint::MaskKey(ConfigId config) const {
  std::string key;
  const auto add = [&](int64_t value) {
    key.append(reinterpret_cast<const char*>(&value), sizeof value);
  };
  const int64_t longest = vocabulary_->all().max_depth;  // bytes, so characters, too
  for (const Place& place : automaton_.places(config)) {
    const Node& node = automaton_.grammar().nodes()[place.node];
    int64_t need = place.count, room = 0;
    if (node.kind == Node::Kind::kString) {
      const StringLanguage& language = automaton_.grammar().strings()[node.index];
      need = std::max(language.min - place.count, 0);
      if (language.endless) need = std::min(need, longest + 1);
      room = language.max < 0 ? -1 : language.max - place.count;
      if (room > longest + language.most_distance) room = -1;
    }
    add(int64_t{place.node} << 32 | static_cast<uint32_t>(place.state));
    add(int64_t{place.stack} << 32 | place.escape);
    add(need), add(room);
  }
  return key;
}

std::shared_ptr<const TokenMask> Constraint::Mask(ConfigId config) const {
  if (config == kDead) return nullptr;
  const std::lock_guard lock(mutex_);
  if (const auto it = masks_.find(config); it != masks_.end()) return it->second;
  if (remembered_bytes_ > kMaskCacheBytes) {
    masks_.clear();
    masks_by_key_.clear();
    remembered_bytes_ = 0;
  }
  remembered_bytes_ += kEntryBytes;
  std::string key = MaskKey(config);
  if (const auto it = masks_by_key_.find(key); it != masks_by_key_.end())
    return masks_[config] = it->second;
  std::shared_ptr<const TokenMask> mask = ComputeMask(config);
  if (automaton_.exhausted()) return nullptr;
  remembered_bytes_ += kEntryBytes + key.size() + mask->size() * sizeof(uint64_t);
  masks_by_key_.emplace(std::move(key), mask);
  return masks_[config] = mask;
}

// How many plain characters may surely follow inside the string of the place.
int64_t Constraint::PlainCharacters(const Place& place) const {
  const Node& node = automaton_.grammar().nodes()[place.node];
  if (node.kind != Node::Kind::kString || place.escape != 0) return 0;
  const StringLanguage& language = automaton_.grammar().strings()[node.index];
  if (!language.endless && place.count < language.min) return 0;
  const int64_t free = language.free[place.state];
  if (language.max < 0) return free;
  return std::clamp<int64_t>(language.max - place.count - language.most_distance, 0, free);
}

std::shared_ptr<const TokenMask> Constraint::ComputeMask(ConfigId config) const {
  // Plain tokens that surely follow inside a JSON string are known by their number of characters;
  // only the others have to be tried.
  int64_t plain = 0;  // characters
  const std::vector<Place>& places = automaton_.places(config);
  for (const Place& place : places) plain = std::max(plain, PlainCharacters(place));
  if (plain == 0) {
    auto mask = std::make_shared<TokenMask>(vocabulary_->mask_words());
    Walk(vocabulary_->all(), config, 0, mask.get());
    return mask;
  }
  const std::span<const uint64_t> bits = vocabulary_->plain(plain);
  auto mask = std::make_shared<TokenMask>(bits.begin(), bits.end());
  bool rest = plain < kAllFree;  // whether longer plain tokens may follow, too
  if (rest && places.size() == 1) {
    const Node& node = automaton_.grammar().nodes()[places[0].node];
    rest = !automaton_.grammar().strings()[node.index].any;
  }
  Walk(rest ? vocabulary_->all() : vocabulary_->special(), config, static_cast<uint8_t>(plain),
       mask.get());
  return mask;
}

std::string Constraint::Forced(ConfigId config, size_t most) const {
  const std::lock_guard lock(mutex_);
  std::string bytes;
  while (config != kDead && bytes.size() < most && !automaton_.accepting(config)) {
    int only = -1;
    ConfigId next = kDead;
    bool choice = false;
    for (int c = 0; c < automaton_.num_classes() && !choice; ++c) {
      const ConfigId to = automaton_.Step(config, automaton_.class_bytes()[c]);
      if (to == kDead) continue;
      choice = only >= 0 || automaton_.class_size(c) > 1;
      only = c, next = to;
    }
    if (choice || only < 0) break;
    bytes += static_cast<char>(automaton_.class_bytes()[only]);
    config = next;
  }
  return bytes;
}

}  // namespace galen::grammar

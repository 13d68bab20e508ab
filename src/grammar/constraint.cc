#include "grammar/constraint.h"

#include "grammar/gbnf.h"
#include "grammar/regex.h"
#include "grammar/schema.h"

namespace galen::grammar {
namespace {

constexpr size_t kMaskCacheBytes = size_t{96} << 20;

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

void Constraint::Walk(const TokenTree& tree, ConfigId from, TokenMask* mask) const {
  std::vector<ConfigId> path(tree.max_depth + 1);
  path[0] = from;
  const TokenTree::Node* const nodes = tree.nodes.data();
  const uint32_t end = static_cast<uint32_t>(tree.nodes.size()) - 1;
  uint64_t* const bits = mask->data();
  for (uint32_t i = 0; i < end;) {
    const TokenTree::Node& node = nodes[i];
    const ConfigId config = automaton_.Step(path[node.depth - 1], node.byte);
    if (config == kDead) {
      i = node.end;
      continue;
    }
    path[node.depth] = config;
    for (uint32_t t = node.first; t < nodes[i + 1].first; ++t) {
      const TokenId id = tree.tokens[t];
      bits[id / 64] |= uint64_t{1} << (id % 64);
    }
    ++i;
  }
}

std::shared_ptr<const TokenMask> Constraint::Mask(ConfigId config) const {
  if (config == kDead) return nullptr;
  const std::lock_guard lock(mutex_);
  if (const auto it = masks_.find(config); it != masks_.end()) return it->second;
  auto mask = std::make_shared<TokenMask>(vocabulary_->mask_words());
  // Inside a JSON string that is not restricted further, all plain tokens of fitting length may
  // follow; only the others have to be tried.
  int64_t plain = -1;  // characters; -1: no such string
  const std::vector<Place>& places = automaton_.places(config);
  for (const Place& place : places) {
    const Node& node = automaton_.grammar().nodes()[place.node];
    if (node.kind != Node::Kind::kString || place.escape != 0) continue;
    const StringLanguage& language = automaton_.grammar().strings()[node.index];
    if (!language.open[place.state]) continue;
    if (language.max < 0)
      plain = int64_t{1} << 40;
    else if (language.any && places.size() == 1)
      plain = std::max<int64_t>(plain, language.max - place.count);
  }
  if (plain >= 0) {
    const std::span<const uint64_t> bits = vocabulary_->plain(plain);
    std::copy(bits.begin(), bits.end(), mask->begin());
    Walk(vocabulary_->special(), config, mask.get());
  } else {
    Walk(vocabulary_->all(), config, mask.get());
  }
  if (automaton_.exhausted()) return nullptr;
  if ((masks_.size() + 1) * vocabulary_->mask_words() * 8 > kMaskCacheBytes) masks_.clear();
  masks_[config] = mask;
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

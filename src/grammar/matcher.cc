// Constraint followed through one answer: thoughts, stop tokens, forced stretches.
#include <algorithm>
#include <limits>

#include "grammar/constraint.h"

namespace galen::grammar {
namespace {

constexpr size_t kRecentBytes = 48;  // context in which forced text is spelled
constexpr size_t kForcedBytes = 64;

}  // namespace

GrammarMatcher::GrammarMatcher(std::shared_ptr<const Constraint> constraint, Thinking thinking)
    : constraint_(std::move(constraint)), thinking_(thinking) {
  const bool thinks = thinking.open >= 0 && thinking.close >= 0;
  position_ = {!thinks           ? Phase::kAnswer
               : thinking.inside ? Phase::kThought
                                 : Phase::kBeforeThought,
               constraint_->Start()};
}

std::optional<GrammarMatcher::Position> GrammarMatcher::Next(Position position,
                                                             TokenId token) const {
  if (position.phase == Phase::kThought) {
    if (token == thinking_.close) position.phase = Phase::kAnswer;
    return position;
  }
  if (position.phase == Phase::kBeforeThought && token == thinking_.open)
    return Position{Phase::kThought, position.config};
  if (token < 0 || token >= constraint_->vocabulary().size()) return std::nullopt;
  const std::string& bytes = constraint_->vocabulary().bytes(token);
  if (bytes.empty()) return std::nullopt;
  position = {Phase::kAnswer, constraint_->Advance(position.config, bytes)};
  if (position.config == kDead) return std::nullopt;
  return position;
}

bool GrammarMatcher::Apply(std::span<float> logits, std::span<const TokenId> stop_tokens) {
  constexpr float kBanned = -std::numeric_limits<float>::infinity();
  // A tokenizer may know more tokens than the model.
  const auto known = [&](TokenId id) { return id >= 0 && static_cast<size_t>(id) < logits.size(); };
  if (position_.phase == Phase::kThought) {
    for (const TokenId id : stop_tokens) {
      if (known(id)) logits[id] = kBanned;
    }
    return true;
  }
  const std::shared_ptr<const TokenMask> mask = constraint_->Mask(position_.config);
  if (mask == nullptr) {
    error_ =
        "the schema or grammar has become too ambiguous to follow; write it with fewer "
        "alternatives that begin alike";
    return false;
  }
  std::vector<std::pair<TokenId, float>> kept;  // beside the mask's
  if (complete()) {
    for (const TokenId id : stop_tokens) {
      if (known(id)) kept.emplace_back(id, logits[id]);
    }
  }
  if (position_.phase == Phase::kBeforeThought && known(thinking_.open))
    kept.emplace_back(thinking_.open, logits[thinking_.open]);
  bool any = !kept.empty();
  for (size_t w = 0; w * 64 < logits.size(); ++w) {
    const uint64_t bits = w < mask->size() ? (*mask)[w] : 0;
    any |= bits != 0;
    if (bits == ~uint64_t{0}) continue;
    const size_t end = std::min(logits.size(), w * 64 + 64);
    if (bits == 0) {
      std::fill(logits.begin() + static_cast<int64_t>(w) * 64,
                logits.begin() + static_cast<int64_t>(end), kBanned);
      continue;
    }
    for (size_t i = w * 64; i < end; ++i) {
      if ((bits >> (i % 64) & 1) == 0) logits[i] = kBanned;
    }
  }
  for (const auto& [id, logit] : kept) logits[id] = logit;
  if (!any) error_ = "the vocabulary has no token that goes on with a valid text";
  return any;
}

bool GrammarMatcher::Accept(TokenId token) {
  const std::optional<Position> next = Next(position_, token);
  if (!next) return false;
  const bool text = next->phase == Phase::kAnswer && position_.phase != Phase::kThought;
  position_ = *next;
  if (text) recent_ += constraint_->vocabulary().bytes(token);
  if (recent_.size() > 2 * kRecentBytes) {
    // From a character on.
    size_t begin = recent_.size() - kRecentBytes;
    while (begin < recent_.size() && (recent_[begin] & 0xc0) == 0x80) ++begin;
    recent_.erase(0, begin);
  }
  return true;
}

size_t GrammarMatcher::CountAcceptable(std::span<const TokenId> tokens) const {
  Position position = position_;
  for (size_t i = 0; i < tokens.size(); ++i) {
    const std::optional<Position> next = Next(position, tokens[i]);
    if (!next) return i;
    position = *next;
  }
  return tokens.size();
}

bool GrammarMatcher::complete() const {
  return position_.phase != Phase::kThought && constraint_->Complete(position_.config);
}

bool GrammarMatcher::finished() const {
  return complete() && position_.phase == Phase::kAnswer &&
         !constraint_->OpenEnded(position_.config);
}

std::vector<TokenId> GrammarMatcher::ForcedTokens(const Tokenizer& tokenizer, size_t most) const {
  if (position_.phase != Phase::kAnswer || most == 0) return {};
  const std::string forced = constraint_->Forced(position_.config, kForcedBytes);
  if (forced.size() < 2) return {};
  const Result<std::vector<TokenId>> ids = tokenizer.Encode(recent_ + forced);
  if (!ids.ok()) return {};
  // Where the tokens of the forced part begin. Counted from the end, since a tokenizer may put a
  // space in front of a text.
  size_t left = forced.size(), begin = ids->size();
  while (left > 0 && begin > 0) {
    const size_t bytes = tokenizer.TokenBytes((*ids)[begin - 1]).size();
    if (bytes == 0 || bytes > left) return {};
    left -= bytes;
    --begin;
  }
  if (left != 0) return {};
  std::vector<TokenId> tokens(ids->begin() + static_cast<int64_t>(begin), ids->end());
  if (!tokens.empty()) tokens.pop_back();  // it may grow into what follows
  if (tokens.size() > most) tokens.resize(most);
  tokens.resize(CountAcceptable(tokens));
  return tokens;
}

}  // namespace galen::grammar

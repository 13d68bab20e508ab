#include "text/tokenizer/added_tokens.h"

#include <algorithm>

#include "text/tokenizer/unicode.h"

namespace galen::text {

void AddedTokens::Add(AddedToken token) {
  if (token.content.empty()) return;
  if (const auto it = by_text_.find(token.content); it != by_text_.end()) {
    by_id_.erase(tokens_[it->second].id);
    by_id_[token.id] = it->second;
    tokens_[it->second] = std::move(token);
    return;
  }
  by_text_[token.content] = tokens_.size();
  by_id_[token.id] = tokens_.size();
  tokens_.push_back(std::move(token));
}

Status AddedTokens::Finish(const Normalizer& normalizer) {
  std::vector<std::pair<std::string_view, int32_t>> raw, normalized;
  normalized_contents_.resize(tokens_.size());
  for (size_t i = 0; i < tokens_.size(); ++i) {
    const AddedToken& token = tokens_[i];
    normalized_contents_[i] = token.normalized ? token.content : std::string();
    if (ValidUtf8Prefix(token.content) != token.content.size())
      continue;  // never found in valid text
    if (!token.normalized) {
      raw.emplace_back(token.content, static_cast<int32_t>(i));
      continue;
    }
    bool origin = true;
    std::string storage;
    ASSIGN_OR_RETURN(const std::string_view normal,
                     normalizer.Normalize(token.content, &storage, &origin));
    normalized_contents_[i] = normal;
    normalized.emplace_back(normalized_contents_[i], static_cast<int32_t>(i));
  }
  raw_ = Trie(std::move(raw));
  normalized_ = Trie(std::move(normalized));
  return OkStatus();
}

const AddedToken* AddedTokens::FindById(int32_t id) const {
  const auto it = by_id_.find(id);
  return it == by_id_.end() ? nullptr : &tokens_[it->second];
}

const AddedToken* AddedTokens::FindByText(std::string_view text) const {
  const auto it = by_text_.find(std::string(text));
  return it == by_text_.end() ? nullptr : &tokens_[it->second];
}

void AddedTokens::Split(std::string_view text, bool in_normalized, bool parse_control,
                        std::vector<Segment>* out) const {
  out->clear();
  const Trie& trie = in_normalized ? normalized_ : raw_;
  size_t done = 0;  // where the last segment ended
  for (size_t at = 0; !trie.empty() && at < text.size();) {
    if (!trie.StartsWith(text[at])) {
      ++at;
      continue;
    }
    const auto [length, index] = trie.Longest(text.substr(at));
    if (length == 0) {
      ++at;
      continue;
    }
    const AddedToken& token = tokens_[index];
    size_t begin = at, end = at + length;
    // What is found is passed over even when it is then refused: the search goes on behind it.
    at = end;
    if (token.control && !parse_control) continue;
    if (token.single_word) {
      size_t start;
      if (begin > 0 && IsWord(CharBefore(text, begin, &start))) continue;
      if (end < text.size() && IsWord(CharAt(text, end))) continue;
    }
    if (token.lstrip) {
      for (size_t start; begin > 0 && IsWhitespace(CharBefore(text, begin, &start));) begin = start;
      begin = std::max(begin, done);
    }
    if (token.rstrip) {
      while (end < text.size() && IsWhitespace(CharAt(text, end))) end += Utf8Length(text[end]);
    }
    if (done < begin) out->push_back({done, begin, -1});
    out->push_back({begin, end, token.id});
    done = end;
  }
  if (done != text.size()) out->push_back({done, text.size(), -1});
}

}  // namespace galen::text

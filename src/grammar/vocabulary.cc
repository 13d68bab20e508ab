#include "grammar/vocabulary.h"

#include <algorithm>

#include "text/tokenizer/unicode.h"

namespace galen::grammar {
namespace {

constexpr size_t kMaxTokenBytes = 4096;  // longer ones are never chosen
constexpr int kMaxPlain = 128;           // characters of a plain token
constexpr uint8_t kNotPlain = 255;

// Number of characters of a plain token, or -1.
int PlainCharacters(const std::string& bytes) {
  int count = 0;
  for (const char c : bytes) {
    const uint8_t byte = static_cast<uint8_t>(c);
    if (byte < 0x20 || c == '"' || c == '\\') return -1;
    count += (byte & 0xc0) != 0x80;
  }
  if (count > kMaxPlain || text::ValidUtf8Prefix(bytes) != bytes.size()) return -1;
  if (bytes.find("\u2028") != bytes.npos || bytes.find("\u2029") != bytes.npos) return -1;
  return count;
}

TokenTree BuildTree(const std::vector<std::string>& bytes, const std::vector<TokenId>& sorted) {
  TokenTree tree;
  std::vector<uint32_t> path;  // nodes that lead to the last token
  const std::string* last = nullptr;
  const auto close = [&](size_t depth) {
    while (path.size() > depth) {
      TokenTree::Node& node = tree.nodes[path.back()];
      node.end = static_cast<uint32_t>(tree.nodes.size());
      path.pop_back();
      if (path.empty()) continue;
      TokenTree::Node& above = tree.nodes[path.back()];
      above.most = std::max(above.most, node.most);
    }
  };
  for (const TokenId id : sorted) {
    const std::string& token = bytes[id];
    size_t common = 0;
    if (last != nullptr) {
      while (common < last->size() && common < token.size() && (*last)[common] == token[common])
        ++common;
    }
    close(common);
    while (path.size() < token.size()) {
      path.push_back(static_cast<uint32_t>(tree.nodes.size()));
      tree.nodes.push_back({0, static_cast<uint32_t>(tree.tokens.size()),
                            static_cast<uint16_t>(path.size()),
                            static_cast<uint8_t>(token[path.size() - 1]), 0});
    }
    TokenTree::Node& node = tree.nodes[path.back()];
    const int characters = PlainCharacters(token);
    node.most = characters < 0 ? kNotPlain : static_cast<uint8_t>(characters);
    tree.tokens.push_back(id);
    tree.max_depth = std::max(tree.max_depth, static_cast<int>(token.size()));
    last = &token;
  }
  close(0);
  const uint32_t n = static_cast<uint32_t>(tree.nodes.size());
  tree.nodes.push_back({n + 1, static_cast<uint32_t>(tree.tokens.size()), 0, 0, kNotPlain});
  return tree;
}

}  // namespace

std::shared_ptr<const Vocabulary> Vocabulary::Create(const Tokenizer& tokenizer,
                                                     std::span<const TokenId> excluded) {
  std::vector<std::string> bytes(tokenizer.vocab_size());
  for (TokenId id = 0; id < tokenizer.vocab_size(); ++id) {
    if (!tokenizer.IsControl(id)) bytes[id] = tokenizer.TokenBytes(id);
  }
  for (const TokenId id : excluded) {
    if (id >= 0 && id < tokenizer.vocab_size()) bytes[id].clear();
  }
  return FromBytes(std::move(bytes));
}

std::shared_ptr<const Vocabulary> Vocabulary::FromBytes(std::vector<std::string> bytes) {
  auto vocabulary = std::make_shared<Vocabulary>();
  for (std::string& token : bytes) {
    if (token.size() > kMaxTokenBytes) token.clear();
  }
  std::vector<TokenId> sorted, special;
  for (size_t id = 0; id < bytes.size(); ++id) {
    if (!bytes[id].empty()) sorted.push_back(static_cast<TokenId>(id));
  }
  std::sort(sorted.begin(), sorted.end(), [&](TokenId a, TokenId b) {
    return bytes[a] != bytes[b] ? bytes[a] < bytes[b] : a < b;
  });
  const size_t words = (bytes.size() + 63) / 64;
  std::vector<std::vector<uint64_t>>& plain = vocabulary->plain_;
  plain.emplace_back(words);
  for (const TokenId id : sorted) {
    const int characters = PlainCharacters(bytes[id]);
    if (characters < 0) {
      special.push_back(id);
      continue;
    }
    while (static_cast<int>(plain.size()) <= characters) plain.emplace_back(words);
    plain[characters][id / 64] |= uint64_t{1} << (id % 64);
  }
  for (size_t n = 1; n < plain.size(); ++n) {
    for (size_t w = 0; w < words; ++w) plain[n][w] |= plain[n - 1][w];
  }
  vocabulary->all_ = BuildTree(bytes, sorted);
  vocabulary->special_ = BuildTree(bytes, special);
  vocabulary->bytes_ = std::move(bytes);
  return vocabulary;
}

std::span<const uint64_t> Vocabulary::plain(int64_t characters) const {
  const int64_t most = static_cast<int64_t>(plain_.size()) - 1;
  return plain_[std::min(characters, most)];
}

}  // namespace galen::grammar

// The tokens of a vocabulary by their bytes, prepared once per tokenizer for the masks of all
// constraints.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "text/tokenizer.h"

namespace galen::grammar {

// Tokens as a tree of bytes, in the order of a walk: a node, then what hangs below it.
struct TokenTree {
  struct Node {
    uint32_t end;    // the node behind the last one below this
    uint32_t first;  // tokens[first, first of the next node) end here
    uint16_t depth;  // bytes, from 1
    uint8_t byte;
    uint8_t most;  // characters of the longest token here and below; 255: one is not plain
  };
  std::vector<Node> nodes;  // with one more at the end
  std::vector<TokenId> tokens;
  int max_depth = 0;
};

class Vocabulary {
 public:
  // Control tokens and those without bytes are never part of a text; neither are the ids of
  // `excluded` (stop tokens, thinking markers).
  static std::shared_ptr<const Vocabulary> Create(const Tokenizer& tokenizer,
                                                  std::span<const TokenId> excluded);
  // From the bytes of each token; empty: never part of a text.
  static std::shared_ptr<const Vocabulary> FromBytes(std::vector<std::string> bytes);

  int64_t size() const { return static_cast<int64_t>(bytes_.size()); }
  size_t mask_words() const { return (bytes_.size() + 63) / 64; }
  const std::string& bytes(TokenId id) const { return bytes_[id]; }
  const TokenTree& all() const { return all_; }
  // Plain tokens are texts of PlainText(), at most 128 characters long. They are
  // known by their number of characters; the others are in a tree of their own.
  const TokenTree& special() const { return special_; }
  // Bits of the plain tokens with at most `characters`.
  std::span<const uint64_t> plain(int64_t characters) const;

 private:
  std::vector<std::string> bytes_;
  TokenTree all_, special_;
  std::vector<std::vector<uint64_t>> plain_;  // by number of characters
};

}  // namespace galen::grammar

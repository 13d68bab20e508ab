// A model turns one piece of text into token ids.
#pragma once

#include <bitset>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "text/tokenizer/trie.h"
#include "text/tokenizer/vocab.h"

namespace galen::text {

class Model {
 public:
  virtual ~Model() = default;
  // Appends the ids of a piece. `raw_bytes`: the piece is bytes to be read through the byte
  // alphabet (byte-level BPE); else it is valid UTF-8. `allow_control`: a whole token that is a
  // control token may be chosen.
  virtual Status Encode(std::string_view piece, bool raw_bytes, bool allow_control,
                        std::vector<int32_t>* ids) const = 0;
};

struct ModelOptions {
  std::optional<int32_t> unk;
  bool fuse_unk = false;
  bool byte_fallback = false;
  bool ignore_merges = false;
  std::string end_of_word_suffix;  // BPE by a merge list: the last character of a piece is spelled
                                   // with it ("</w>", CLIP)
  std::vector<bool> control;       // by id; may be shorter than the vocabulary
};

// Byte pair encoding with the order of merges given as a list of pairs (tokenizer.json, byte-level
// GGUF).
struct MergeList {
  struct Entry {
    int32_t left, right, merged;
  };
  std::vector<Entry> entries;  // best first
};

// Byte pair encoding by scores of whole tokens (SentencePiece): two neighbours merge when their
// text is a token. The order is that of the merge list which Hugging Face derives from such a
// model: score, then longer left part, then longer right part (in characters), then id, then
// position.
struct MergeScores {
  std::vector<float> scores;    // by id
  std::vector<bool> may_merge;  // by id: a normal or user-defined token
  Trie user_defined;  // never broken up; used only for .model files (elsewhere they are added
                      // tokens)
};

// `vocab` must outlive the model.
std::unique_ptr<Model> MakeBpe(const Vocab& vocab, MergeList merges, ModelOptions options);
std::unique_ptr<Model> MakeBpe(const Vocab& vocab, MergeScores merges, ModelOptions options);

struct UnigramOptions {
  std::vector<double> scores;  // by id
  std::vector<bool> in_trie;   // by id; empty: all tokens
  std::vector<bool>
      user_defined;  // by id; scored so that they always win (SentencePiece only); may be empty
  bool single_precision = false;  // SentencePiece adds in float, Hugging Face in double
};
std::unique_ptr<Model> MakeUnigram(const Vocab& vocab, UnigramOptions unigram,
                                   ModelOptions options);

// "<0x41>" -> 0x41, or -1.
int ParseByteToken(std::string_view token);
// Ids of the 256 byte tokens, kNone where missing.
std::vector<int32_t> FindByteTokens(const Vocab& vocab);

}  // namespace galen::text

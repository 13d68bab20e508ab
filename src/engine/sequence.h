// One generation's bookkeeping: tokens, how many of them are in the cache, and which pages hold
// them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/siphash.h"
#include "engine/sampler.h"
#include "grammar/constraint.h"
#include "ops/exec_context.h"

namespace galen {

enum class FinishReason : uint8_t { kNone, kStop, kLength, kContext, kCancelled, kError };
// "stop" (an end token or a stop string), "length" (max_tokens), "context" (the context is full),
// "cancelled", "error".
const char* FinishReasonName(FinishReason reason);

// Vectors that stand in for tokens of a prompt: one image. Immutable, shared by requests and
// caches.
struct MediaEmbedding {
  // Of everything that the values depend on (pixels, sizes, preprocessing, model): equal digests
  // mean equal values.
  Digest128 digest;
  int64_t rows = 0;           // tokens
  int64_t cols = 0;           // hidden_size
  std::vector<float> values;  // [rows, cols]
};

// Where it stands: tokens [begin, begin + embedding->rows) of the prompt, which hold the
// image's token.
struct MediaSpan {
  int64_t begin = 0;
  std::shared_ptr<const MediaEmbedding> embedding;
  // Its tokens see each other in both directions (Gemma 3), so one step computes them all.
  // Otherwise they are causal.
  bool bidirectional = false;
  // Its tokens have a row and a column by which the model turns them (Qwen2.5-VL). Zeros: they
  // count on like text.
  int64_t token_rows = 0;
  int64_t token_columns = 0;
  int64_t end() const { return begin + embedding->rows; }
};

// By which the rotary embedding turns a token.
struct TokenPosition {
  int32_t time = 0;
  int32_t row = 0;
  int32_t column = 0;
};
// Of token t of a sequence. Text counts on by one in all three; an image with rows and columns
// stands still in time, and the text behind it goes on at the larger of its sides
// (transformers 5.23, Qwen2_5_VLModel.get_rope_index).
TokenPosition PositionOf(std::span<const MediaSpan> media, int64_t t);

struct Request {
  std::vector<int32_t> prompt;   // at least one token
  std::vector<MediaSpan> media;  // ascending, without overlap
  SamplingParams sampling;
  int64_t max_tokens = 1 << 30;
  std::vector<int32_t> stop_tokens;  // end the answer and are not part of it
  // What the answer must be; null: anything. The vocabulary is the tokenizer's.
  std::shared_ptr<const grammar::Constraint> constraint;
  grammar::GrammarMatcher::Thinking thinking;  // under a constraint: free thoughts before it
  std::shared_ptr<const Tokenizer> tokenizer;  // under a constraint: spells stretches that must
                                               // come, which are then guessed; null: they are not
  // Adapters that serve it, a bit each (ModelAdapters); all that are loaded unless it says else.
  uint64_t adapters = kAllAdapters;
  // Sequences share cached prefixes only under the same salt (tenant, preprocessing) and with the
  // same adapters.
  uint64_t cache_salt = 0;
  // Called on the engine's thread for each token of the answer; false ends it after this token
  // (stop strings).
  std::function<bool(const TokenChoice&)> on_token;
  // Called just before on_finish: tokens of the prompt that came from the prefix cache.
  std::function<void(int64_t cached_tokens)> on_usage;
  std::function<void(FinishReason, const std::string& error)> on_finish;
};

// Pages of one group: page i of the table holds positions from (first_page + i) * kPageTokens.
struct BlockTable {
  int64_t first_page = 0;
  std::vector<int32_t> pages;
  int64_t end_page() const { return first_page + static_cast<int64_t>(pages.size()); }
};

struct Sequence {
  int64_t id = 0;
  Request request;
  std::vector<int32_t> tokens;  // prompt, then answer
  int64_t guesses = 0;          // how many of the last tokens are guesses that the next step checks
  int64_t computed = 0;         // tokens whose keys and values are in the cache
  std::vector<BlockTable> tables;  // one per group of the pool
  std::vector<Digest128> digests;  // of the prefixes that end at page borders, as far as known
  std::unique_ptr<grammar::GrammarMatcher> matcher;  // has taken the tokens of the answer
  bool cancelled = false;
  // Tokens of the prompt that the prefix cache had when the sequence was first admitted. After a
  // preemption it finds its own pages there: those do not count.
  std::optional<int64_t> cached;
  int64_t remembered = 0;  // tokens when the cache took its last page unfinished; 0: it has not

  int64_t prompt_size() const { return static_cast<int64_t>(request.prompt.size()); }
  int64_t pending() const { return static_cast<int64_t>(tokens.size()) - computed; }
  // Forgets all guesses but the first `most`.
  void KeepGuesses(int64_t most) {
    if (guesses <= most) return;
    tokens.resize(tokens.size() - static_cast<size_t>(guesses - most));
    guesses = most;
  }
};

}  // namespace galen

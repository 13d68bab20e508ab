// Given texts through a model one after the other, a chunk of rows at a time, on pages of its own:
// for scores and embeddings. A text's rows do not depend on the chunks.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "engine/runner.h"

namespace galen {

struct PassOptions {
  RunnerOptions runner;  // max_batch_tokens: rows of a chunk at most
  KvType kv_type = KvType::kBf16;
  uint64_t adapters = kAllAdapters;  // Request::adapters
};

class TextPass {
 public:
  enum class Rows : uint8_t {
    kLogits,      // of every token
    kHidden,      // of every token, behind the last norm
    kLastHidden,  // of the last token alone
  };

  // longest: tokens of a text at most. ResourceExhausted: more than the model's context.
  static Result<std::unique_ptr<TextPass>> Create(const CausalLM& model, const KernelTable& kernels,
                                                  ThreadPool& threads, const PassOptions& options,
                                                  Rows rows, int64_t longest);
  // For texts to come: a pass serves one after the other, whatever is wanted of them.
  void Use(Rows rows, uint64_t adapters);
  int64_t longest() const { return longest_; }
  // InvalidArgument: no tokens, or ids outside the vocabulary. The tokens are copied.
  Status Begin(std::span<const int32_t> tokens);
  // The rows of the next chunk, valid until the next call; first: index of its first token. An
  // empty tensor with done() false: a chunk that holds no wanted row.
  Tensor Next(int64_t* first);
  bool done() const { return done_; }

 private:
  TextPass() = default;

  const ModelConfig* config_ = nullptr;
  Rows rows_ = Rows::kLogits;
  int64_t longest_ = 0;
  uint64_t adapters_ = kAllAdapters;
  KvPool pool_;
  std::unique_ptr<ModelRunner> runner_;
  std::unique_ptr<Scheduler> scheduler_;
  Sequence* sequence_ = nullptr;  // that the scheduler holds
  bool done_ = true;
};

}  // namespace galen

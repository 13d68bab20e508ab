// A text as one vector: the mean of its tokens' vectors, or that of its last token, behind the last
// norm of a decoder (llama.cpp's pooling types "mean" and "last").
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "engine/text_pass.h"
#include "models/open_model.h"

namespace galen {

enum class Pooling : uint8_t { kMean, kLast };
std::optional<Pooling> ParsePooling(std::string_view name);  // "mean", "last"
const char* PoolingName(Pooling pooling);

// What the files say: GGUF's ARCHITECTURE.pooling_type, or sentence-transformers'
// 1_Pooling/config.json. Nothing: a model that was not made for embeddings. Unsupported: another
// pooling (CLS, rank).
Result<std::optional<Pooling>> PoolingOf(const ModelFiles& files);

// The ids of a text to embed, with BOS and EOS where the tokenizer adds them.
Result<std::vector<int32_t>> EncodeForEmbedding(const ModelFiles& files, std::string_view text);

// To length 1; zeros stay.
void NormalizeVector(std::span<float> vector);

// Embeds texts, and keeps the memory that this takes (pages of keys and values, activations) from
// one call to the next, as far as texts are of common length. One thread at a time.
class Embedder {
 public:
  // All must outlive it. options.adapters is not used.
  Embedder(const CausalLM& model, const KernelTable& kernels, ThreadPool& threads,
           const PassOptions& options);
  // vectors[i] of texts[i], [hidden_size], not normalised. adapters: Request::adapters. between:
  // asked after each chunk; false ends with Cancelled. Errors: as of TextPass.
  Result<std::vector<std::vector<float>>> Embed(Pooling pooling, uint64_t adapters,
                                                std::span<const std::vector<int32_t>> texts,
                                                const std::function<bool()>& between);

 private:
  const CausalLM& model_;
  const KernelTable& kernels_;
  ThreadPool& threads_;
  const PassOptions options_;
  std::unique_ptr<TextPass> kept_;
};

// The same, once.
Result<std::vector<std::vector<float>>> EmbedTexts(const CausalLM& model,
                                                   const KernelTable& kernels, ThreadPool& threads,
                                                   const PassOptions& options, Pooling pooling,
                                                   std::span<const std::vector<int32_t>> texts,
                                                   const std::function<bool()>& between);

}  // namespace galen

// A text as one vector: the mean of its tokens' vectors, or that of its last token, behind the last
// norm of a decoder (llama.cpp's pooling types "mean" and "last").
#pragma once

#include <cstdint>
#include <functional>
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

// vectors[i] of texts[i], [hidden_size], not normalised. between: asked after each chunk; false
// ends with Cancelled. Errors: as of TextPass.
Result<std::vector<std::vector<float>>> EmbedTexts(const CausalLM& model,
                                                   const KernelTable& kernels, ThreadPool& threads,
                                                   const PassOptions& options, Pooling pooling,
                                                   std::span<const std::vector<int32_t>> texts,
                                                   const std::function<bool()>& between);

}  // namespace galen

#include "engine/embed.h"

#include <algorithm>
#include <cmath>

#include "base/files.h"
#include "base/json.h"

namespace galen {
namespace {

// LLAMA_POOLING_TYPE_* of llama.cpp.
constexpr int64_t kGgufNone = 0, kGgufMean = 1, kGgufLast = 3;

// Longest text whose memory is kept; as long as most encoders of texts take.
constexpr int64_t kKeptTokens = 512;

Status OtherPooling(const std::string& what) {
  return Unsupported("this model pools its vectors by " + what +
                     ", which galen does not do; it knows mean and last");
}

Result<std::optional<Pooling>> PoolingOfGguf(const ModelFiles& files) {
  const GgufFile& file = *files.checkpoint->gguf();
  const std::string key = files.config.architecture + ".pooling_type";
  if (!file.Has(key)) return std::optional<Pooling>();
  ASSIGN_OR_RETURN(const int64_t value, file.GetInt(key));
  if (value == kGgufNone) return std::optional<Pooling>();
  if (value == kGgufMean) return std::optional(Pooling::kMean);
  if (value == kGgufLast) return std::optional(Pooling::kLast);
  return OtherPooling("GGUF's type " + std::to_string(value));
}

Result<std::optional<Pooling>> PoolingOfDirectory(const std::string& directory) {
  const std::string path = directory + "/1_Pooling/config.json";
  if (!FileExists(path)) return std::optional<Pooling>();
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path, 1 << 20));
  ASSIGN_OR_RETURN(const Json json, ParseJson(text));
  if (!json.is_object()) return InvalidArgument(path + " holds no object");
  std::vector<std::string> modes;
  for (const auto& [key, value] : json.items()) {
    if (key.starts_with("pooling_mode_") && value.is_boolean() && value.get<bool>())
      modes.push_back(key.substr(13));
  }
  if (modes.size() == 1 && modes[0] == "mean_tokens") return std::optional(Pooling::kMean);
  if (modes.size() == 1 && modes[0] == "lasttoken") return std::optional(Pooling::kLast);
  std::string all;
  for (const std::string& mode : modes) all += (all.empty() ? "" : " and ") + mode;
  return OtherPooling(all.empty() ? "nothing that is named" : all);
}

}  // namespace

std::optional<Pooling> ParsePooling(std::string_view name) {
  if (name == "mean") return Pooling::kMean;
  if (name == "last") return Pooling::kLast;
  return std::nullopt;
}

const char* PoolingName(Pooling pooling) { return pooling == Pooling::kMean ? "mean" : "last"; }

Result<std::optional<Pooling>> PoolingOf(const ModelFiles& files) {
  return files.checkpoint->gguf() != nullptr ? PoolingOfGguf(files)
                                             : PoolingOfDirectory(files.checkpoint->directory());
}

Result<std::vector<int32_t>> EncodeForEmbedding(const ModelFiles& files, std::string_view text) {
  RETURN_IF_ERROR(files.tokenizer_status);
  EncodeOptions options;
  options.add_bos = true;
  options.add_eos = true;
  return files.tokenizer->Encode(text, options);
}

void NormalizeVector(std::span<float> vector) {
  double squares = 0;
  for (const float x : vector) squares += static_cast<double>(x) * x;
  if (squares == 0) return;
  const double scale = 1.0 / std::sqrt(squares);
  for (float& x : vector) x = static_cast<float>(x * scale);
}

Embedder::Embedder(const CausalLM& model, const KernelTable& kernels, ThreadPool& threads,
                   const PassOptions& options)
    : model_(model), kernels_(kernels), threads_(threads), options_(options) {}

Result<std::vector<std::vector<float>>> Embedder::Embed(Pooling pooling, uint64_t adapters,
                                                        std::span<const std::vector<int32_t>> texts,
                                                        const std::function<bool()>& between) {
  const auto rows =
      pooling == Pooling::kMean ? TextPass::Rows::kHidden : TextPass::Rows::kLastHidden;
  int64_t longest = 0;
  for (const auto& text : texts) longest = std::max(longest, static_cast<int64_t>(text.size()));
  std::unique_ptr<TextPass> own;  // of texts that are too long to keep memory for
  TextPass* pass = kept_.get();
  if (pass == nullptr || pass->longest() < longest) {
    const int64_t common = std::min(kKeptTokens, model_.config().max_position_embeddings);
    std::unique_ptr<TextPass>& made = longest <= common ? kept_ : own;
    ASSIGN_OR_RETURN(made, TextPass::Create(model_, kernels_, threads_, options_, rows,
                                            std::max(longest, longest <= common ? common : 0)));
    pass = made.get();
  }
  pass->Use(rows, adapters);
  const auto size = static_cast<size_t>(model_.config().hidden_size);
  std::vector<std::vector<float>> vectors;
  for (const std::vector<int32_t>& text : texts) {
    RETURN_IF_ERROR(pass->Begin(text));
    std::vector<double> sums(size);
    int64_t count = 0;
    while (!pass->done()) {
      int64_t first = 0;
      const Tensor chunk = pass->Next(&first);
      for (int64_t i = 0; !chunk.empty() && i < chunk.rows(); ++i, ++count) {
        for (size_t d = 0; d < size; ++d) sums[d] += chunk.row(i)[d];
      }
      if (between && !between()) return Cancelled("the request was cancelled");
    }
    std::vector<float>& vector = vectors.emplace_back(size);
    for (size_t d = 0; d < size; ++d)
      vector[d] = static_cast<float>(sums[d] / static_cast<double>(count));
  }
  return vectors;
}

Result<std::vector<std::vector<float>>> EmbedTexts(const CausalLM& model,
                                                   const KernelTable& kernels, ThreadPool& threads,
                                                   const PassOptions& options, Pooling pooling,
                                                   std::span<const std::vector<int32_t>> texts,
                                                   const std::function<bool()>& between) {
  return Embedder(model, kernels, threads, options)
      .Embed(pooling, options.adapters, texts, between);
}

}  // namespace galen

#include "server/openai/params.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cinttypes>
#include <cmath>
#include <random>

namespace galen::server {
namespace {

// A text of bytes that need not be whole characters, and the bytes.
Json TokenJson(const Tokenizer& tokenizer, int32_t id, float logprob) {
  const std::string bytes = tokenizer.TokenBytes(id);
  Json numbers = Json::array();
  for (unsigned char c : bytes) numbers.push_back(c);
  // JSON has no infinity; OpenAI writes -9999 for what cannot be.
  return {{"token", bytes},
          {"logprob", std::isfinite(logprob) ? logprob : -9999.0f},
          {"bytes", numbers}};
}

Status ReadBias(Fields* fields, SamplingParams* sampling) {
  Status status;
  const OrderedJson* bias = fields->Object("logit_bias", &status);
  RETURN_IF_ERROR(status);
  if (bias == nullptr) return OkStatus();
  for (const auto& [key, value] : bias->items()) {
    int32_t id = 0;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
    if (error != std::errc() || end != key.data() + key.size() || id < 0)
      return fields->Fail("logit_bias", "must have token ids as its keys");
    if (!value.is_number()) return fields->Fail("logit_bias", "must have numbers as its values");
    const double x = value.get<double>();
    if (!(x >= -100 && x <= 100))
      return fields->Fail("logit_bias", "must have values from -100 to 100");
    // -100 is how OpenAI's clients ban a token.
    sampling->logit_bias.emplace_back(id, x <= -100 ? -INFINITY : static_cast<float>(x));
  }
  return OkStatus();
}

}  // namespace

Status ReadOpenAiParams(Fields* fields, const ServerOptions& options, GenerateParams* params,
                        StreamParams* stream) {
  SamplingParams& s = params->sampling;
  s.temperature = 1.0f;
  RETURN_IF_ERROR(fields->Number("temperature", 0, 2, &s.temperature));
  RETURN_IF_ERROR(fields->Number("top_p", 0, 1, &s.top_p));
  // OpenAI takes 0: the most likely token alone.
  if (s.top_p == 0.0f) s.top_p = 1e-6f;
  RETURN_IF_ERROR(fields->Number("min_p", 0, 1, &s.min_p));
  int64_t top_k = 0, seed = 0;
  constexpr int64_t kMost = int64_t{1} << 53;
  RETURN_IF_ERROR(fields->Int("top_k", -1, 1 << 20, &top_k));
  s.top_k = static_cast<int32_t>(std::max<int64_t>(top_k, 0));
  RETURN_IF_ERROR(fields->Number("frequency_penalty", -2, 2, &s.frequency_penalty));
  RETURN_IF_ERROR(fields->Number("presence_penalty", -2, 2, &s.presence_penalty));
  // The second name is Ollama's and llama.cpp's, which Open WebUI sends over this interface, too.
  for (const char* name : {"repetition_penalty", "repeat_penalty"})
    RETURN_IF_ERROR(fields->Number(name, 0.01, 10, &s.repetition_penalty));
  params->seeded = fields->Any("seed") != nullptr;
  RETURN_IF_ERROR(fields->Int("seed", -kMost, kMost, &seed));
  s.seed = static_cast<uint64_t>(seed);
  RETURN_IF_ERROR(fields->Int("n", 1, options.max_choices, &params->choices));
  RETURN_IF_ERROR(fields->Strings("stop", 16, &params->stop));
  for (const std::string& stop : params->stop) {
    if (stop.empty() || stop.size() > 1024)
      return fields->Fail("stop", "must have strings of 1 to 1024 bytes");
  }
  RETURN_IF_ERROR(ReadBias(fields, &s));
  RETURN_IF_ERROR(fields->Bool("stream", &stream->stream));
  Status status;
  if (const OrderedJson* object = fields->Object("stream_options", &status)) {
    Fields inner(*object, "stream_options", fields->failed());
    RETURN_IF_ERROR(inner.Bool("include_usage", &stream->include_usage));
    inner.Accept({"include_obfuscation"});
    RETURN_IF_ERROR(inner.Finish());
  }
  RETURN_IF_ERROR(status);
  fields->Accept({"model", "metadata"});
  RETURN_IF_ERROR(fields->AcceptStrings(
      {"user", "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention"}));
  return fields->Refuse("store", "galen keeps no conversations", {OrderedJson(false)});
}

Json UsageJson(int64_t prompt, int64_t completion, int64_t cached) {
  return {{"prompt_tokens", prompt},
          {"completion_tokens", completion},
          {"total_tokens", prompt + completion},
          {"prompt_tokens_details", {{"cached_tokens", cached}}}};
}

const char* OpenAiFinish(FinishReason reason) {
  return reason == FinishReason::kLength || reason == FinishReason::kContext ? "length" : "stop";
}

std::string AnswerId(const char* prefix) {
  thread_local std::mt19937_64 random{std::random_device{}()};
  char text[64];
  std::snprintf(text, sizeof(text), "%s%016" PRIx64, prefix, static_cast<uint64_t>(random()));
  return text;
}

int64_t UnixNow() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string Fingerprint(const Services& services) {
  const RunnerOptions& runner = services.options.registry.host.session.runner;
  const char* compute = runner.compute == Compute::kFp32   ? "fp32"
                        : runner.compute == Compute::kInt8 ? "int8"
                                                           : "bf16";
  return "galen-" + services.options.version + "-" + compute +
         (runner.batch_invariant ? "-invariant" : "");
}

Json ChatLogprobs(const Tokenizer& tokenizer, const std::vector<TokenChoice>& tokens) {
  Json content = Json::array();
  for (const TokenChoice& token : tokens) {
    Json entry = TokenJson(tokenizer, token.token, token.logprob);
    entry["top_logprobs"] = Json::array();
    for (const auto& [id, logprob] : token.top)
      entry["top_logprobs"].push_back(TokenJson(tokenizer, id, logprob));
    content.push_back(std::move(entry));
  }
  return {{"content", content}, {"refusal", nullptr}};
}

}  // namespace galen::server

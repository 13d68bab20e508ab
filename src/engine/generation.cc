#include "engine/generation.h"

#include <algorithm>
#include <chrono>
#include <optional>

namespace galen {
namespace {

double Seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

std::vector<int32_t> StopTokens(const ModelFiles& files) {
  std::vector<int32_t> stop = files.config.eos_token_ids;
  if (files.tokenizer != nullptr) {
    const std::vector<TokenId>& more = files.tokenizer->special().stop;
    stop.insert(stop.end(), more.begin(), more.end());
  }
  std::sort(stop.begin(), stop.end());
  stop.erase(std::unique(stop.begin(), stop.end()), stop.end());
  return stop;
}

Result<std::shared_ptr<const grammar::Vocabulary>> ConstraintVocabulary(const ModelFiles& files) {
  RETURN_IF_ERROR(files.tokenizer_status);
  std::vector<int32_t> excluded = StopTokens(files);
  const ThinkingMarkers markers = FindThinkingMarkers(*files.tokenizer);
  if (markers.open) excluded.insert(excluded.end(), {*markers.open, *markers.close});
  return grammar::Vocabulary::Create(*files.tokenizer, excluded);
}

namespace {

// Whether the prompt ends inside a thought that the answer goes on with.
grammar::GrammarMatcher::Thinking ThinkingOf(const Tokenizer& tokenizer,
                                             const TextRequest& request) {
  const ThinkingMarkers markers = FindThinkingMarkers(tokenizer);
  grammar::GrammarMatcher::Thinking thinking;
  if (!markers.open || request.think == Think::kOff) return thinking;
  thinking.open = *markers.open, thinking.close = *markers.close;
  for (const int32_t token : request.prompt) {
    if (token == thinking.open) thinking.inside = true;
    if (token == thinking.close) thinking.inside = false;
  }
  return thinking;
}

}  // namespace

Result<TextResult> Generate(Engine& engine, const ModelFiles& files, const TextRequest& request) {
  RETURN_IF_ERROR(files.tokenizer_status);
  ThinkingStream stream(files.tokenizer, request.stop_strings);
  TextResult result;
  std::string error;
  const auto emit = [&](const ThinkingStream::Piece& piece) {
    result.text += piece.text;
    result.thinking += piece.thinking;
    if (request.on_thinking && request.think == Think::kShow && !piece.thinking.empty())
      request.on_thinking(piece.thinking);
    if (request.on_text && !piece.text.empty()) request.on_text(piece.text);
  };
  const double begin = Seconds();
  double first = 0;
  Request low;
  low.prompt = request.prompt;
  low.media = request.media;
  low.sampling = request.sampling;
  if (request.think == Think::kOff) BanThinking(*files.tokenizer, &low.sampling);
  low.max_tokens = request.max_tokens;
  low.constraint = request.constraint;
  if (low.constraint != nullptr) {
    low.thinking = ThinkingOf(*files.tokenizer, request);
    low.tokenizer = files.tokenizer;
  }
  if (!request.ignore_stop_tokens) low.stop_tokens = StopTokens(files);
  std::optional<grammar::GrammarMatcher> matcher;  // what the engine's own one sees
  if (low.constraint != nullptr) matcher.emplace(low.constraint, low.thinking);
  low.on_token = [&](const TokenChoice& choice) {
    if (first == 0) first = Seconds();
    if (matcher) GALEN_CHECK(matcher->Accept(choice.token));
    result.tokens.push_back(choice);
    emit(stream.Add(choice.token));
    return !stream.stopped();
  };
  low.on_finish = [&](FinishReason reason, const std::string& message) {
    result.finish = reason;
    error = message;
  };
  const int64_t cached = engine.counters().cached_tokens;
  ASSIGN_OR_RETURN(const int64_t id, engine.Submit(std::move(low)));
  while (result.finish == FinishReason::kNone) {
    if (request.cancelled && request.cancelled()) engine.Cancel(id);
    if (!engine.Step() && result.finish == FinishReason::kNone)
      GALEN_CHECK(!"an engine with a request has work");
  }
  emit(stream.Finish());
  if (result.finish == FinishReason::kError) return Status(StatusCode::kIo, error);
  const double end = Seconds();
  result.prefill_seconds = (first == 0 ? end : first) - begin;
  result.decode_seconds = first == 0 ? 0 : end - first;
  result.complete = !matcher || matcher->complete();
  result.cached_tokens = engine.counters().cached_tokens - cached;
  return result;
}

}  // namespace galen

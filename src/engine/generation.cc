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

// One request on its way: what its callbacks share.
struct Running {
  Running(const ModelFiles& files, TextRequest&& from)
      : request(std::move(from)), stream(files.tokenizer, request.stop_strings), begin(Seconds()) {}

  void Emit(const ThinkingStream::Piece& piece) {
    result.text += piece.text;
    result.thinking += piece.thinking;
    if (request.on_thinking && request.think == Think::kShow && !piece.thinking.empty())
      request.on_thinking(piece.thinking);
    if (request.on_text && !piece.text.empty()) request.on_text(piece.text);
  }

  TextRequest request;
  ThinkingStream stream;
  TextResult result;
  std::optional<grammar::GrammarMatcher> matcher;  // what the engine's own one sees
  const double begin;
  double first = 0;
};

}  // namespace

Result<int64_t> SubmitText(Engine& engine, const ModelFiles& files, TextRequest request,
                           TextDone on_done) {
  RETURN_IF_ERROR(files.tokenizer_status);
  auto running = std::make_shared<Running>(files, std::move(request));
  const TextRequest& text = running->request;
  Request low;
  low.prompt = text.prompt;
  low.media = text.media;
  low.sampling = text.sampling;
  low.cache_salt = text.cache_salt;
  low.adapters = text.adapters;
  if (text.think == Think::kOff) BanThinking(*files.tokenizer, &low.sampling);
  low.max_tokens = text.max_tokens;
  low.constraint = text.constraint;
  if (low.constraint != nullptr) {
    low.thinking = ThinkingOf(*files.tokenizer, text);
    low.tokenizer = files.tokenizer;
  }
  if (!text.ignore_stop_tokens) low.stop_tokens = StopTokens(files);
  if (low.constraint != nullptr) running->matcher.emplace(low.constraint, low.thinking);
  low.on_token = [running](const TokenChoice& choice) {
    if (running->first == 0) running->first = Seconds();
    if (running->matcher) GALEN_CHECK(running->matcher->Accept(choice.token));
    running->result.tokens.push_back(choice);
    if (running->request.on_token) running->request.on_token(choice);
    running->Emit(running->stream.Add(choice.token));
    return !running->stream.stopped();
  };
  low.on_usage = [running](int64_t cached) { running->result.cached_tokens = cached; };
  low.on_finish = [running, on_done = std::move(on_done)](FinishReason reason,
                                                          const std::string& error) {
    running->Emit(running->stream.Finish());
    if (reason == FinishReason::kError) {
      on_done(Status(StatusCode::kIo, error));
      return;
    }
    TextResult& result = running->result;
    const double end = Seconds();
    const bool any = running->first != 0;
    result.finish = reason;
    result.prefill_seconds = (any ? running->first : end) - running->begin;
    result.decode_seconds = any ? end - running->first : 0;
    result.complete = !running->matcher || running->matcher->complete();
    on_done(std::move(result));
  };
  return engine.Submit(std::move(low));
}

Result<TextResult> Generate(Engine& engine, const ModelFiles& files, const TextRequest& request) {
  std::optional<Result<TextResult>> done;
  ASSIGN_OR_RETURN(const int64_t id,
                   SubmitText(engine, files, request,
                              [&](Result<TextResult> result) { done.emplace(std::move(result)); }));
  while (!done) {
    if (request.cancelled && request.cancelled()) engine.Cancel(id);
    if (!engine.Step() && !done) GALEN_CHECK(!"an engine with a request has work");
  }
  return *std::move(done);
}

}  // namespace galen

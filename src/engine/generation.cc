#include "engine/generation.h"

#include <algorithm>
#include <chrono>

namespace galen {
namespace {

double Seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::optional<std::string> Spelling(const Tokenizer& tokenizer, std::optional<TokenId> id) {
  if (!id.has_value()) return std::nullopt;
  return std::string(tokenizer.TokenText(*id));
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

Result<std::vector<int32_t>> EncodeChat(const ModelFiles& files, const OrderedJson& messages) {
  RETURN_IF_ERROR(files.tokenizer_status);
  if (files.chat_template.empty()) {
    return Unsupported(files.checkpoint->path() + " has no chat template and none is built in for it; use --raw");
  }
  const Tokenizer& tokenizer = *files.tokenizer;
  const auto blame = [&](const Status& status) -> Status {
    return {status.code(), files.checkpoint->path() + ": " + status.message() +
                               "; change the messages, or leave the template out with --raw"};
  };
  const Result<ChatTemplate> chat = ChatTemplate::Parse(files.chat_template);
  if (!chat.ok()) return blame(chat.status());
  ChatInput input;
  input.messages = messages;
  input.add_generation_prompt = true;
  input.bos_token = Spelling(tokenizer, tokenizer.special().bos);
  input.eos_token = Spelling(tokenizer, tokenizer.special().eos);
  for (TokenId id = 0; id < tokenizer.vocab_size(); ++id) {
    if (tokenizer.IsControl(id)) input.control_tokens.emplace_back(tokenizer.TokenText(id));
  }
  const Result<RenderedChat> result = chat->RenderWithSpans(input);
  if (!result.ok()) return blame(result.status());
  const RenderedChat& rendered = *result;
  std::vector<int32_t> ids;
  const auto append = [&](size_t begin, size_t end, bool parse_special) -> Status {
    if (begin == end) return OkStatus();
    EncodeOptions options;
    options.parse_special = parse_special;
    ASSIGN_OR_RETURN(const std::vector<TokenId> part,
                     tokenizer.Encode(std::string_view(rendered.text).substr(begin, end - begin), options));
    ids.insert(ids.end(), part.begin(), part.end());
    return OkStatus();
  };
  size_t at = 0;
  for (const TextSpan& plain : rendered.plain_spans) {
    RETURN_IF_ERROR(append(at, plain.begin, true));
    RETURN_IF_ERROR(append(plain.begin, plain.end, false));
    at = plain.end;
  }
  RETURN_IF_ERROR(append(at, rendered.text.size(), true));
  return ids;
}

TextStream::TextStream(std::shared_ptr<const Tokenizer> tokenizer, std::vector<std::string> stop_strings)
    : detokenizer_(std::move(tokenizer)), stop_strings_(std::move(stop_strings)) {
  std::erase_if(stop_strings_, [](const std::string& s) { return s.empty(); });
}

std::string TextStream::Release(bool all) {
  size_t stop_at = std::string::npos;
  for (const std::string& stop : stop_strings_) stop_at = std::min(stop_at, held_.find(stop));
  if (stop_at != std::string::npos) {
    stopped_ = true;
    std::string text = held_.substr(0, stop_at);
    held_.clear();
    return text;
  }
  size_t keep = 0;  // longest end of held_ that begins a stop string
  for (const std::string& stop : stop_strings_) {
    if (all) break;
    for (size_t n = std::min(stop.size() - 1, held_.size()); n > keep; --n) {
      if (held_.compare(held_.size() - n, n, stop, 0, n) == 0) keep = n;
    }
  }
  std::string text = held_.substr(0, held_.size() - keep);
  held_.erase(0, held_.size() - keep);
  return text;
}

std::string TextStream::Add(int32_t token) {
  if (stopped_) return "";
  held_ += detokenizer_.Add(token);
  return Release(false);
}

std::string TextStream::Finish() {
  if (stopped_) return "";
  held_ += detokenizer_.Flush();
  return Release(true);
}

Result<TextResult> Generate(Engine& engine, const ModelFiles& files, const TextRequest& request) {
  RETURN_IF_ERROR(files.tokenizer_status);
  TextStream stream(files.tokenizer, request.stop_strings);
  TextResult result;
  std::string error;
  const auto emit = [&](const std::string& piece) {
    if (piece.empty()) return;
    result.text += piece;
    if (request.on_text) request.on_text(piece);
  };
  const double begin = Seconds();
  double first = 0;
  Request low;
  low.prompt = request.prompt;
  low.sampling = request.sampling;
  low.max_tokens = request.max_tokens;
  if (!request.ignore_stop_tokens) low.stop_tokens = StopTokens(files);
  low.on_token = [&](const TokenChoice& choice) {
    if (first == 0) first = Seconds();
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
    if (!engine.Step() && result.finish == FinishReason::kNone) GALEN_CHECK(!"an engine with a request has work");
  }
  emit(stream.Finish());
  if (result.finish == FinishReason::kError) return Status(StatusCode::kIo, error);
  const double end = Seconds();
  result.prefill_seconds = (first == 0 ? end : first) - begin;
  result.decode_seconds = first == 0 ? 0 : end - first;
  result.cached_tokens = engine.counters().cached_tokens - cached;
  return result;
}

}  // namespace galen

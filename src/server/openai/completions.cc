// POST /v1/completions: prompts as text or token ids, with echo and log-probabilities of the prompt
// as lm-evaluation-harness asks for them.
#include <cmath>

#include "server/api/audit.h"
#include "server/api/chat.h"
#include "server/api/prompts.h"
#include "server/api/token_limits.h"
#include "server/api/write_json.h"
#include "server/endpoints.h"
#include "server/openai/params.h"

namespace galen::server {
namespace {

struct Prompt {
  PreparedPrompt prepared;
  std::string text;  // for echo
};

struct CompletionRequest {
  GenerateParams params;
  StreamParams stream;
  bool echo = false;
  bool scores_prompt() const { return echo && params.sampling.logprobs >= 0; }
};

// Bytes, or the spelling of a token that stands for none.
std::string TokenName(const Tokenizer& tokenizer, int32_t id) {
  std::string bytes = tokenizer.TokenBytes(id);
  return bytes.empty() ? std::string(tokenizer.TokenText(id)) : bytes;
}

int64_t Characters(std::string_view text) {
  int64_t n = 0;
  for (unsigned char c : text) n += (c & 0xC0) != 0x80;
  return n;
}

// {"tokens", "token_logprobs", "top_logprobs", "text_offset"}.
class LogprobsJson {
 public:
  explicit LogprobsJson(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}

  void AddFirst(int32_t id) { Add(id, Json(), Json()); }
  void Add(const TokenChoice& token) {
    Json top = Json::object();
    const auto put = [&](int32_t id, float x) {
      top.emplace(TokenName(tokenizer_, id), std::isfinite(x) ? x : -9999.0f);
    };
    for (const auto& [id, x] : token.top) put(id, x);
    put(token.token, token.logprob);  // also where it is not among the most likely
    Add(token.token, std::isfinite(token.logprob) ? token.logprob : -9999.0f, std::move(top));
  }
  Json Take() {
    return {{"tokens", tokens_},
            {"token_logprobs", logprobs_},
            {"top_logprobs", top_},
            {"text_offset", offsets_}};
  }

 private:
  void Add(int32_t id, Json logprob, Json top) {
    const std::string name = TokenName(tokenizer_, id);
    tokens_.push_back(name);
    logprobs_.push_back(std::move(logprob));
    top_.push_back(std::move(top));
    offsets_.push_back(offset_);
    offset_ += Characters(tokenizer_.TokenBytes(id));
  }

  const Tokenizer& tokenizer_;
  Json tokens_ = Json::array(), logprobs_ = Json::array(), top_ = Json::array(),
       offsets_ = Json::array();
  int64_t offset_ = 0;
};

class CompletionAnswer : public std::enable_shared_from_this<CompletionAnswer> {
 public:
  CompletionAnswer(const Services& services, const ModelForRequest& model,
                   const CompletionRequest& request, const std::vector<Prompt>& prompts,
                   std::shared_ptr<Reply> reply)
      : tokenizer_(model.host->files().tokenizer), request_(request), reply_(std::move(reply)) {
    common_ = {{"id", AnswerId("cmpl-")},
               {"object", "text_completion"},
               {"created", UnixNow()},
               {"model", model.info->spec.name},
               {"system_fingerprint", Fingerprint(services)}};
    const std::string text = WriteJson(common_);
    chunk_begin_ = "data: " + text.substr(0, text.size() - 1) + ",\"choices\":[{\"index\":";
    for (const Prompt& prompt : prompts) {
      prompts_.push_back({prompt.text, prompt.prepared.prompt.tokens, {}});
      prompt_tokens_ += static_cast<int64_t>(prompt.prepared.prompt.tokens.size());
    }
    choices_.resize(prompts.size() * static_cast<size_t>(request.params.choices));
    const bool generates = request.params.max_tokens != 0;
    left_ = static_cast<int64_t>((request.scores_prompt() ? prompts.size() : 0) +
                                 (generates ? choices_.size() : 0));
  }

  // Where nothing is to be computed.
  void FinishIfDone() {
    if (left_ == 0) Finish();
  }

  void OnScore(size_t prompt, Result<std::vector<TokenChoice>> scores) {
    if (!scores.ok()) return Fail(scores.status());
    prompts_[prompt].scores = *std::move(scores);
    if (--left_ == 0) Finish();
  }

  void OnPiece(size_t choice, AnswerPiece piece) {
    Choice& c = choices_[choice];
    if (!request_.stream.stream) {
      c.tokens.insert(c.tokens.end(), piece.tokens.begin(), piece.tokens.end());
    } else if (!piece.text.empty()) {
      Chunk(choice, piece.text, piece.tokens, nullptr);
    }
  }

  void OnDone(size_t choice, Result<TextResult> result, std::vector<TokenChoice> left) {
    if (!result.ok()) return Fail(result.status());
    Choice& c = choices_[choice];
    c.tokens.insert(c.tokens.end(), left.begin(), left.end());
    c.finish = OpenAiFinish(result->finish);
    c.text = std::move(result->text);
    completion_tokens_ += static_cast<int64_t>(result->tokens.size());
    cached_tokens_ = std::max(cached_tokens_, result->cached_tokens);
    if (request_.stream.stream) Chunk(choice, "", left, c.finish);
    if (--left_ == 0) Finish();
  }

 private:
  struct OnePrompt {
    std::string text;
    std::vector<int32_t> tokens;
    std::vector<TokenChoice> scores;
  };
  struct Choice {
    std::string text;
    std::vector<TokenChoice> tokens;
    const char* finish = "length";
    bool began = false;
  };

  void Fail(const Status& status) {
    const ApiError error = ErrorOf(status);
    reply_->Send(ErrorResponse(Dialect::kOpenAi, error));
    reply_->End("data: " + ErrorBody(Dialect::kOpenAi, error) + "\n\n");
    reply_->CancelWork();
  }

  Json Logprobs(const std::vector<TokenChoice>& tokens) const {
    LogprobsJson json(*tokenizer_);
    for (const TokenChoice& token : tokens) json.Add(token);
    return json.Take();
  }

  // Gathers a chunk of the stream. Written by hand: this runs for each token, on the thread that
  // computes.
  void Chunk(size_t choice, std::string_view text, const std::vector<TokenChoice>& tokens,
             const char* finish) {
    if (!began_) {
      began_ = true;
      HttpResponse head;
      head.content_type = "text/event-stream; charset=utf-8";
      head.headers.emplace_back("X-Accel-Buffering", "no");
      reply_->Begin(std::move(head));
    }
    Choice& c = choices_[choice];
    std::string echoed;
    if (!c.began && request_.echo) {
      echoed = prompts_[choice / static_cast<size_t>(request_.params.choices)].text;
      text = echoed += text;
    }
    c.began = true;
    std::string& out = chunk_;
    out = chunk_begin_;
    out += std::to_string(choice);
    out += ",\"text\":";
    AppendQuoted(text, &out);
    out += ",\"logprobs\":";
    out += tokens.empty() ? "null" : WriteJson(Logprobs(tokens));
    out += ",\"finish_reason\":";
    out += finish == nullptr ? "null" : Quoted(finish);
    out += "}]}\n\n";
    reply_->Gather(out);
  }

  void Finish() {
    const Json usage = UsageJson(prompt_tokens_, completion_tokens_, cached_tokens_);
    if (request_.stream.stream) {
      for (size_t i = 0; i < choices_.size(); ++i) {
        // Of no tokens.
        if (!choices_[i].began) Chunk(i, "", {}, choices_[i].finish);
      }
      if (request_.stream.include_usage) {
        Json last = common_;
        last["choices"] = Json::array();
        last["usage"] = usage;
        reply_->Gather("data: " + WriteJson(last) + "\n\n");
      }
      return reply_->End("data: [DONE]\n\n");
    }
    Json json = common_;
    json["choices"] = Json::array();
    for (size_t i = 0; i < choices_.size(); ++i) {
      const Choice& choice = choices_[i];
      const OnePrompt& prompt = prompts_[i / static_cast<size_t>(request_.params.choices)];
      LogprobsJson logprobs(*tokenizer_);
      if (request_.scores_prompt()) {
        logprobs.AddFirst(prompt.tokens[0]);
        for (const TokenChoice& token : prompt.scores) logprobs.Add(token);
      }
      for (const TokenChoice& token : choice.tokens) logprobs.Add(token);
      json["choices"].push_back(
          {{"index", i},
           {"text", (request_.echo ? prompt.text : "") + choice.text},
           {"logprobs", request_.params.sampling.logprobs >= 0 ? logprobs.Take() : Json()},
           {"finish_reason", choice.finish}});
    }
    json["usage"] = usage;
    HttpResponse response;
    response.body = WriteJson(json);
    reply_->Send(std::move(response));
  }

  const std::shared_ptr<const Tokenizer> tokenizer_;
  const CompletionRequest request_;
  const std::shared_ptr<Reply> reply_;
  Json common_;
  std::string chunk_begin_, chunk_;
  std::vector<OnePrompt> prompts_;
  std::vector<Choice> choices_;
  int64_t left_ = 0, prompt_tokens_ = 0, completion_tokens_ = 0, cached_tokens_ = 0;
  bool began_ = false;
};

// The choices of one prompt among those of all.
class PromptSink : public AnswerSink {
 public:
  PromptSink(std::shared_ptr<CompletionAnswer> answer, size_t first)
      : answer_(std::move(answer)), first_(first) {}
  void OnPiece(int64_t choice, AnswerPiece piece) override {
    answer_->OnPiece(first_ + static_cast<size_t>(choice), std::move(piece));
  }
  void OnDone(int64_t choice, Result<TextResult> result, std::vector<TokenChoice> left) override {
    answer_->OnDone(first_ + static_cast<size_t>(choice), std::move(result), std::move(left));
  }

 private:
  const std::shared_ptr<CompletionAnswer> answer_;
  const size_t first_;
};

Result<Prompt> OnePromptOf(const OrderedJson& json, const ModelHost& host) {
  Prompt prompt;
  if (json.is_string()) {
    prompt.text = json.get<std::string>();
    ASSIGN_OR_RETURN(prompt.prepared, PrepareRaw(host, prompt.text, {}));
    if (prompt.prepared.prompt.tokens.empty())
      return InvalidArgument("'prompt' is empty, and this model begins no text by itself");
    return prompt;
  }
  ASSIGN_OR_RETURN(prompt.prepared.prompt.tokens, TokenIdsOf(json, host, "prompt"));
  prompt.text = host.files().tokenizer->Decode(prompt.prepared.prompt.tokens);
  return prompt;
}

Result<std::vector<Prompt>> PromptsOf(const OrderedJson& json, const ModelHost& host,
                                      const ServerOptions& options) {
  std::vector<Prompt> prompts;
  RETURN_IF_ERROR(
      ForEachInput(json, "prompt", options.max_prompts, [&](const OrderedJson& item) -> Status {
        ASSIGN_OR_RETURN(Prompt one, OnePromptOf(item, host));
        prompts.push_back(std::move(one));
        return OkStatus();
      }));
  return prompts;
}

Status ReadCompletion(const OrderedJson& body, const ServerOptions& options,
                      CompletionRequest* request, const OrderedJson** prompt, std::string* failed) {
  Fields fields(body, "", failed);
  RETURN_IF_ERROR(fields.Check());
  RETURN_IF_ERROR(ReadOpenAiParams(&fields, options, &request->params, &request->stream));
  int64_t logprobs = -1, best_of = 1;
  RETURN_IF_ERROR(fields.Int("logprobs", 0, 20, &logprobs));
  request->params.sampling.logprobs = static_cast<int32_t>(logprobs);
  request->params.max_tokens = 16;  // OpenAI's default
  RETURN_IF_ERROR(fields.Int("max_tokens", 0, int64_t{1} << 31, &request->params.max_tokens));
  RETURN_IF_ERROR(fields.Bool("echo", &request->echo));
  RETURN_IF_ERROR(fields.Int("best_of", 1, options.max_choices, &best_of));
  if (best_of > request->params.choices)
    return fields.Fail("best_of", "above 'n' is not supported: galen returns what it makes");
  RETURN_IF_ERROR(
      fields.Refuse("suffix", "galen writes on, it does not fill in", {OrderedJson("")}));
  if (request->stream.stream && request->scores_prompt())
    return fields.Fail("stream", "does not go with 'echo' and 'logprobs' together");
  *prompt = fields.Any("prompt");
  if (*prompt == nullptr) return fields.Fail("prompt", "is missing");
  return fields.Finish();
}

}  // namespace

void OpenAiCompletions(const Services& services, std::shared_ptr<const HttpRequest> request,
                       std::shared_ptr<Reply> reply) {
  const auto fail = [&](const ApiError& error) {
    reply->Send(ErrorResponse(Dialect::kOpenAi, error));
    reply->CancelWork();
  };
  ApiError error;
  OrderedJson body;
  ModelForRequest model;
  if (!ReadRequest(services, *request, &body, &model.info, &error)) return fail(error);
  CompletionRequest completion;
  const OrderedJson* json = nullptr;
  std::string failed;
  const Status read = ReadCompletion(body, services.options, &completion, &json, &failed);
  if (!read.ok()) return fail(ErrorOf(read, failed));
  if (!AcquireModel(services, model.info, &model, &error)) return fail(error);
  Result<std::vector<Prompt>> prompts = PromptsOf(*json, *model.host, services.options);
  if (!prompts.ok()) return fail(ErrorOf(prompts.status(), "prompt"));
  std::vector<PreparedPrompt> prepared;
  for (const Prompt& prompt : *prompts) prepared.push_back(prompt.prepared);
  if (!RecordStart(services, *request, model, prepared, &error)) return fail(error);
  auto answer = std::make_shared<CompletionAnswer>(services, model, completion, *prompts, reply);
  answer->FinishIfDone();
  const auto choices = static_cast<size_t>(completion.params.choices);
  for (size_t p = 0; p < prompts->size(); ++p) {
    if (completion.scores_prompt()) {
      ScoreJob job;
      job.tokens = (*prompts)[p].prepared.prompt.tokens;
      const auto size = static_cast<int64_t>(job.tokens.size());
      std::vector<std::shared_ptr<TokenHold>> holds;
      if (!ReserveTokens(services, request->tenant, {1, size, size}, &holds, &error))
        return fail(error);
      job.hold = std::move(holds[0]);
      job.top = completion.params.sampling.logprobs;
      job.adapters = model.info->adapters;
      job.on_done = [answer, p](Result<std::vector<TokenChoice>> scores) {
        answer->OnScore(p, std::move(scores));
      };
      const Result<int64_t> id = model.host->Submit(request->tenant.name, std::move(job));
      if (!id.ok()) return fail(ErrorOfSubmit(id.status()));
      CancelWhenGone(model, {*id}, reply.get());
    }
    if (completion.params.max_tokens == 0) continue;
    auto sink = std::make_shared<PromptSink>(answer, p * choices);
    if (!StartAnswers(services, model, request->tenant, std::move((*prompts)[p].prepared),
                      completion.params, sink, reply, &error)) {
      return fail(error);
    }
  }
}

}  // namespace galen::server

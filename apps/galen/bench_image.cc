#include "bench_image.h"

#include <algorithm>

#include "bench_limits.h"
#include "media_options.h"
#include "prompt_media.h"

namespace galen::cli {
namespace {

constexpr const char* kQuestion = "Describe the findings.";

struct Question {
  MediaInput input;
  std::vector<PreparedViews> views;
  EncodedPrompt prompt;
};

Result<Question> Prepare(const ModelFiles& files, const std::string& path) {
  MediaCliOptions media;
  media.images = {path};
  media.media.question = kQuestion;
  Question q;
  ASSIGN_OR_RETURN(q.input, BuildInput(media));
  Json report = {{"images", Json::array({Json::object()})}};
  ASSIGN_OR_RETURN(q.views, PrepareImages(files, {}, q.input, &report));
  RETURN_IF_ERROR(files.tokenizer_status);
  if (files.chat_template.empty()) {
    ASSIGN_OR_RETURN(q.prompt, EncodeRaw(files, kQuestion, q.views));
  } else {
    ASSIGN_OR_RETURN(q.prompt, EncodeChat(files, MessagesOf("", MessageContent(q.input)), q.views));
  }
  return q;
}

// Seconds from the submission of a prompt to its first token.
Result<double> FirstToken(Engine& engine, std::vector<int32_t> prompt,
                          std::vector<MediaSpan> media) {
  Request request;
  request.prompt = std::move(prompt);
  request.media = std::move(media);
  request.max_tokens = 1;
  std::string failure;
  request.on_finish = [&](FinishReason, const std::string& error) { failure = error; };
  const double begin = Now();
  ASSIGN_OR_RETURN([[maybe_unused]] const int64_t id, engine.Submit(std::move(request)));
  while (engine.Step()) {
  }
  if (!failure.empty()) return Status(StatusCode::kIo, failure);
  return Now() - begin;
}

// The image's tokens alone, with a token before and behind them, so that the two rates compare
// prompts of one length.
void KeepImageOnly(const Question& q, const std::vector<MediaSpan>& media,
                   std::vector<int32_t>* prompt, std::vector<MediaSpan>* spans) {
  const int64_t begin = media.front().begin, end = media.back().end();
  prompt->assign(q.prompt.tokens.begin() + std::max<int64_t>(begin - 1, 0),
                 q.prompt.tokens.begin() +
                     std::min<int64_t>(end + 1, static_cast<int64_t>(q.prompt.tokens.size())));
  *spans = media;
  for (MediaSpan& span : *spans) span.begin -= std::max<int64_t>(begin - 1, 0);
}

Json Row(const char* name, double value, const char* unit) {
  return {{"name", name},    {"value", value},        {"unit", unit},
          {"limit", "none"}, {"share_of_limit", 0.0}, {"peak_bytes", PeakResidentBytes()}};
}

}  // namespace

Result<Json> MeasureImageQuestion(const BenchOptions& o) {
  BenchOptions with_images = o;
  with_images.images = true;
  ASSIGN_OR_RETURN(const ModelFiles files, ReadModel(o.model, ReadOptionsOf(o)));
  RETURN_IF_ERROR(files.vision_status);
  ASSIGN_OR_RETURN(const Question q, Prepare(files, o.image));
  const int64_t size = static_cast<int64_t>(q.prompt.tokens.size());
  ASSIGN_OR_RETURN(const auto session, OpenSession(with_images, size + 2));
  Json json = {{"results", Json::array()}};
  MeasureLimits(*session->threads, *ChooseIsa(), &json["machine"]);
  ResetPeakResidentBytes();

  ASSIGN_OR_RETURN(EngineOptions options, BenchEngineOptions(o, size + 2, 1));
  options.prefix_cache = true;
  ASSIGN_OR_RETURN(const auto engine,
                   Engine::Create(session->model(), *session->kernels, *session->threads, options));
  double encode[2], first[2];
  std::vector<MediaSpan> media;
  for (int again = 0; again < 2; ++again) {
    const double begin = Now();
    ASSIGN_OR_RETURN(media, session->images->EncodePrompt(q.prompt, q.views));
    encode[again] = Now() - begin;
    ASSIGN_OR_RETURN(const double prefill, FirstToken(*engine, q.prompt.tokens, media));
    first[again] = encode[again] + prefill;
  }

  options.prefix_cache = false;
  ASSIGN_OR_RETURN(const auto plain,
                   Engine::Create(session->model(), *session->kernels, *session->threads, options));
  std::vector<int32_t> prompt;
  std::vector<MediaSpan> spans;
  KeepImageOnly(q, media, &prompt, &spans);
  const double tokens = static_cast<double>(prompt.size());
  std::vector<double> image_rates, text_rates;
  for (int i = 0; i < o.repeat; ++i) {
    ASSIGN_OR_RETURN(const double seconds, FirstToken(*plain, prompt, spans));
    image_rates.push_back(tokens / seconds);
    ASSIGN_OR_RETURN(
        const double text_seconds,
        FirstToken(*plain,
                   RandomTokens(static_cast<int64_t>(prompt.size()),
                                session->model().config().vocab_size, static_cast<uint64_t>(i)),
                   {}));
    text_rates.push_back(tokens / text_seconds);
  }
  json["results"].push_back(Row("encode_image", encode[0], "s"));
  json["results"].push_back(Row("prefill_image", Median(image_rates), "tok/s"));
  json["results"].back()["text_tokens_per_s"] = Median(text_rates);
  json["results"].back()["prompt"] = prompt.size();
  json["results"].push_back(Row("image_first_token", first[0], "s"));
  json["results"].push_back(Row("image_again", first[1], "s"));
  json["results"].back()["times_faster"] = first[0] / first[1];
  return json;
}

}  // namespace galen::cli

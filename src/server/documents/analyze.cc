// POST /analyze: a question about files, answered in words, as `galen run --json` does.
#include <algorithm>
#include <optional>
#include <utility>

#include "extract/media_prompt.h"
#include "recipes/report.h"
#include "server/api/audit.h"
#include "server/api/write_json.h"
#include "server/documents/event_stream.h"
#include "server/documents/media_folder.h"
#include "server/documents/run_on_documents.h"
#include "server/endpoints.h"

namespace galen::server {
namespace {

struct AnalyzeCall {
  std::string model, system;
  MediaCall media;
  GenerateParams params;
  bool stream = false;
};

struct Analysis {
  const Services& services;
  std::shared_ptr<const HttpRequest> request;
  std::shared_ptr<Reply> reply;
  Upload upload;
  AnalyzeCall call;
  ModelForRequest model;
};

Status ReadCall(const ServerOptions& server, Fields* fields, AnalyzeCall* call) {
  RETURN_IF_ERROR(fields->String("model", &call->model));
  RETURN_IF_ERROR(fields->String("system", &call->system));
  RETURN_IF_ERROR(ReadMediaFields(server, fields, &call->media));
  RETURN_IF_ERROR(fields->Bool("stream", &call->stream));
  int64_t tokens = -1;
  RETURN_IF_ERROR(fields->Int("max_tokens", 1, int64_t{1} << 31, &tokens));
  call->params.max_tokens = tokens;
  SamplingParams& sampling = call->params.sampling;
  RETURN_IF_ERROR(fields->Number("temperature", 0, 2, &sampling.temperature));
  RETURN_IF_ERROR(fields->Number("top_p", 0, 1, &sampling.top_p));
  if (sampling.top_p == 0.0f) sampling.top_p = 1e-6f;
  call->params.seeded = fields->Any("seed") != nullptr;
  sampling.seed = call->media.options.seed;
  std::string think = "hide";
  RETURN_IF_ERROR(fields->String("think", &think));
  if (think != "show" && think != "hide" && think != "off")
    return fields->Fail("think", "must be show, hide or off");
  call->params.think = think == "show" ? Think::kShow : think == "off" ? Think::kOff : Think::kHide;
  return fields->Finish();
}

// Writes the answer; called on the engine's thread, which may be the last to hold it: it keeps
// nothing of the model.
class AnalyzeAnswer : public AnswerSink {
 public:
  AnalyzeAnswer(const Analysis& analysis, Json media, std::optional<SeenImage> boxed,
                int64_t prompt_tokens)
      : reply_(analysis.reply),
        model_(analysis.model.info->spec.name),
        stream_(analysis.call.stream),
        show_thinking_(analysis.call.params.think == Think::kShow),
        media_(std::move(media)),
        boxed_(std::move(boxed)),
        prompt_tokens_(prompt_tokens),
        events_(analysis.reply) {}

  void OnPiece(int64_t, AnswerPiece piece) override {
    if (!stream_) return;
    Begin();
    const bool thinks = !piece.thinking.empty();
    events_.Send(thinks ? "thinking" : "token",
                 "{\"text\":" + Quoted(thinks ? piece.thinking : piece.text) + "}");
  }

  void OnDone(int64_t, Result<TextResult> result, std::vector<TokenChoice>) override {
    if (!result.ok()) return events_.Fail(ErrorOf(result.status()));
    const auto tokens = static_cast<int64_t>(result->tokens.size());
    const double decoded = static_cast<double>(tokens) - 1;
    Json json = {{"text", result->text},
                 {"model", model_},
                 {"media", media_},
                 {"finish_reason", FinishReasonName(result->finish)},
                 {"usage",
                  {{"prompt_tokens", prompt_tokens_},
                   {"completion_tokens", tokens},
                   {"total_tokens", prompt_tokens_ + tokens}}},
                 {"timings",
                  {{"prefill_tokens_per_s",
                    static_cast<double>(prompt_tokens_) / std::max(result->prefill_seconds, 1e-9)},
                   {"decode_tokens_per_s",
                    decoded > 0 ? decoded / std::max(result->decode_seconds, 1e-9) : 0.0}}}};
    if (boxed_) json["boxes"] = BoxReport(result->text, *boxed_);
    if (!result->thinking.empty() && show_thinking_) json["thinking"] = result->thinking;
    if (stream_) {
      Begin();
      return events_.Last("result", WriteJson(json));
    }
    HttpResponse response;
    response.body = WriteJson(json);
    reply_->Send(std::move(response));
  }

 private:
  // With the first piece: a full queue has a status of its own.
  void Begin() {
    if (!std::exchange(began_, true)) events_.Send("media", WriteJson(media_));
  }

  const std::shared_ptr<Reply> reply_;
  const std::string model_;
  const bool stream_, show_thinking_;
  const Json media_;
  const std::optional<SeenImage> boxed_;
  const int64_t prompt_tokens_;
  EventStream events_;
  bool began_ = false;
};

struct Prepared {
  PreparedPrompt prompt;
  Json media;
  std::optional<SeenImage> boxed;
};

// The image that boxes of the answer lie on, without its pixels; none where the recipe asks for no
// boxes.
std::optional<SeenImage> BoxedImage(const MediaInput& input) {
  if (input.recipe != "localise" || input.images.size() != 1) return std::nullopt;
  const SeenImage& from = input.images[0];
  SeenImage seen;
  seen.image.width = from.image.width;
  seen.image.height = from.image.height;
  seen.source = from.source;
  seen.to_source = from.to_source;
  return seen;
}

// The files' images and words as the model's prompt.
Result<Prepared> Prepare(Analysis* analysis, const MediaInput& input,
                         const std::vector<std::string>& digests) {
  const ModelHost& host = *analysis->model.host;
  if (host.chat() == nullptr) return host.chat_status();
  Prepared prepared;
  prepared.media = MediaReport(input);
  prepared.boxed = BoxedImage(input);
  ASSIGN_OR_RETURN(prepared.prompt.images, PrepareImages(host.files(), {}, input, &prepared.media));
  const std::string& asked = analysis->call.system;
  const std::string& system = !asked.empty()          ? asked
                              : !input.system.empty() ? input.system
                                                      : analysis->model.info->spec.system;
  ASSIGN_OR_RETURN(
      prepared.prompt.prompt,
      host.chat()->Encode(MessagesOf(system, MessageContent(input)), prepared.prompt.images));
  RETURN_IF_ERROR(CheckContext(prepared.prompt.prompt, prepared.prompt.images, host.context(),
                               host.files().config.max_position_embeddings));
  prepared.prompt.image_digests = digests;
  return prepared;
}

void Analyze(const std::shared_ptr<Analysis>& analysis) {
  const auto fail = [&](const ApiError& error) {
    analysis->reply->Send(ErrorResponse(Dialect::kOpenAi, error));
  };
  const Services& services = analysis->services;
  const std::vector<std::string> digests = DigestsOf(services, analysis->upload);
  const Result<MediaFolder> folder = MediaFolder::Of(&analysis->upload);
  if (!folder.ok()) return fail(ErrorOfMedia(folder.status()));
  Result<MediaInput> input = BuildUploaded(services.options, *folder, analysis->call.media);
  if (!input.ok()) return fail(ErrorOfMedia(input.status()));
  input->warnings.insert(input->warnings.end(), analysis->upload.warnings.begin(),
                         analysis->upload.warnings.end());
  Result<Prepared> prepared = Prepare(analysis.get(), *input, digests);
  if (!prepared.ok()) return fail(ErrorOf(prepared.status(), "file"));
  if (analysis->call.params.max_tokens < 0) {
    const auto size = static_cast<int64_t>(prepared->prompt.prompt.tokens.size());
    analysis->call.params.max_tokens =
        std::min(input->max_new_tokens, analysis->model.host->context() - size);
  }
  ApiError error;
  if (!RecordStart(services, *analysis->request, analysis->model, {&prepared->prompt, 1}, &error))
    return fail(error);
  const auto size = static_cast<int64_t>(prepared->prompt.prompt.tokens.size());
  const auto sink = std::make_shared<AnalyzeAnswer>(*analysis, std::move(prepared->media),
                                                    std::move(prepared->boxed), size);
  if (!StartAnswers(services, analysis->model, analysis->request->tenant,
                    std::move(prepared->prompt), analysis->call.params, sink, analysis->reply,
                    &error)) {
    fail(error);
  }
}

}  // namespace

void AnalyzeFiles(const Services& services, std::shared_ptr<const HttpRequest> request,
                  std::shared_ptr<Reply> reply) {
  ApiError error;
  auto analysis = std::make_shared<Analysis>(Analysis{services, request, reply, {}, {}, {}});
  const auto fail = [&] { reply->Send(ErrorResponse(Dialect::kOpenAi, error)); };
  if (!ReadUpload(services, *request, MediaFormFields(), StudyUse::kTaken, &analysis->upload,
                  &error))
    return fail();
  std::string failed;
  Fields fields(analysis->upload.fields, "", &failed);
  const Status read = ReadCall(services.options, &fields, &analysis->call);
  if (!read.ok()) {
    error = ErrorOfField(read, failed);
    return fail();
  }
  ModelForRequest& model = analysis->model;
  if (!FindNamedModel(services, analysis->call.model, "model", &model.info, &error) ||
      !AcquireModel(services, model.info, &model, &error)) {
    return fail();
  }
  RunOnDocuments(services, *request, reply, std::stop_source(), [analysis] { Analyze(analysis); });
}

}  // namespace galen::server

#include "server/api/embed.h"

#include "server/api/audit.h"
#include "server/api/prompts.h"
#include "server/api/token_limits.h"

namespace galen::server {
namespace {

Result<std::vector<int32_t>> TokensOf(const OrderedJson& json, const ModelHost& host,
                                      const std::string& field) {
  if (!json.is_string()) return TokenIdsOf(json, host, field);
  ASSIGN_OR_RETURN(std::vector<int32_t> tokens,
                   EncodeForEmbedding(host.files(), json.get_ref<const std::string&>()));
  if (tokens.empty())
    return InvalidArgument("'" + field +
                           "' holds an empty text, which this model has no vector of");
  return tokens;
}

}  // namespace

Status ReadEmbedCall(Fields* fields, const char* key, EmbedCall* call) {
  call->field = fields->Name(key);
  if (const OrderedJson* input = fields->Any(key)) call->input = *input;
  RETURN_IF_ERROR(fields->Int("dimensions", 0, int64_t{1} << 31, &call->dimensions));
  std::string pooling;
  RETURN_IF_ERROR(fields->String("pooling", &pooling));
  call->pooling = ParsePooling(pooling);
  if (!pooling.empty() && !call->pooling) return fields->Fail("pooling", "must be mean or last");
  return OkStatus();
}

bool StartEmbedding(const Services& services, const HttpRequest& request,
                    const ModelForRequest& model, const EmbedCall& call,
                    std::function<void(EmbedAnswer)> send,
                    std::function<void(const ApiError&)> fail, const std::shared_ptr<Reply>& reply,
                    ApiError* error) {
  const auto refuse = [&](const Status& status, const std::string& field) {
    *error = ErrorOf(status, field);
    return false;
  };
  if (call.input.is_null())
    return refuse(InvalidArgument("'" + call.field + "' is missing"), call.field);
  const ModelHost& host = *model.host;
  const int64_t size = host.files().config.hidden_size;
  if (call.dimensions != 0 && call.dimensions != size) {
    return refuse(InvalidArgument("'dimensions' must be " + std::to_string(size) +
                                  ", the size of this model's vectors: a part of a vector means "
                                  "something only where a model was trained for that"),
                  "dimensions");
  }
  EmbedJob job;
  if (call.pooling) {
    job.pooling = *call.pooling;
  } else {
    const Result<std::optional<Pooling>> own = PoolingOf(host.files());
    if (!own.ok()) return refuse(own.status(), "model");
    job.pooling = own->value_or(Pooling::kLast);
  }
  std::vector<PreparedPrompt> prompts;
  int64_t total = 0;
  const Status read = ForEachInput(
      call.input, call.field, services.options.max_prompts, [&](const OrderedJson& item) -> Status {
        PreparedPrompt& prompt = prompts.emplace_back();
        ASSIGN_OR_RETURN(prompt.prompt.tokens, TokensOf(item, host, call.field));
        const auto tokens = static_cast<int64_t>(prompt.prompt.tokens.size());
        if (tokens > host.context()) {
          return InvalidArgument("'" + call.field + "' has a text of " + std::to_string(tokens) +
                                 " tokens; this server takes " + std::to_string(host.context()));
        }
        total += tokens;
        return OkStatus();
      });
  if (!read.ok()) return refuse(read, call.field);
  std::vector<std::shared_ptr<TokenHold>> holds;
  if (!ReserveTokens(services, request.tenant, {1, total, total}, &holds, error)) return false;
  job.hold = std::move(holds[0]);
  if (!RecordStart(services, request, model, prompts, error)) return false;
  for (PreparedPrompt& prompt : prompts) job.texts.push_back(std::move(prompt.prompt.tokens));
  job.adapters = model.info->adapters;
  job.on_done = [send = std::move(send), fail = std::move(fail),
                 total](Result<std::vector<std::vector<float>>> vectors) {
    if (!vectors.ok()) return fail(ErrorOf(vectors.status()));
    send({*std::move(vectors), total});
  };
  const Result<int64_t> id = model.host->Submit(request.tenant.name, std::move(job));
  if (!id.ok()) {
    *error = ErrorOfSubmit(id.status());
    return false;
  }
  CancelWhenGone(model, {*id}, reply.get());
  return true;
}

}  // namespace galen::server

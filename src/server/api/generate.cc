#include "server/api/generate.h"

#include <algorithm>
#include <random>

#include "server/api/token_limits.h"
#include "server/api/tool_call_sink.h"

namespace galen::server {
namespace {

uint64_t DrawSeed() {
  thread_local std::random_device device;
  return (uint64_t{device()} << 32) | device();
}

}  // namespace

bool FindModel(const Services& services, const OrderedJson& body, ModelRef* info, ApiError* error) {
  const auto it = body.is_object() ? body.find("model") : body.end();
  std::string failed = "model";
  if (!body.is_object()) {
    *error = ErrorOf(InvalidArgument("the body must be a JSON object"));
    return false;
  }
  if (it == body.end() || it->is_null()) {
    if ((*info = services.models.Only()) != nullptr) return true;
    std::string names;
    for (const ModelRef& one : services.models.models()) {
      names += (names.empty() ? "" : ", ") + one->spec.name;
    }
    *error = ErrorOf(InvalidArgument("'model' is missing; there are: " + names), failed);
    return false;
  }
  if (!it->is_string()) {
    *error = ErrorOf(
        InvalidArgument(std::string("'model' must be a string, not ") + it->type_name()), failed);
    return false;
  }
  const auto& name = it->get_ref<const std::string&>();
  *info = services.models.Find(name);
  if (*info != nullptr) return true;
  *error = ErrorOf(NotFound(services.models.Unknown(name)), failed);
  return false;
}

bool AcquireModel(const Services& services, const ModelRef& info, ModelForRequest* model,
                  ApiError* error) {
  model->info = info;
  Result<std::shared_ptr<ModelHost>> host = services.models.Acquire(*info, &model->load_seconds);
  if (host.ok()) {
    model->host = *std::move(host);
    return true;
  }
  *error = ErrorOf(host.status());
  if (host.status().code() == StatusCode::kNotFound) return false;
  error->status = host.status().code() == StatusCode::kResourceExhausted ? 503 : 500;
  if (error->status == 503) error->retry_after = 10;
  return false;
}

ApiError ErrorOfSubmit(const Status& status) {
  ApiError error = ErrorOf(status);
  if (status.code() == StatusCode::kResourceExhausted) {
    error.status = 429;
    error.retry_after = 1;
  } else if (status.code() == StatusCode::kIo) {
    error.status = 503;
    error.retry_after = 5;
  }
  return error;
}

void CancelWhenGone(const ModelForRequest& model, std::vector<int64_t> ids, Reply* reply) {
  reply->OnGone([host = std::weak_ptr<ModelHost>(model.host), ids = std::move(ids)] {
    if (const auto alive = host.lock()) {
      for (int64_t id : ids) alive->Cancel(id);
    }
  });
}

bool StartAnswers(const Services& services, const ModelForRequest& model, const Tenant& tenant,
                  PreparedPrompt prompt, const GenerateParams& params,
                  std::shared_ptr<AnswerSink> sink, const std::shared_ptr<Reply>& reply,
                  ApiError* error) {
  const int64_t size = static_cast<int64_t>(prompt.prompt.tokens.size());
  const int64_t room = std::max<int64_t>(0, model.host->context() - size);
  int64_t most = params.max_tokens < 0 ? room : params.max_tokens;
  if (services.options.max_tokens > 0) most = std::min(most, services.options.max_tokens);
  const uint64_t seed = params.seeded ? params.sampling.seed : DrawSeed();
  std::shared_ptr<const grammar::Constraint> constraint;
  if (!params.schema.empty()) {
    auto compiled = model.host->SchemaConstraint(params.schema);
    if (!compiled.ok()) {
      *error = ErrorOf(compiled.status(), params.schema_field);
      return false;
    }
    constraint = *std::move(compiled);
  }
  if (params.tools != nullptr) {
    constraint = params.tools->constraint;
    sink = std::make_shared<ToolCallSink>(params.tools, params.choices, std::move(sink));
  }
  // The context ends an answer, too. Where the request names no length, what its key has left does.
  const int64_t longest = std::min(most, room);
  const int64_t shortest = params.max_tokens < 0 ? std::min<int64_t>(longest, 1) : longest;
  std::vector<std::shared_ptr<TokenHold>> holds;
  const Usage::Wish wish{params.choices, size + shortest, size + longest};
  if (!ReserveTokens(services, tenant, wish, &holds, error)) return false;
  std::vector<int64_t> ids;
  for (int64_t choice = 0; choice < params.choices; ++choice) {
    GenerateJob job;
    job.prompt = choice + 1 == params.choices ? std::move(prompt.prompt) : prompt.prompt;
    job.images = choice + 1 == params.choices ? std::move(prompt.images) : prompt.images;
    TextRequest& request = job.request;
    request.sampling = params.sampling;
    request.sampling.seed = seed + static_cast<uint64_t>(choice);
    job.hold = std::move(holds[static_cast<size_t>(choice)]);
    request.max_tokens =
        job.hold != nullptr && params.max_tokens < 0 ? job.hold->tokens() - size : most;
    request.stop_strings = params.stop;
    request.think = params.think;
    request.constraint = constraint;
    request.cache_salt = tenant.cache_salt;
    request.adapters = model.info->adapters;
    auto tokens = std::make_shared<std::vector<TokenChoice>>();
    const bool wants_tokens = params.sampling.logprobs >= 0;
    if (wants_tokens)
      request.on_token = [tokens](const TokenChoice& token) { tokens->push_back(token); };
    request.on_text = [sink, choice, tokens](std::string_view text) {
      sink->OnPiece(choice, {text, {}, std::exchange(*tokens, {}), nullptr});
    };
    request.on_thinking = [sink, choice, tokens](std::string_view thinking) {
      tokens->clear();  // log-probabilities are told of answers
      sink->OnPiece(choice, {{}, thinking, {}, nullptr});
    };
    job.on_done = [sink, choice, tokens, reply](Result<TextResult> result) {
      sink->OnDone(choice, std::move(result), std::move(*tokens));
      reply->Flush();
    };
    job.after_step = [reply] { reply->Flush(); };
    const Result<int64_t> id = model.host->Submit(tenant.name, std::move(job));
    if (!id.ok()) {
      *error = ErrorOfSubmit(id.status());
      for (int64_t submitted : ids) model.host->Cancel(submitted);
      return false;
    }
    ids.push_back(*id);
  }
  CancelWhenGone(model, std::move(ids), reply.get());
  return true;
}

}  // namespace galen::server

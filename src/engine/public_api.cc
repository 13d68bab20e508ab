// include/galen/galen.h over the engine.
#include <algorithm>
#include <exception>

#include "engine/generation.h"
#include "engine/memory_plan.h"
#include "engine/score.h"
#include "galen/galen.h"

namespace galen::api {

struct Model::Impl {
  const KernelTable* kernels = nullptr;
  std::unique_ptr<ThreadPool> threads;
  LoadedModel loaded;
  std::unique_ptr<Engine> engine;
  ScoreOptions score;
};

namespace {

// Runs fn; an error, ours or an exception, becomes text.
template <typename Fn>
bool Guard(std::string* error, Fn&& fn) {
  std::string message;
  try {
    const Status status = fn();
    if (status.ok()) return true;
    message = status.message();
  } catch (const std::bad_alloc&) {
    message = "out of memory; use a smaller context or a smaller model";
  } catch (const std::exception& e) {
    message = e.what();
  }
  if (error != nullptr) *error = message;
  return false;
}

Result<std::vector<int32_t>> PromptTokens(const ModelFiles& files, const GenerateRequest& request) {
  RETURN_IF_ERROR(files.tokenizer_status);
  if (request.raw) {
    EncodeOptions options;
    options.add_bos = true;
    return files.tokenizer->Encode(
        request.system.empty() ? request.prompt : request.system + "\n\n" + request.prompt,
        options);
  }
  OrderedJson messages = OrderedJson::array();
  if (!request.system.empty())
    messages.push_back({{"role", "system"}, {"content", request.system}});
  messages.push_back({{"role", "user"}, {"content", request.prompt}});
  return EncodeChat(files, messages);
}

}  // namespace

Model::Model(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Model::~Model() = default;

std::unique_ptr<Model> Model::Open(const std::string& path, const ModelOptions& options,
                                   std::string* error) {
  auto impl = std::make_unique<Impl>();
  const bool ok = Guard(error, [&]() -> Status {
    if (options.context < 1) return InvalidArgument("context must be at least 1");
    if (options.threads < 0 || options.threads > 1024)
      return InvalidArgument("threads must be from 0 to 1024");
    ASSIGN_OR_RETURN(const Isa isa, ChooseIsa());
    impl->kernels = &KernelsFor(isa);
    impl->threads =
        std::make_unique<ThreadPool>(options.threads > 0 ? options.threads : AvailableProcessors());
    EngineOptions engine;
    engine.runner.compute = options.fp32 ? Compute::kFp32 : Compute::kBf16;
    engine.runner.batch_invariant = options.batch_invariant;
    engine.kv_type = options.fp32 ? KvType::kF32 : KvType::kBf16;
    OpenModelOptions open;
    open.kernels = impl->kernels;
    open.pool = impl->threads.get();
    open.admit = [&](const ModelConfig& config, const WeightPlan& weights, const ImageTower*) {
      MemoryPlan plan;
      plan.weights = weights.allocated();
      const int64_t tokens = std::min(options.context, config.max_position_embeddings);
      plan.kv_cache = KvCacheBytes(config, engine.kv_type, tokens, engine.runner.max_batch_tokens);
      plan.activations = ForwardArenaBytes(config, *impl->kernels, impl->threads->size(),
                                           std::min(tokens, engine.runner.max_batch_tokens), 1);
      return CheckMemory(plan, AvailableMemory()).WithContext(path);
    };
    ASSIGN_OR_RETURN(impl->loaded, OpenModel(path, open));
    engine.context =
        std::min(options.context, impl->loaded.model->config().max_position_embeddings);
    ASSIGN_OR_RETURN(impl->engine,
                     Engine::Create(*impl->loaded.model, *impl->kernels, *impl->threads, engine));
    impl->score = {engine.runner, engine.kv_type};
    return OkStatus();
  });
  return ok ? std::unique_ptr<Model>(new Model(std::move(impl))) : nullptr;
}

bool Model::Generate(const GenerateRequest& request, Answer* answer, std::string* error) {
  return Guard(error, [&]() -> Status {
    TextRequest text;
    ASSIGN_OR_RETURN(text.prompt, PromptTokens(impl_->loaded.files, request));
    text.sampling.temperature = request.temperature;
    text.sampling.seed = request.seed;
    text.max_tokens = request.max_tokens;
    text.stop_strings = request.stop;
    bool ended = false;
    text.on_text = [&](std::string_view piece) {
      if (request.on_text && !ended) ended = !request.on_text(piece);
    };
    text.cancelled = [&] { return ended; };
    ASSIGN_OR_RETURN(const TextResult result,
                     galen::Generate(*impl_->engine, impl_->loaded.files, text));
    *answer = {result.text, FinishReasonName(result.finish), text.prompt, {}};
    for (const TokenChoice& choice : result.tokens) answer->tokens.push_back(choice.token);
    return OkStatus();
  });
}

bool Model::Tokenize(std::string_view text, std::vector<int32_t>* ids, std::string* error) const {
  return Guard(error, [&]() -> Status {
    RETURN_IF_ERROR(impl_->loaded.files.tokenizer_status);
    ASSIGN_OR_RETURN(*ids, impl_->loaded.files.tokenizer->Encode(text));
    return OkStatus();
  });
}

bool Model::Score(const std::vector<int32_t>& tokens, std::vector<float>* logprobs,
                  std::string* error) {
  return Guard(error, [&]() -> Status {
    ASSIGN_OR_RETURN(*logprobs, ScoreTokens(*impl_->loaded.model, *impl_->kernels, *impl_->threads,
                                            impl_->score, tokens));
    return OkStatus();
  });
}

}  // namespace galen::api

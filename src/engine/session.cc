#include "engine/session.h"

#include <algorithm>
#include <chrono>

namespace galen {
namespace {

double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Status AttachAdapters(const SessionOptions& options, Session* session) {
  for (const SessionAdapter& adapter : options.adapters) {
    ASSIGN_OR_RETURN(const AdapterFile file, OpenAdapter(adapter.path));
    RETURN_IF_ERROR(session->adapters.Attach(session->loaded, file,
                                             {adapter.scale, options.allow_unmatched},
                                             *session->kernels, *session->threads));
  }
  return OkStatus();
}

}  // namespace

void SetAdapters(const Session& session, EngineOptions* options) {
  options->runner.adapters = session.adapters.costs();
  const std::vector<AttachedAdapter>& adapters = session.adapters.adapters();
  for (size_t i = 0; i < adapters.size(); ++i) {
    const uint64_t bit = uint64_t{1} << i;
    options->adapters |= bit;
    if (adapters[i].serves_all) options->shared_adapters |= bit;
  }
}

Result<std::unique_ptr<Session>> OpenSession(const SessionOptions& options) {
  auto session = std::make_unique<Session>();
  const double begin = Now();
  ASSIGN_OR_RETURN(const Isa isa, ChooseIsa());
  session->kernels = &KernelsFor(isa);
  session->threads =
      std::make_unique<ThreadPool>(options.threads > 0 ? options.threads : AvailableProcessors());
  const RunnerOptions& runner = options.runner;
  OpenModelOptions open;
  open.kernels = session->kernels;
  open.pool = session->threads.get();
  open.read = options.read;
  open.images = options.images;
  open.encode = options.encode;
  ImageEncoderOptions image_options;
  image_options.compute = runner.compute;
  image_options.batch_invariant = runner.batch_invariant;
  open.admit = [&](const ModelConfig& config, const WeightPlan& weights, const ImageTower* tower) {
    MemoryPlan plan;
    plan.weights = weights.allocated();
    const int64_t tokens = std::min(options.context, config.max_position_embeddings);
    const int64_t rows = std::min(tokens, runner.max_batch_tokens);
    plan.kv_cache = options.max_sequences *
                    KvCacheBytes(config, options.kv_type, tokens, runner.max_batch_tokens);
    plan.activations = ForwardArenaBytes(config, *session->kernels, session->threads->size(), rows,
                                         options.max_sequences);
    if (tower != nullptr) {
      plan.activations += ImageEncoder::ReservedBytes(*tower, *session->kernels,
                                                      session->threads->size(), image_options);
    }
    if (options.plan != nullptr) *options.plan = plan;
    return CheckMemory(plan, options.memory > 0 ? options.memory : AvailableMemory())
        .WithContext(options.model);
  };
  ASSIGN_OR_RETURN(session->loaded, OpenModel(options.model, open));
  RETURN_IF_ERROR(AttachAdapters(options, session.get()));
  image_options.adapters = session->adapters.costs();
  if (session->loaded.tower != nullptr) {
    ASSIGN_OR_RETURN(session->images,
                     ImageEncoder::Create(*session->loaded.tower, *session->files().image_processor,
                                          *session->kernels, *session->threads, image_options));
  }
  if (!options.draft.empty()) {
    open.read = {};
    open.images = false;
    open.encode.reset();
    ASSIGN_OR_RETURN(session->draft, OpenModel(options.draft, open));
  }
  session->load_seconds = Now() - begin;
  return session;
}

}  // namespace galen

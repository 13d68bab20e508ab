#include "session.h"

#include <algorithm>
#include <chrono>

#include "engine/memory_plan.h"
#include "store/ollama_store.h"

namespace galen::cli {

double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void AddModelArgument(CLI::App& verb, ModelOptions* options) {
  verb.add_option("model", options->model,
                  "A GGUF file, a Hugging Face directory, or ollama:NAME[:TAG]")
      ->required();
}

void AddProjectorOption(CLI::App& verb, ModelOptions* options) {
  verb.add_option("--mmproj", options->mmproj,
                  "Image projector file of a GGUF model (default: the one beside it that fits)");
}

Status ResolveModel(ModelOptions* options) {
  if (!IsOllamaName(options->model)) return OkStatus();
  ASSIGN_OR_RETURN(const OllamaModel found, FindOllamaModel(options->model));
  options->model = found.model;
  options->default_system = found.system;
  if (options->mmproj.empty()) options->mmproj = found.projector;
  return OkStatus();
}

ReadModelOptions ReadOptionsOf(const ModelOptions& options) {
  ReadModelOptions read;
  read.mmproj = options.mmproj;
  return read;
}

void AddComputeOptions(CLI::App& verb, ModelOptions* o) {
  verb.add_option("--compute", o->compute, "Arithmetic: bf16, or fp32 (the reference mode)")
      ->check(CLI::IsMember({"bf16", "fp32"}))
      ->capture_default_str();
  verb.add_option("--activations", o->activations,
                  "bf16, or int8: quantised per row and block of 32")
      ->check(CLI::IsMember({"bf16", "int8"}))
      ->capture_default_str();
  verb.add_option("--kv", o->kv, "Type of the KV cache; auto: bf16, or fp32 with --compute fp32")
      ->check(CLI::IsMember({"auto", "bf16", "f16", "int8", "fp32"}))
      ->capture_default_str();
  verb.add_option("--threads", o->threads, "Threads that compute (0: all processors)")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  verb.add_flag("--batch-invariant", o->batch_invariant,
                "The same bits whoever else is in the batch");
}

int ThreadsOf(int threads) {
  const int processors = AvailableProcessors();
  return threads > 0 ? std::min(threads, processors) : processors;
}

Result<Compute> ComputeOf(const ModelOptions& options) {
  if (options.activations == "int8") {
    if (options.compute == "fp32")
      return InvalidArgument("--activations int8 and --compute fp32 exclude each other");
    return Compute::kInt8;
  }
  return options.compute == "fp32" ? Compute::kFp32 : Compute::kBf16;
}

Result<KvType> KvTypeOf(const ModelOptions& options, Compute compute) {
  if (options.kv == "auto") return compute == Compute::kFp32 ? KvType::kF32 : KvType::kBf16;
  if (options.kv == "bf16") return KvType::kBf16;
  if (options.kv == "f16") return KvType::kF16;
  if (options.kv == "int8") return KvType::kI8;
  return KvType::kF32;
}

Result<RunnerOptions> RunnerOptionsOf(const ModelOptions& options) {
  RunnerOptions runner;
  ASSIGN_OR_RETURN(runner.compute, ComputeOf(options));
  runner.batch_invariant = options.batch_invariant;
  return runner;
}

namespace {

Result<EngineOptions> EngineOptionsOf(const Session& session, const ModelOptions& options,
                                      int64_t context) {
  EngineOptions engine;
  ASSIGN_OR_RETURN(engine.runner, RunnerOptionsOf(options));
  engine.runner.adapters = session.adapters.costs();
  for (size_t i = 0; i < session.adapters.adapters().size(); ++i) {
    const uint64_t bit = uint64_t{1} << i;
    engine.adapters |= bit;
    if (session.adapters.adapters()[i].serves_all) engine.shared_adapters |= bit;
  }
  ASSIGN_OR_RETURN(engine.kv_type, KvTypeOf(options, engine.runner.compute));
  engine.context = context;
  if (options.speculate == "ngram")
    engine.speculate = Speculate::kNgram;
  else if (options.speculate != "off")
    engine.speculate = Speculate::kModel;
  return engine;
}

}  // namespace

Result<std::unique_ptr<Session>> OpenSession(const ModelOptions& options, int64_t context) {
  auto session = std::make_unique<Session>();
  const double begin = Now();
  ASSIGN_OR_RETURN(const Isa isa, ChooseIsa());
  session->kernels = &KernelsFor(isa);
  session->threads = std::make_unique<ThreadPool>(ThreadsOf(options.threads));
  ASSIGN_OR_RETURN(const RunnerOptions runner, RunnerOptionsOf(options));
  ASSIGN_OR_RETURN(const KvType kv_type, KvTypeOf(options, runner.compute));
  OpenModelOptions open;
  open.kernels = session->kernels;
  open.pool = session->threads.get();
  ImageEncoderOptions image_options;
  image_options.compute = runner.compute;
  image_options.batch_invariant = runner.batch_invariant;
  open.read = ReadOptionsOf(options);
  open.images = options.images;
  open.admit = [&](const ModelConfig& config, const WeightPlan& weights, const ImageTower* tower) {
    MemoryPlan plan;
    plan.weights = weights.allocated();
    const int64_t tokens = std::min(context, config.max_position_embeddings);
    plan.kv_cache = KvCacheBytes(config, kv_type, tokens, runner.max_batch_tokens);
    plan.activations = ForwardArenaBytes(config, *session->kernels, session->threads->size(),
                                         std::min(tokens, runner.max_batch_tokens), 1);
    if (tower != nullptr) {
      plan.activations += ImageEncoder::ReservedBytes(*tower, *session->kernels,
                                                      session->threads->size(), image_options);
    }
    return CheckMemory(plan, AvailableMemory()).WithContext(options.model);
  };
  ASSIGN_OR_RETURN(session->loaded, OpenModel(options.model, open));
  ASSIGN_OR_RETURN(session->adapters, AttachAdapters(session->loaded, options.adapters,
                                                     *session->kernels, *session->threads));
  image_options.adapters = session->adapters.costs();
  if (session->loaded.tower != nullptr) {
    ASSIGN_OR_RETURN(session->images,
                     ImageEncoder::Create(*session->loaded.tower, *session->files().image_processor,
                                          *session->kernels, *session->threads, image_options));
  }
  if (options.speculate != "off" && options.speculate != "ngram") {
    open.read = {};
    open.images = false;
    ASSIGN_OR_RETURN(session->draft, OpenModel(options.speculate, open));
  }
  session->load_seconds = Now() - begin;
  return session;
}

Result<std::unique_ptr<Engine>> OpenEngine(const Session& session, const ModelOptions& options,
                                           int64_t context) {
  ASSIGN_OR_RETURN(EngineOptions engine, EngineOptionsOf(session, options, context));
  engine.draft_model = session.draft.model.get();
  return Engine::Create(session.model(), *session.kernels, *session.threads, engine);
}

}  // namespace galen::cli

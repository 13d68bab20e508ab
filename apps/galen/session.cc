#include "session.h"

#include <algorithm>
#include <chrono>
#include <iostream>

#include "store/resolve.h"

namespace galen::cli {

double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void AddModelArgument(CLI::App& verb, ModelOptions* options) {
  verb.add_option(
          "model", options->model,
          "A GGUF file, a Hugging Face directory, or a name: hf:ORG/NAME, ollama:NAME[:TAG], "
          "or one of galen list")
      ->type_name("MODEL")
      ->required();
}

void AddProjectorOption(CLI::App& verb, ModelOptions* options) {
  verb.add_option("--mmproj", options->mmproj,
                  "Image projector file of a GGUF model (default: the one beside it that fits)")
      ->type_name("FILE");
}

Status ResolveModel(ModelOptions* options) {
  ASSIGN_OR_RETURN(const ModelLocation found, LocateModel(options->model));
  options->model = found.path;
  options->default_system = found.system;
  if (options->mmproj.empty()) options->mmproj = found.projector;
  for (SessionAdapter& adapter : options->adapters.chosen) {
    if (!IsHubName(adapter.path)) continue;
    ASSIGN_OR_RETURN(const ModelLocation location, LocateModel(adapter.path));
    adapter.path = location.path;
  }
  return OkStatus();
}

Result<std::string> PathOfModel(const std::string& argument) {
  ASSIGN_OR_RETURN(const ModelLocation found, LocateModel(argument));
  return found.path;
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
  verb.add_option(
          "--weights", o->weights,
          "file: as they are; or a type that the layers' 16- and 32-bit matrices are encoded "
          "to when they are loaded")
      ->check(CLI::IsMember({"file", "nf4", "int8", "q8_0", "q6_k", "q5_0", "q4_k", "q4_0"}))
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
  SetAdapters(session, &engine);
  ASSIGN_OR_RETURN(engine.kv_type, KvTypeOf(options, engine.runner.compute));
  engine.context = context;
  engine.forced_drafts = options.constrained;
  if (options.speculate == "ngram")
    engine.speculate = Speculate::kNgram;
  else if (options.speculate != "off")
    engine.speculate = Speculate::kModel;
  return engine;
}

}  // namespace

Result<std::unique_ptr<Session>> OpenSession(const ModelOptions& options, int64_t context,
                                             int64_t sequences) {
  SessionOptions open;
  open.model = options.model;
  open.read = ReadOptionsOf(options);
  open.images = options.images;
  ASSIGN_OR_RETURN(open.runner, RunnerOptionsOf(options));
  ASSIGN_OR_RETURN(open.kv_type, KvTypeOf(options, open.runner.compute));
  open.threads = ThreadsOf(options.threads);
  open.context = context;
  open.max_sequences = sequences;
  if (options.speculate != "off" && options.speculate != "ngram") {
    ASSIGN_OR_RETURN(open.draft, PathOfModel(options.speculate));
  }
  if (options.weights != "file") {
    ASSIGN_OR_RETURN(open.encode, DTypeFromName(options.weights));
  }
  open.adapters = options.adapters.chosen;
  open.allow_unmatched = options.adapters.allow_unmatched;
  ASSIGN_OR_RETURN(std::unique_ptr<Session> session, galen::OpenSession(open));
  for (const AttachedAdapter& adapter : session->adapters.adapters()) {
    for (const std::string& note : adapter.notes) std::cerr << "galen: " << note << "\n";
  }
  return session;
}

Result<std::unique_ptr<Engine>> OpenEngine(const Session& session, const ModelOptions& options,
                                           int64_t context) {
  ASSIGN_OR_RETURN(EngineOptions engine, EngineOptionsOf(session, options, context));
  engine.draft_model = session.draft.model.get();
  return Engine::Create(session.model(), *session.kernels, *session.threads, engine);
}

}  // namespace galen::cli

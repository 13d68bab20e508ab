// A model opened for work: kernels, threads, weights, image tower, draft model. Refused before
// anything is loaded where memory lacks.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/threads.h"
#include "engine/engine.h"
#include "engine/image_encoder.h"
#include "engine/memory_plan.h"
#include "models/adapters.h"
#include "models/open_model.h"

namespace galen {

struct SessionAdapter {
  std::string path;  // as OpenAdapter takes it
  double scale = 1.0;
};

struct SessionOptions {
  std::string model;  // as OpenModel takes it
  ReadModelOptions read;
  bool images = false;          // open the image part too
  std::optional<DType> encode;  // 16- and 32-bit matrices are encoded so as they are loaded
  std::vector<SessionAdapter> adapters;
  bool allow_unmatched = false;  // AdapterOptions
  RunnerOptions runner;
  KvType kv_type = KvType::kBf16;
  int threads = 0;             // 0: all processors
  std::string draft;           // a smaller model of the same vocabulary, for speculation
  int64_t context = 4096;      // tokens of one sequence to plan for; less if the model allows less
  int64_t max_sequences = 1;   // that each hold `context` tokens
  int64_t memory = 0;          // bytes that may be taken; 0: AvailableMemory()
  MemoryPlan* plan = nullptr;  // receives what was planned, also where it was refused
};

struct Session {
  const KernelTable* kernels = nullptr;
  std::unique_ptr<ThreadPool> threads;
  LoadedModel loaded;
  ModelAdapters adapters;  // that loaded carries
  LoadedModel draft;
  std::unique_ptr<ImageEncoder> images;  // null unless asked for
  double load_seconds = 0;

  const ModelFiles& files() const { return loaded.files; }
  const CausalLM& model() const { return *loaded.model; }
};

// What an engine needs to know of the session's adapters.
void SetAdapters(const Session& session, EngineOptions* options);

// ResourceExhausted, before weights are read, if they and the cache do not fit.
Result<std::unique_ptr<Session>> OpenSession(const SessionOptions& options);

}  // namespace galen

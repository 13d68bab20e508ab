// Options that several verbs share, and a model opened under them.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "adapter_options.h"
#include "base/json.h"
#include "base/threads.h"
#include "engine/engine.h"
#include "engine/image_encoder.h"
#include "engine/score.h"
#include "engine/session.h"
#include "models/open_model.h"

namespace galen::cli {

struct ModelOptions {
  std::string model;
  std::string compute = "bf16";
  std::string activations = "bf16";
  std::string kv = "auto";
  std::string speculate = "off";
  std::string weights = "file";
  int64_t context = 0;  // 0: as much as the request needs
  int threads = 0;      // 0: all processors
  bool batch_invariant = false;
  bool json = false;
  std::string mmproj;        // image projector file of a GGUF model
  bool images = false;       // open the image part too
  bool constrained = false;  // answers are under a constraint
  AdapterCliOptions adapters;
  std::string default_system;  // system text that an Ollama model carries
};

void AddModelArgument(CLI::App& verb, ModelOptions* options);
void AddProjectorOption(CLI::App& verb, ModelOptions* options);
// Replaces the name of a model (store/resolve.h) by the paths of its files.
Status ResolveModel(ModelOptions* options);
// The path alone, for verbs that open the files themselves.
Result<std::string> PathOfModel(const std::string& argument);
ReadModelOptions ReadOptionsOf(const ModelOptions& options);
void AddComputeOptions(CLI::App& verb, ModelOptions* options);

// As many as asked, 0 for all, but no more than there are processors: workers wait for each other
// without sleeping.
int ThreadsOf(int threads);
// Compute mode and cache type; "int8" names int8 activations.
Result<Compute> ComputeOf(const ModelOptions& options);
Result<KvType> KvTypeOf(const ModelOptions& options, Compute compute);
Result<RunnerOptions> RunnerOptionsOf(const ModelOptions& options);

// Opens the model; refuses before loading if weights and `context` tokens of cache do not fit into
// memory.
// sequences: that hold `context` tokens each.
Result<std::unique_ptr<Session>> OpenSession(const ModelOptions& options, int64_t context,
                                             int64_t sequences = 1);
// The engine for one sequence of `context` tokens.
Result<std::unique_ptr<Engine>> OpenEngine(const Session& session, const ModelOptions& options,
                                           int64_t context);

double Now();  // seconds on a steady clock

}  // namespace galen::cli

// What galen bench measures, and the measurements that need no more than an engine.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "models/random_model.h"
#include "session.h"

namespace galen::cli {

struct BenchOptions : ModelOptions {
  std::string shape, type = "q4_0";
  std::string repeated_file;
  std::string image;
  int64_t prompt = 512, generate = 64, streams = 0, long_context = 0;
  int repeat = 3;
  bool train = false, train_recompute = false;
  int64_t train_rank = 16;
  double train_labelled = 1;  // share of the tokens
};

// A model, from a file or made of random numbers.
struct Subject {
  const KernelTable* kernels = nullptr;
  std::unique_ptr<ThreadPool> threads;
  LoadedModel loaded;
  RandomModel random;
  double load_seconds = 0;
  int64_t bytes_per_token = 0;  // of weights that a decoded token reads, as the formats store them
  int64_t weights_per_token = 0;  // multiply-adds of a prompt token in the layers
  int64_t head_weights = 0;       // multiply-adds of the output head

  const CausalLM& model() const { return loaded.model ? *loaded.model : *random.model; }
};

Result<std::unique_ptr<Subject>> OpenSubject(const BenchOptions& o);

// Bytes of keys and values that a token reads at the end of a context.
double KvBytesRead(const ModelConfig& config, KvType type, int64_t context);

Result<EngineOptions> BenchEngineOptions(const BenchOptions& o, int64_t context, int64_t sequences);

// Ids that differ from seed to seed, so that nothing can be remembered.
std::vector<int32_t> RandomTokens(int64_t n, int64_t vocab, uint64_t seed);

struct BenchRun {
  double prefill_seconds = 0, decode_seconds = 0;
  int64_t decoded = 0;          // tokens within decode_seconds
  std::vector<int32_t> answer;  // of the last stream to begin
  int64_t steps = 0;
  int64_t peak_bytes = 0;  // of the process
};

// Requests at once, one for each prompt; prefill ends with the first token of the last of them.
// A new engine's first run also pays for its memory, which the system hands out page by page.
Result<BenchRun> MeasureRun(Engine& engine, const std::vector<std::vector<int32_t>>& prompts,
                            int64_t generate);

// Decoding at the end of a context of o.long_context tokens: {"value", "kv_bytes", ...}.
Result<Json> MeasureLongContext(const Subject& subject, const BenchOptions& o,
                                double read_gb_per_s);

// Decoding of a text that repeats its prompt (the text of o.repeated_file, twice and a half), plain
// and with n-gram speculation: {"value": speed-up, "plain", "speculated", "identical", ...}.
Result<Json> MeasureSpeculation(const Subject& subject, const BenchOptions& o);

}  // namespace galen::cli

#include "bench_subject.h"

#include <algorithm>

#include "bench_limits.h"

namespace galen::cli {

Result<std::unique_ptr<Subject>> OpenSubject(const BenchOptions& o) {
  auto subject = std::make_unique<Subject>();
  ASSIGN_OR_RETURN(const Isa isa, ChooseIsa());
  subject->kernels = &KernelsFor(isa);
  subject->threads = std::make_unique<ThreadPool>(ThreadsOf(o.threads));
  const double begin = Now();
  if (!o.model.empty()) {
    OpenModelOptions open;
    open.kernels = subject->kernels;
    open.pool = subject->threads.get();
    ASSIGN_OR_RETURN(subject->loaded, OpenModel(o.model, open));
  } else {
    ASSIGN_OR_RETURN(subject->random,
                     MakeRandomModel(o.shape, o.type, *subject->kernels, *subject->threads));
  }
  subject->load_seconds = Now() - begin;
  CausalLM& model = subject->loaded.model ? *subject->loaded.model : *subject->random.model;
  const ModelConfig& config = model.config();
  for (const ParamSpec& spec : model.Params()) {
    if (spec.matrix == nullptr) continue;
    const WeightView& view = spec.matrix->view;
    const bool table = view.rows == config.vocab_size;
    const bool head =
        table && (config.tie_word_embeddings || spec.name.find("embed") == std::string::npos);
    if (table && !head) continue;  // a token reads one row of the embedding table
    subject->bytes_per_token += view.rows * RowBytes(view.dtype, view.cols);
    (head ? subject->head_weights : subject->weights_per_token) += view.rows * view.cols;
  }
  return subject;
}

std::vector<int32_t> RandomTokens(int64_t n, int64_t vocab, uint64_t seed) {
  std::vector<int32_t> tokens;
  for (int64_t i = 0; i < n; ++i) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    tokens.push_back(static_cast<int32_t>((seed >> 33) % std::min<int64_t>(vocab, 50000)));
  }
  return tokens;
}

double KvBytesRead(const ModelConfig& config, KvType type, int64_t context) {
  const double page =
      static_cast<double>(KvPageBytes(type, config.num_key_value_heads, config.head_dim));
  double tokens = 0;
  for (int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
    const int64_t window = config.window(layer);
    tokens += static_cast<double>(window == 0 ? context : std::min(window, context));
  }
  return page / kPageTokens * tokens;
}

Result<EngineOptions> BenchEngineOptions(const BenchOptions& o, int64_t context,
                                         int64_t sequences) {
  EngineOptions engine;
  ASSIGN_OR_RETURN(engine.runner, RunnerOptionsOf(o));
  ASSIGN_OR_RETURN(engine.kv_type, KvTypeOf(o, engine.runner.compute));
  engine.context = context;
  engine.max_sequences = sequences;
  engine.prefix_cache = false;
  return engine;
}

Result<BenchRun> MeasureRun(Engine& engine, const std::vector<std::vector<int32_t>>& prompts,
                            int64_t generate) {
  const int64_t streams = static_cast<int64_t>(prompts.size());
  const int64_t steps = engine.counters().steps;
  BenchRun run;
  int64_t begun = 0;
  double first = 0;
  std::string failure;
  for (const std::vector<int32_t>& prompt : prompts) {
    Request request;
    request.prompt = prompt;
    request.max_tokens = generate;
    request.on_token = [&, own = false,
                        last = &prompt == &prompts.back()](const TokenChoice& choice) mutable {
      if (begun == streams) ++run.decoded;
      if (!own && ++begun == streams) first = Now();
      own = true;
      if (last) run.answer.push_back(choice.token);
      return true;
    };
    request.on_finish = [&](FinishReason, const std::string& error) { failure += error; };
    ASSIGN_OR_RETURN([[maybe_unused]] const int64_t id, engine.Submit(std::move(request)));
  }
  const double begin = Now();
  while (engine.Step()) {
  }
  if (!failure.empty()) return Status(StatusCode::kIo, failure);
  run.prefill_seconds = first - begin;
  run.decode_seconds = Now() - first;
  run.steps = engine.counters().steps - steps;
  run.peak_bytes = PeakResidentBytes();
  return run;
}

}  // namespace galen::cli

// The measurements of galen bench that need more than requests to an engine.
#include <algorithm>
#include <cstring>

#include "base/files.h"
#include "bench_limits.h"
#include "bench_subject.h"

namespace galen::cli {

// Decoding at the end of a context of o.long_context tokens whose cache is written but not
// computed: the memory and speed are those of a real one.
Result<Json> MeasureLongContext(const Subject& subject, const BenchOptions& o,
                                double read_gb_per_s) {
  const ModelConfig& config = subject.model().config();
  const int64_t context = o.long_context;
  if (context > config.max_position_embeddings || context < o.generate + 2) {
    return InvalidArgument("--context " + std::to_string(context) +
                           " is outside what the model and --generate allow");
  }
  ASSIGN_OR_RETURN(const EngineOptions options, BenchEngineOptions(o, context, 1));
  std::vector<int64_t> pages;
  for (int64_t window : KvPool::GroupWindows(config)) {
    pages.push_back(KvPool::PagesPerSequence(window, context, options.runner.max_batch_tokens));
  }
  const int64_t before = ResidentBytes();
  ASSIGN_OR_RETURN(KvPool pool, KvPool::Create(config, options.kv_type, pages));
  ASSIGN_OR_RETURN(ModelRunner runner, ModelRunner::Create(subject.model(), *subject.kernels,
                                                           *subject.threads, options.runner));
  Scheduler scheduler(&pool, nullptr, {options.runner.max_batch_tokens, 1});
  auto owned = std::make_unique<Sequence>();
  Sequence* sequence = owned.get();
  const int64_t start = context - o.generate;
  sequence->tokens = RandomTokens(start, config.vocab_size, 1);
  sequence->request.prompt = {sequence->tokens[0]};
  scheduler.Add(std::move(owned));
  sequence->computed = start - 1;
  for (int g = 0; g < pool.num_groups(); ++g) {
    const int64_t window = pool.group(g).window;
    sequence->tables[g].first_page =
        window == 0 ? 0 : std::max<int64_t>(0, start - window) / kPageTokens;
  }
  std::vector<Sequence*> impossible;
  std::vector<ScheduledSpan> spans = scheduler.Schedule(&impossible);
  GALEN_CHECK(spans.size() == 1);
  for (int64_t layer = 0; layer < pool.num_layers(); ++layer) {
    for (int32_t page : sequence->tables[pool.group_of_layer(layer)].pages) {
      std::memset(pool.Address(layer, page), 0x11,
                  pool.group(pool.group_of_layer(layer)).page_bytes);
    }
  }
  const int64_t kv_bytes = ResidentBytes() - before;
  const double kv_read = KvBytesRead(config, options.kv_type, context);
  const int64_t one = 1;
  double begin = 0;
  int64_t steps = 0;
  while (static_cast<int64_t>(sequence->tokens.size()) < context) {
    const Tensor logits = runner.Run(pool, spans, std::span<const int64_t>(&one, 1), false);
    if (steps++ == 0) begin = Now();
    sequence->computed = static_cast<int64_t>(sequence->tokens.size());
    sequence->tokens.push_back(subject.kernels->argmax(logits.row(0), logits.cols()));
    spans = scheduler.Schedule(&impossible);
  }
  const double rate = static_cast<double>(steps - 1) / (Now() - begin);
  const double limit =
      read_gb_per_s * 1e9 / (static_cast<double>(subject.bytes_per_token) + kv_read);
  return Json{{"name", "decode_long_context"},
              {"value", rate},
              {"unit", "tok/s"},
              {"limit", "bandwidth"},
              {"share_of_limit", rate / limit},
              {"context", context},
              {"kv_bytes", kv_bytes},
              {"peak_bytes", PeakResidentBytes()}};
}

Result<Json> MeasureSpeculation(const Subject& subject, const BenchOptions& o) {
  if (!subject.loaded.model)
    return InvalidArgument("--repeated FILE needs a model with a tokenizer, not --shape");
  RETURN_IF_ERROR(subject.loaded.files.tokenizer_status);
  ASSIGN_OR_RETURN(const std::string text, ReadFile(o.repeated_file));
  EncodeOptions encode;
  encode.add_bos = true;
  ASSIGN_OR_RETURN(const std::vector<TokenId> prompt,
                   subject.loaded.files.tokenizer->Encode(
                       text + text + text.substr(0, text.size() / 2), encode));
  const int64_t context = static_cast<int64_t>(prompt.size()) + o.generate + 2;
  ASSIGN_OR_RETURN(EngineOptions options, BenchEngineOptions(o, context, 1));
  std::vector<double> rates[2];
  std::vector<int32_t> answers[2];
  int64_t steps = 0;
  for (int i = 0; i < o.repeat; ++i) {
    for (const bool speculate : {false, true}) {
      options.speculate = speculate ? Speculate::kNgram : Speculate::kOff;
      ASSIGN_OR_RETURN(
          const std::unique_ptr<Engine> engine,
          Engine::Create(subject.model(), *subject.kernels, *subject.threads, options));
      ASSIGN_OR_RETURN(BenchRun run,
                       MeasureRun(*engine, {{prompt.begin(), prompt.end()}}, o.generate + 1));
      rates[speculate].push_back(static_cast<double>(run.decoded) / run.decode_seconds);
      answers[speculate] = std::move(run.answer);
      steps = run.steps;
    }
  }
  const double plain = *std::max_element(rates[0].begin(), rates[0].end());
  const double speculated = *std::max_element(rates[1].begin(), rates[1].end());
  return Json{{"name", "speculation"},
              {"value", speculated / plain},
              {"unit", "x"},
              {"limit", "none"},
              {"share_of_limit", 0},
              {"plain", plain},
              {"speculated", speculated},
              {"steps", steps},
              {"identical", answers[0] == answers[1]},
              {"peak_bytes", PeakResidentBytes()}};
}

}  // namespace galen::cli

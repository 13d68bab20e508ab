// galen bench: the machine's limits, then each figure as a share of them.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <iostream>

#include "bench_limits.h"
#include "bench_tower.h"
#include "commands.h"
#include "engine/engine.h"
#include "engine/memory_plan.h"
#include "kernels/machine_limits.h"
#include "models/random_model.h"
#include "models/random_tower.h"
#include "session.h"

namespace galen::cli {
namespace {

struct BenchOptions : ModelOptions {
  std::string shape, type = "q4_0";
  int64_t prompt = 512, generate = 64, streams = 0, long_context = 0;
  int repeat = 3;
};

// What is measured, whether from a file or made of random numbers.
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

Result<std::unique_ptr<Subject>> OpenSubject(const BenchOptions& o) {
  auto subject = std::make_unique<Subject>();
  ASSIGN_OR_RETURN(const Isa isa, ChooseIsa());
  subject->kernels = &KernelsFor(isa);
  subject->threads =
      std::make_unique<ThreadPool>(o.threads > 0 ? o.threads : AvailableProcessors());
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

// Ids that differ from run to run, so that nothing can be remembered.
std::vector<int32_t> RandomTokens(int64_t n, int64_t vocab, uint64_t seed) {
  std::vector<int32_t> tokens;
  for (int64_t i = 0; i < n; ++i) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    tokens.push_back(static_cast<int32_t>((seed >> 33) % std::min<int64_t>(vocab, 50000)));
  }
  return tokens;
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// Key-value products of attention over a prompt: 2 products of head_dim for each visible (query,
// key) pair.
double AttentionFlops(const ModelConfig& config, int64_t tokens) {
  double flops = 0;
  for (int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
    const int64_t window =
        config.window(layer) == 0 ? tokens : std::min(config.window(layer), tokens);
    const double pairs =
        static_cast<double>(window) * tokens - 0.5 * static_cast<double>(window) * window;
    flops += pairs * 4 * config.num_attention_heads * config.head_dim;
  }
  return flops;
}

struct Run {
  double prefill_seconds = 0, decode_seconds = 0;
  int64_t decoded = 0;
};

Result<EngineOptions> EngineFor(const BenchOptions& o, int64_t context, int64_t sequences) {
  EngineOptions engine;
  ASSIGN_OR_RETURN(engine.runner, RunnerOptionsOf(o));
  ASSIGN_OR_RETURN(engine.kv_type, KvTypeOf(o, engine.runner.compute));
  engine.context = context;
  engine.max_sequences = sequences;
  engine.prefix_cache = false;
  return engine;
}

// `streams` requests at once; prefill ends with the first token of the last of them.
Result<Run> Measure(const Subject& subject, const BenchOptions& o, int64_t prompt, int64_t generate,
                    int64_t streams, uint64_t seed) {
  ASSIGN_OR_RETURN(const EngineOptions options, EngineFor(o, prompt + generate + 1, streams));
  ASSIGN_OR_RETURN(const std::unique_ptr<Engine> engine,
                   Engine::Create(subject.model(), *subject.kernels, *subject.threads, options));
  Run run;
  int64_t begun = 0;
  double first = 0;
  std::string failure;
  for (int64_t s = 0; s < streams; ++s) {
    Request request;
    request.prompt = RandomTokens(prompt, subject.model().config().vocab_size, seed * 977 + s);
    request.max_tokens = generate;
    request.on_token = [&, own = false](const TokenChoice&) mutable {
      if (begun == streams) ++run.decoded;
      if (!own && ++begun == streams) first = Now();
      own = true;
      return true;
    };
    request.on_finish = [&](FinishReason, const std::string& error) { failure += error; };
    ASSIGN_OR_RETURN([[maybe_unused]] const int64_t id, engine->Submit(std::move(request)));
  }
  const double begin = Now();
  while (engine->Step()) {
  }
  if (!failure.empty()) return Status(StatusCode::kIo, failure);
  run.prefill_seconds = first - begin;
  run.decode_seconds = Now() - first;
  return run;
}

// Decoding at the end of a context of o.long_context tokens whose cache is written but not
// computed: the memory and speed are those of a real one.
Result<Json> MeasureLongContext(const Subject& subject, const BenchOptions& o,
                                const Limits& limits) {
  const ModelConfig& config = subject.model().config();
  const int64_t context = o.long_context;
  if (context > config.max_position_embeddings || context < o.generate + 2) {
    return InvalidArgument("--context " + std::to_string(context) +
                           " is outside what the model and --generate allow");
  }
  ASSIGN_OR_RETURN(const EngineOptions options, EngineFor(o, context, 1));
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
  double kv_read = 0;
  for (int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
    const int64_t seen =
        config.window(layer) == 0 ? context : std::min(config.window(layer), context);
    kv_read += static_cast<double>(
                   KvPageBytes(options.kv_type, config.num_key_value_heads, config.head_dim)) *
               seen / kPageTokens;
  }
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
  const double limit = limits.read * 1e9 / (static_cast<double>(subject.bytes_per_token) + kv_read);
  return Json{{"name", "decode_long_context"},
              {"value", rate},
              {"unit", "tok/s"},
              {"limit", "bandwidth"},
              {"share_of_limit", rate / limit},
              {"context", context},
              {"kv_bytes", kv_bytes},
              {"peak_bytes", PeakResidentBytes()}};
}

Status Bench(const BenchOptions& o) {
  if (o.model.empty() && IsTowerShape(o.shape)) {
    return BenchTower({o.shape, std::max<int64_t>(o.streams, 1), o.repeat}, o);
  }
  if (o.model.empty() == o.shape.empty())
    return InvalidArgument("give a model or --shape, not both");
  Json json;
  ThreadPool limit_pool(o.threads > 0 ? o.threads : AvailableProcessors());
  ASSIGN_OR_RETURN(const Isa isa, ChooseIsa());
  Limits limits = MeasureLimits(limit_pool, isa, &json["machine"]);
  std::string pattern;
  limits.read = MeasureReadBandwidth(limit_pool, &pattern);
  ASSIGN_OR_RETURN(const std::unique_ptr<Subject> subject, OpenSubject(o));
  const ModelConfig& config = subject->model().config();
  json["results"] = Json::array();

  // The same request alone, several times; the bandwidth again between the runs, since shared
  // machines drift.
  std::vector<double> prefill, decode, shares;
  for (int i = 0; i < o.repeat; ++i) {
    limits.read = std::max(limits.read, MeasureReadBandwidth(limit_pool, &pattern));
    ASSIGN_OR_RETURN(const Run run, Measure(*subject, o, o.prompt, o.generate + 1, 1, i + 1));
    prefill.push_back(static_cast<double>(o.prompt) / run.prefill_seconds);
    decode.push_back(static_cast<double>(run.decoded) / run.decode_seconds);
  }
  const double flops = 2.0 * subject->weights_per_token * static_cast<double>(o.prompt) +
                       AttentionFlops(config, o.prompt) + 2.0 * subject->head_weights;
  const bool int8 = o.activations == "int8", fp32 = o.compute == "fp32" || limits.bf16 == 0;
  const double rate = int8 ? limits.int8 : fp32 ? limits.fp32 : limits.bf16;
  const char* rate_name = int8 ? "int8" : fp32 ? "fp32" : "bf16";
  const double prefill_limit = rate * 1e9 / flops * static_cast<double>(o.prompt);
  const double decode_limit = limits.read * 1e9 / static_cast<double>(subject->bytes_per_token);
  const auto add = [&](const char* name, double value, const char* unit, const char* limit,
                       double share) {
    json["results"].push_back({{"name", name},
                               {"value", value},
                               {"unit", unit},
                               {"limit", limit},
                               {"share_of_limit", share},
                               {"peak_bytes", PeakResidentBytes()}});
  };
  add("load", subject->load_seconds, "s", "none", 0);
  add("prefill", Median(prefill), "tok/s", rate_name, Median(prefill) / prefill_limit);
  add("decode", Median(decode), "tok/s", "bandwidth", Median(decode) / decode_limit);
  if (o.streams > 1) {
    ASSIGN_OR_RETURN(const Run run, Measure(*subject, o, 16, o.generate + 1, o.streams, 99));
    const double value = static_cast<double>(run.decoded) / run.decode_seconds;
    const double flops_limit =
        rate * 1e9 /
        (2.0 * static_cast<double>(subject->weights_per_token + subject->head_weights));
    const bool compute_bound = flops_limit < decode_limit * static_cast<double>(o.streams);
    add("decode_streams", value, "tok/s", compute_bound ? rate_name : "bandwidth",
        value / std::min(flops_limit, decode_limit * static_cast<double>(o.streams)));
  }
  if (o.long_context > 0) {
    ASSIGN_OR_RETURN(Json result, MeasureLongContext(*subject, o, limits));
    json["results"].push_back(std::move(result));
  }
  json["machine"]["isa"] = IsaName(isa);
  json["machine"]["bf16_gflops"] = limits.bf16;
  json["machine"]["fp32_gflops"] = limits.fp32;
  json["machine"]["int8_gops"] = limits.int8;
  json["machine"]["read_gb_per_s"] = limits.read;
  json["machine"]["read_pattern"] = pattern;
  json["model"] = {{"bytes_per_token", subject->bytes_per_token},
                   {"prompt", o.prompt},
                   {"generate", o.generate}};
  if (o.json) {
    std::cout << json.dump() << "\n";
    return OkStatus();
  }
  std::printf("%s: bf16 %.0f, fp32 %.0f GFLOP/s, int8 %.0f GOP/s, read %.1f GB/s\n",
              IsaName(isa).data(), limits.bf16, limits.fp32, limits.int8, limits.read);
  for (const Json& result : json["results"]) {
    std::printf("%-20s %10.2f %-6s %5.1f %% of %s\n", result["name"].get<std::string>().c_str(),
                result["value"].get<double>(), result["unit"].get<std::string>().c_str(),
                100 * result["share_of_limit"].get<double>(),
                result["limit"].get<std::string>().c_str());
  }
  std::printf("peak memory          %s\n", FormatBytes(PeakResidentBytes()).c_str());
  return OkStatus();
}

}  // namespace

void AddBench(CLI::App& app, Action* action) {
  auto o = std::make_shared<BenchOptions>();
  CLI::App* verb = app.add_subcommand("bench", "Speed as a share of this machine's own limits");
  verb->add_option("model", o->model, "A GGUF file or a Hugging Face directory");
  verb->add_option(
      "--shape", o->shape,
      "Random weights of a published shape: medgemma-4b, gemma3-270m, siglip-896, ...");
  verb->add_option("--type", o->type, "Block format of the random weights")->capture_default_str();
  verb->add_option("--prompt", o->prompt, "Tokens of the prompt")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  verb->add_option("--generate", o->generate, "Tokens of the answer")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  verb->add_option("--streams", o->streams, "Also so many requests at once")
      ->check(CLI::Range(0, 4096));
  verb->add_option("--batch", o->streams,
                   "The same as --streams; of an image tower: images at once")
      ->check(CLI::Range(0, 4096));
  verb->add_option("--context", o->long_context,
                   "Also decode at the end of a context of so many tokens");
  verb->add_option("--repeat", o->repeat, "Runs, of which the median counts")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  AddComputeOptions(*verb, o.get());
  verb->add_flag("--json", o->json, "One JSON object");
  verb->callback([o, action] { *action = [o] { return Bench(*o); }; });
}

}  // namespace galen::cli

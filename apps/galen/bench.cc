// galen bench: the machine's limits, then each figure as a share of them.
#include <algorithm>
#include <cstdio>
#include <iostream>

#include "bench_image.h"
#include "bench_limits.h"
#include "bench_subject.h"
#include "bench_tower.h"
#include "bench_train.h"
#include "commands.h"
#include "engine/memory_plan.h"
#include "kernels/machine_limits.h"
#include "models/random_tower.h"

namespace galen::cli {
namespace {

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

// The read bandwidth drifts on shared machines: it is measured between the runs, and a run is
// compared with the better of its two neighbours.
class Bandwidth {
 public:
  explicit Bandwidth(ThreadPool* pool) : pool_(pool) { AfterRun(); }
  // Bytes per second to compare with, after a run.
  double AfterRun() {
    const double before = last_;
    last_ = MeasureReadBandwidth(*pool_, &pattern_);
    best_ = std::max(best_, last_);
    ResetPeakResidentBytes();  // the measurement's own memory is none of the model's
    return 1e9 * std::max(before, last_);
  }
  double best_gb_per_s() const { return best_; }
  const std::string& pattern() const { return pattern_; }

 private:
  ThreadPool* pool_;
  std::string pattern_;
  double last_ = 0, best_ = 0;
};

class Bench {
 public:
  explicit Bench(const BenchOptions& o) : o_(o), pool_(ThreadsOf(o.threads)) {}
  Result<Json> Run();

 private:
  Status MeasureMachine();
  Status MeasureLoad();
  Status MeasureSingle(Bandwidth* bandwidth);
  Status MeasureStreams(Bandwidth* bandwidth);
  void Add(const char* name, double value, const char* unit, const char* limit, double share,
           int64_t peak_bytes) {
    json_["results"].push_back({{"name", name},
                                {"value", value},
                                {"unit", unit},
                                {"limit", limit},
                                {"share_of_limit", share},
                                {"peak_bytes", peak_bytes}});
  }
  Result<std::unique_ptr<Engine>> MakeEngine(int64_t context, int64_t streams) const {
    ASSIGN_OR_RETURN(const EngineOptions options, BenchEngineOptions(o_, context, streams));
    return Engine::Create(subject_->model(), *subject_->kernels, *subject_->threads, options);
  }
  Result<BenchRun> RandomRun(Engine& engine, int64_t prompt, int64_t generate, int64_t streams,
                             uint64_t seed) const {
    std::vector<std::vector<int32_t>> prompts;
    for (int64_t s = 0; s < streams; ++s) {
      prompts.push_back(
          RandomTokens(prompt, subject_->model().config().vocab_size, seed * 977 + s));
    }
    return MeasureRun(engine, prompts, generate);
  }
  // Bytes that a step of several sequences reads: the weights once, the keys and values of each.
  Result<double> StepBytes(int64_t streams, int64_t context) const {
    ASSIGN_OR_RETURN(const EngineOptions options, BenchEngineOptions(o_, context, streams));
    return static_cast<double>(subject_->bytes_per_token) +
           static_cast<double>(streams) *
               KvBytesRead(subject_->model().config(), options.kv_type, context);
  }
  double compute_rate() const {
    return 1e9 * (int8() ? limits_.int8 : fp32() ? limits_.fp32 : limits_.bf16);
  }
  const char* compute_name() const { return int8() ? "int8" : fp32() ? "fp32" : "bf16"; }
  bool int8() const { return o_.activations == "int8"; }
  bool fp32() const { return o_.compute == "fp32" || limits_.bf16 == 0; }

  const BenchOptions& o_;
  ThreadPool pool_;
  Limits limits_;
  std::unique_ptr<Subject> subject_;
  Json json_;
};

Status Bench::MeasureMachine() {
  ASSIGN_OR_RETURN(const Isa isa, ChooseIsa());
  limits_ = MeasureLimits(pool_, isa, &json_["machine"]);
  return OkStatus();
}

// From nothing to the first token of an answer to 8 tokens, and what is resident then.
Status Bench::MeasureLoad() {
  constexpr int64_t kPrompt = 8;
  ResetPeakResidentBytes();
  ASSIGN_OR_RETURN(subject_, OpenSubject(o_));
  Add("load", subject_->load_seconds, "s", "none", 0, PeakResidentBytes());
  const double begin = Now();
  ASSIGN_OR_RETURN(const std::unique_ptr<Engine> engine, MakeEngine(kPrompt + 2, 1));
  const double engine_seconds = Now() - begin;
  ASSIGN_OR_RETURN(const BenchRun run, RandomRun(*engine, kPrompt, 1, 1, 7));
  Add("first_token", subject_->load_seconds + engine_seconds + run.prefill_seconds, "s", "none", 0,
      run.peak_bytes);
  json_["results"].back()["resident_bytes"] = ResidentBytes();
  return OkStatus();
}

Status Bench::MeasureSingle(Bandwidth* bandwidth) {
  std::vector<double> prefill, decode, shares;
  ASSIGN_OR_RETURN(const double bytes, StepBytes(1, o_.prompt + o_.generate / 2));
  int64_t peak = 0;
  ASSIGN_OR_RETURN(const std::unique_ptr<Engine> engine,
                   MakeEngine(o_.prompt + o_.generate + 2, 1));
  for (int i = 0; i < o_.repeat; ++i) {
    ASSIGN_OR_RETURN(const BenchRun run, RandomRun(*engine, o_.prompt, o_.generate + 1, 1, i + 1));
    prefill.push_back(static_cast<double>(o_.prompt) / run.prefill_seconds);
    decode.push_back(static_cast<double>(run.decoded) / run.decode_seconds);
    peak = std::max(peak, run.peak_bytes);
    shares.push_back(decode.back() * bytes / bandwidth->AfterRun());
  }
  RETURN_IF_ERROR(MeasureMachine());
  const double prompt = static_cast<double>(o_.prompt);
  const double flops = 2.0 * static_cast<double>(subject_->weights_per_token) * prompt +
                       AttentionFlops(subject_->model().config(), o_.prompt) +
                       2.0 * static_cast<double>(subject_->head_weights);
  Add("prefill", Median(prefill), "tok/s", compute_name(),
      Median(prefill) / (compute_rate() / flops * prompt), peak);
  Add("decode", Median(decode), "tok/s", "bandwidth", Median(shares), peak);
  return OkStatus();
}

Status Bench::MeasureStreams(Bandwidth* bandwidth) {
  const double flops =
      2.0 * static_cast<double>(subject_->weights_per_token + subject_->head_weights);
  std::vector<double> values, shares;
  ASSIGN_OR_RETURN(const double bytes, StepBytes(o_.streams, 16 + o_.generate / 2));
  bool compute_bound = false;
  int64_t peak = 0;
  ASSIGN_OR_RETURN(const std::unique_ptr<Engine> engine,
                   MakeEngine(16 + o_.generate + 2, o_.streams));
  for (int i = 0; i < o_.repeat; ++i) {
    ASSIGN_OR_RETURN(const BenchRun run,
                     RandomRun(*engine, 16, o_.generate + 1, o_.streams, 99 + i));
    peak = std::max(peak, run.peak_bytes);
    values.push_back(static_cast<double>(run.decoded) / run.decode_seconds);
    const double read_limit = bandwidth->AfterRun() / bytes * static_cast<double>(o_.streams);
    compute_bound = compute_rate() / flops < read_limit;
    shares.push_back(values.back() / std::min(compute_rate() / flops, read_limit));
  }
  Add("decode_streams", Median(values), "tok/s", compute_bound ? compute_name() : "bandwidth",
      Median(shares), peak);
  return OkStatus();
}

Result<Json> Bench::Run() {
  json_["results"] = Json::array();
  RETURN_IF_ERROR(MeasureMachine());
  RETURN_IF_ERROR(MeasureLoad());
  Bandwidth bandwidth(&pool_);
  RETURN_IF_ERROR(MeasureSingle(&bandwidth));
  if (o_.streams > 1) RETURN_IF_ERROR(MeasureStreams(&bandwidth));
  if (!o_.repeated_file.empty()) {
    ASSIGN_OR_RETURN(Json result, MeasureSpeculation(*subject_, o_));
    json_["results"].push_back(std::move(result));
  }
  if (o_.long_context > 0) {
    ASSIGN_OR_RETURN(Json result, MeasureLongContext(*subject_, o_, bandwidth.best_gb_per_s()));
    json_["results"].push_back(std::move(result));
  }
  json_["machine"]["read_gb_per_s"] = bandwidth.best_gb_per_s();
  json_["machine"]["read_pattern"] = bandwidth.pattern();
  json_["model"] = {{"bytes_per_token", subject_->bytes_per_token},
                    {"prompt", o_.prompt},
                    {"generate", o_.generate}};
  return json_;
}

Status CheckUsage(const BenchOptions& o) {
  if (o.model.empty() == o.shape.empty())
    return InvalidArgument(o.model.empty() ? "name a model, or a --shape of random weights"
                                           : "give a model or --shape, not both");
  if (!o.image.empty() && o.model.empty())
    return InvalidArgument("--image needs a model with a tokenizer, not --shape");
  if (o.train && (IsTowerShape(o.shape) || !o.image.empty() || o.activations != "bf16"))
    return InvalidArgument("--train wants a text model, and computes in bf16 or fp32");
  return ComputeOf(o).status();
}

Status RunBench(BenchOptions o) {
  if (!o.model.empty()) RETURN_IF_ERROR(ResolveModel(&o));
  ASSIGN_OR_RETURN(const Json json, o.train                 ? MeasureTrainStep(o)
                                    : IsTowerShape(o.shape) ? MeasureTower(o)
                                    : o.image.empty()       ? Bench(o).Run()
                                                            : MeasureImageQuestion(o));
  if (o.json) {
    std::cout << json.dump() << "\n";
    return OkStatus();
  }
  const Json& machine = json["machine"];
  std::printf("%s: bf16 %.0f, fp32 %.0f GFLOP/s, int8 %.0f GOP/s",
              machine["isa"].get<std::string>().c_str(), machine["bf16_gflops"].get<double>(),
              machine["fp32_gflops"].get<double>(), machine["int8_gops"].get<double>());
  if (machine.contains("read_gb_per_s")) {
    std::printf(", read %.1f GB/s", machine["read_gb_per_s"].get<double>());
  }
  std::printf("\n");
  for (const Json& result : json["results"]) {
    std::printf("%-20s %10.2f %-6s", result["name"].get<std::string>().c_str(),
                result["value"].get<double>(), result["unit"].get<std::string>().c_str());
    const std::string limit = result["limit"].get<std::string>();
    if (limit != "none")
      std::printf(" %5.1f %% of %s", 100 * result["share_of_limit"].get<double>(), limit.c_str());
    if (result.contains("text_tokens_per_s"))
      std::printf(" beside text %.2f", result["text_tokens_per_s"].get<double>());
    if (result.contains("times_faster"))
      std::printf(" %.0f times faster", result["times_faster"].get<double>());
    std::printf("\n");
  }
  std::printf("peak memory          %s\n", FormatBytes(PeakResidentBytes()).c_str());
  return OkStatus();
}

}  // namespace

void AddBench(CLI::App& app, Action* action) {
  auto o = std::make_shared<BenchOptions>();
  CLI::App* verb = app.add_subcommand("bench", "Speed as a share of this machine's own limits");
  verb->add_option("model", o->model,
                   "A GGUF file, a Hugging Face directory, or a name of galen list");
  verb->add_option(
      "--shape", o->shape,
      "Random weights of a published shape: medgemma-4b, gemma3-270m, smollm2-135m, ...; or of an "
      "image tower: siglip-896, medsiglip-448, qwen2_5-vl-7b");
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
  verb->add_option("--repeated", o->repeated_file,
                   "Also speculate on the text of this file, which the prompt holds twice");
  verb->add_option("--image", o->image,
                   "Instead: a question about this image, new and asked again (model with images)");
  AddProjectorOption(*verb, o.get());
  verb->add_option("--repeat", o->repeat, "Runs, of which the median counts")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  verb->add_flag("--train", o->train,
                 "A training step of adapters on all linear layers over --prompt tokens, instead");
  verb->add_option("--rank", o->train_rank, "Of --train: rank of the adapters")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  verb->add_option("--labelled", o->train_labelled,
                   "Of --train: share of the tokens that count in the loss")
      ->check(CLI::Range(0.01, 1.0))
      ->capture_default_str();
  verb->add_flag("--recompute", o->train_recompute, "Of --train: layers are computed again");
  AddComputeOptions(*verb, o.get());
  verb->add_flag("--json", o->json, "One JSON object");
  verb->callback([o, action] {
    RequireUsage(CheckUsage(*o));
    *action = [o] { return RunBench(*o); };
  });
}

}  // namespace galen::cli

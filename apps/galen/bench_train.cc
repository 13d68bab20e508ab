#include "bench_train.h"

#include <algorithm>

#include "bench_limits.h"
#include "train/adamw.h"
#include "train/adapter_set.h"
#include "train/step_runner.h"
#include "train/train_flops.h"
#include "train/train_memory.h"

namespace galen::cli {
namespace {

// One sequence; of the tokens behind the first, the last ones are labelled.
FlatBatch RandomBatch(const BenchOptions& o, int64_t vocab_size, uint64_t seed) {
  EncodedChat chat;
  chat.tokens = RandomTokens(o.prompt, vocab_size, seed);
  chat.labels = chat.tokens;
  const auto context =
      static_cast<int64_t>(static_cast<double>(o.prompt) * (1.0 - o.train_labelled));
  std::fill_n(chat.labels.begin(), context, -100);
  FlatBatch batch;
  batch.Add(chat);
  return batch;
}

}  // namespace

Result<Json> MeasureTrainStep(const BenchOptions& o) {
  Json json;
  json["results"] = Json::array();
  ASSIGN_OR_RETURN(const Isa isa, ChooseIsa());
  ThreadPool limits_pool(o.threads > 0 ? o.threads : AvailableProcessors());
  Limits limits = MeasureLimits(limits_pool, isa, &json["machine"]);
  ResetPeakResidentBytes();
  ASSIGN_OR_RETURN(const std::unique_ptr<Subject> subject, OpenSubject(o));
  CausalLM& model = subject->loaded.model ? *subject->loaded.model : *subject->random.model;
  LoraOptions lora;
  lora.r = o.train_rank;
  lora.lora_alpha = static_cast<double>(o.train_rank);
  AdapterSet adapters;
  const WholeParams whole;
  RETURN_IF_ERROR(adapters.Choose(
      lora, model, nullptr, [](const ParamSpec& spec) { return spec.name; }, whole));
  RETURN_IF_ERROR(adapters.Attach(*subject->kernels, *subject->threads, 1));
  ASSIGN_OR_RETURN(AdamW adam, AdamW::Create(adapters.params(), {}));
  StepRunnerOptions options;
  options.kernels = subject->kernels;
  options.pool = subject->threads.get();
  options.compute = o.compute == "fp32" ? Compute::kFp32 : Compute::kBf16;
  options.recompute = o.train_recompute;
  const ModelConfig& config = model.config();
  FlatBatch batch = RandomBatch(o, config.vocab_size, 1);
  StepShape shape;
  shape.tokens = o.prompt;
  shape.labels = static_cast<int64_t>(batch.targets.size());
  shape.sequences = 1;
  shape.adapter_floats = adapters.floats_per_token_and_layer();
  shape.recompute = o.train_recompute;
  const int64_t arena =
      TrainArena(config, *subject->kernels, subject->threads->size(), shape).total();
  ASSIGN_OR_RETURN(StepRunner runner, StepRunner::Create(model, options, arena));
  std::vector<double> seconds;
  // The first step also pays for its memory, which the system hands out page by page.
  for (int i = 0; i <= o.repeat; ++i) {
    batch = RandomBatch(o, config.vocab_size, static_cast<uint64_t>(i) + 1);
    const double begin = Now();
    runner.Loss(batch, static_cast<double>(batch.targets.size()), true);
    const double norm = GradientNorm(adapters.params(), *subject->threads);
    adam.Step(*subject->threads, i + 1, 1e-4, static_cast<float>(std::min(1.0, 1.0 / norm)));
    if (i > 0) seconds.push_back(Now() - begin);
  }
  const int64_t peak = PeakResidentBytes();
  limits = MeasureLimits(limits_pool, isa, &json["machine"]);
  const bool fp32 = o.compute == "fp32" || limits.bf16 == 0;
  const double flops = StepFlops(config, batch), median = Median(seconds);
  json["results"].push_back(
      {{"name", "train_step"},
       {"value", median},
       {"unit", "s"},
       {"limit", fp32 ? "fp32" : "bf16"},
       {"share_of_limit", flops / median / (1e9 * (fp32 ? limits.fp32 : limits.bf16))},
       {"peak_bytes", peak},
       {"needed_flops", flops},
       {"labels", batch.targets.size()},
       {"planned_activation_bytes", arena},
       {"activation_bytes", runner.arena_high_water()}});
  json["model"] = {{"prompt", o.prompt}, {"rank", o.train_rank}};
  return json;
}

}  // namespace galen::cli

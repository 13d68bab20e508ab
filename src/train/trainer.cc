#include "train/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>

#include "base/files.h"
#include "base/json.h"
#include "base/memory.h"
#include "data/shuffle.h"
#include "train/adamw.h"
#include "train/atomic_directory.h"
#include "train/checkpoint_files.h"
#include "train/made_data.h"
#include "train/random_init.h"
#include "train/run_data.h"
#include "train/run_identity.h"
#include "train/run_log.h"
#include "train/schedule.h"
#include "train/step_runner.h"
#include "train/train_flops.h"
#include "train/train_model.h"

namespace galen {
namespace {

double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

constexpr uint64_t kEvalKey = 0x6576616c;  // of places of parts of pages: the same each time

Compute ComputeOf(const TrainOptions& o) {
  return o.compute == "fp32" ? Compute::kFp32 : Compute::kBf16;
}

class Run {
 public:
  Run(const TrainOptions& options, const RunMode& mode, const TrainEvents& events)
      : o_(options), mode_(mode), events_(events) {}
  Result<TrainSummary> Go();

 private:
  bool dry() const { return mode_.dry_run > 0; }
  uint64_t StepKey(int64_t step) const {
    return Mix64(static_cast<uint64_t>(o_.seed) ^ Mix64(static_cast<uint64_t>(step)));
  }
  bool Stopped() const { return events_.stop != nullptr && events_.stop->load(); }
  void Note(const std::string& text) const {
    if (events_.note != nullptr) events_.note(text);
  }

  Status ReadData();
  void ReportData() const;
  TrainModelOptions ModelSetup();
  Status PlanMemory(const ModelConfig& config, const TrainMemory& memory,
                    const std::vector<TrainParam>& params, const AdapterFloats& floats);
  Result<TrainMemory> PlanFor(const TrainOptions& options);
  Status Fit();
  int64_t Available() const;
  Status OpenModelAndOptimiser();
  Status Admit(const ModelConfig& config, const TrainMemory& memory,
               const std::vector<TrainParam>& params, const AdapterFloats& floats);
  Status CheckBegun() const;
  Status Resume();
  void PlanSteps();

  Status Loop();
  // Gathers gradients of step `step` (from 0).
  Result<StepReport> Step(int64_t step);
  Status BadLoss(int64_t step, const FlatBatch& batch, const std::vector<int64_t>& examples,
                 double loss);
  Status BadGradient(int64_t step) const;
  // *stop: early stopping says that this was the last step.
  Status Evaluate(int64_t step, bool* stop);
  Status Save(int64_t step);
  std::vector<StateTensor> StateTensors();

  TrainOptions o_;
  const RunMode& mode_;
  const TrainEvents& events_;
  const KernelTable* kernels_ = nullptr;
  std::unique_ptr<ThreadPool> pool_;
  ModelFiles files_;
  std::unique_ptr<RunData> data_;
  MadeData made_;  // of a dry run
  bool train_tower_ = false;
  std::unique_ptr<TrainModel> model_;
  std::optional<StepRunner> runner_;
  AdamW optimiser_;
  TrainMemory memory_;
  int64_t arena_bytes_ = 0;
  int64_t steps_per_epoch_ = 0, total_steps_ = 0, warmup_ = 0;
  TrainerState state_;
  int64_t saved_step_ = -1;
  RunLog log_;
  TrainSummary summary_;
};

Status Run::ReadData() {
  if (dry()) {
    ASSIGN_OR_RETURN(made_, MadeData::Create(files_, o_, train_tower_));
    return OkStatus();
  }
  ASSIGN_OR_RETURN(data_, RunData::Open(files_, o_, *pool_, events_.reading));
  return OkStatus();
}

void Run::ReportData() const {
  if (dry() || events_.data == nullptr) return;
  const DataPart* eval = data_->eval();
  events_.data(data_->train().data.report(), eval == nullptr ? nullptr : &eval->data.report());
}

// The largest batch that can come decides what activations need.
Status Run::PlanMemory(const ModelConfig& config, const TrainMemory& memory,
                       const std::vector<TrainParam>& params, const AdapterFloats& floats) {
  StepShape shape;
  shape.recompute = o_.gradient_checkpointing;
  shape.adapter_floats = floats.per_token;
  shape.tower_adapter_floats = floats.per_patch;
  if (dry()) {
    made_.AddLargest(&shape);
  } else {
    data_->AddLargest(&shape);
  }
  memory_ = memory;
  memory_.optimiser = AdamW::StateBytes(params, o_.optim == "adamw_8bit");
  arena_bytes_ = TrainArenaBytes(config, *kernels_, pool_->size(), shape);
  if (train_tower_ && shape.patches > 0) {
    arena_bytes_ += TowerTrainArenaBytes(files_.vision, *kernels_, pool_->size(), shape);
  }
  memory_.activations = arena_bytes_;
  // Vectors or pixels of a batch's images, beside the arena.
  if (shape.views > 0) memory_.activations += shape.tokens * config.hidden_size * 4;
  return OkStatus();
}

int64_t Run::Available() const {
  return o_.memory_limit_gb > 0 ? static_cast<int64_t>(o_.memory_limit_gb * 1e9)
                                : AvailableMemory();
}

// What a run with other options would need, as the plan before the start says it.
Result<TrainMemory> Run::PlanFor(const TrainOptions& options) {
  const bool other_data =
      options.max_seq_length != o_.max_seq_length || options.image_tokens != o_.image_tokens;
  o_ = options;
  if (dry() || other_data) {
    RETURN_IF_ERROR(ReadData());
  } else {
    data_->PlanBatches();
  }
  bool planned = false;
  TrainModelOptions setup = ModelSetup();
  setup.admit = [&](const ModelConfig& config, const TrainMemory& memory,
                    const std::vector<TrainParam>& params, const AdapterFloats& floats) {
    RETURN_IF_ERROR(PlanMemory(config, memory, params, floats));
    planned = true;
    return Cancelled("this is a plan only");
  };
  const Status status = OpenTrainModel(setup).status();
  if (!planned) return status;
  return memory_;
}

Status Run::Fit() {
  const int64_t held = ProcessBytes();
  FitSetup setup;
  setup.bytes = mode_.fit_bytes - held;
  if (setup.bytes <= 0) {
    return ResourceExhausted("--fit: the program with tokenizer and data holds " +
                             FormatBytes(held) + " already");
  }
  const bool images = dry() ? train_tower_ : data_->has_images();
  if (images) setup.image_tokens = files_.vision.tokens_per_image;
  setup.plan = [this](const TrainOptions& options) { return PlanFor(options); };
  ASSIGN_OR_RETURN(const FitResult fit, FitOptions(o_, setup));
  // The last plan that was tried need not be the one that was chosen.
  RETURN_IF_ERROR(PlanFor(fit.options).status());
  for (const FitStep& step : fit.steps) {
    if (events_.fitted != nullptr) events_.fitted(step);
  }
  const double limit = static_cast<double>(setup.bytes) * 1e-9;
  if (o_.memory_limit_gb == 0 || o_.memory_limit_gb > limit) o_.memory_limit_gb = limit;
  return CheckTrainMemory(fit.memory, AvailableMemory());
}

Status Run::Admit(const ModelConfig& config, const TrainMemory& memory,
                  const std::vector<TrainParam>& params, const AdapterFloats& floats) {
  RETURN_IF_ERROR(PlanMemory(config, memory, params, floats));
  if (events_.planned != nullptr) events_.planned(memory_);
  const int64_t available = Available();
  RETURN_IF_ERROR(CheckTrainMemory(memory_, available));
  if (train_tower_ || dry()) return OkStatus();
  // Before other memory is taken.
  std::string note;
  RETURN_IF_ERROR(data_->Freeze(*kernels_, ComputeOf(o_), available, events_.seeing, &note));
  if (!note.empty()) Note(note);
  return OkStatus();
}

TrainModelOptions Run::ModelSetup() {
  TrainModelOptions setup;
  setup.options = &o_;
  setup.tower = train_tower_;
  setup.kernels = kernels_;
  setup.pool = pool_.get();
  return setup;
}

Status Run::OpenModelAndOptimiser() {
  TrainModelOptions setup = ModelSetup();
  setup.admit = [this](const ModelConfig& config, const TrainMemory& memory,
                       const std::vector<TrainParam>& params, const AdapterFloats& floats) {
    return Admit(config, memory, params, floats);
  };
  ASSIGN_OR_RETURN(model_, OpenTrainModel(setup));
  AdamWOptions adam;
  adam.beta1 = o_.adam_beta1;
  adam.beta2 = o_.adam_beta2;
  adam.epsilon = o_.adam_epsilon;
  adam.weight_decay = o_.weight_decay;
  adam.eight_bit = o_.optim == "adamw_8bit";
  ASSIGN_OR_RETURN(optimiser_, AdamW::Create(model_->params(), adam));
  StepRunnerOptions runner;
  runner.kernels = kernels_;
  runner.pool = pool_.get();
  runner.compute = ComputeOf(o_);
  runner.recompute = o_.gradient_checkpointing;
  runner.tower = model_->tower();
  runner.processor = files_.image_processor.get();
  runner.head = &model_->head();
  ASSIGN_OR_RETURN(runner_, StepRunner::Create(model_->model(), runner, arena_bytes_));
  return OkStatus();
}

void Run::PlanSteps() {
  if (dry()) {
    total_steps_ = steps_per_epoch_ = mode_.dry_run;
    return;
  }
  const int64_t accumulated = o_.gradient_accumulation_steps;
  steps_per_epoch_ = (data_->train().plan.batches_per_round() + accumulated - 1) / accumulated;
  total_steps_ = o_.max_steps > 0
                     ? o_.max_steps
                     : static_cast<int64_t>(
                           std::ceil(o_.num_train_epochs * static_cast<double>(steps_per_epoch_)));
  warmup_ =
      o_.warmup_steps > 0
          ? o_.warmup_steps
          : static_cast<int64_t>(std::ceil(o_.warmup_ratio * static_cast<double>(total_steps_)));
}

std::vector<StateTensor> Run::StateTensors() {
  std::vector<StateTensor> tensors;
  for (const TrainParam& p : model_->params()) {
    tensors.push_back({"param." + p.name, DType::kF32, p.shape, reinterpret_cast<uint8_t*>(p.value),
                       p.size() * 4});
  }
  for (StateTensor& t : optimiser_.State()) tensors.push_back(std::move(t));
  return tensors;
}

// A run that is there is not begun anew.
Status Run::CheckBegun() const {
  const int64_t last = LastCheckpoint(o_.output_dir);
  if (last < 0 || mode_.resume) return OkStatus();
  return InvalidArgument(o_.output_dir + " holds a run already (checkpoint-" +
                         std::to_string(last) +
                         "): continue it with --resume, or choose another output_dir");
}

Status Run::Resume() {
  state_.identity = RunIdentity(o_, data_->train().data.report(), total_steps_);
  if (!mode_.resume) return OkStatus();
  const int64_t last = LastCheckpoint(o_.output_dir);
  if (last < 0) {
    Note("no checkpoint in " + o_.output_dir + ": the run begins anew");
    return OkStatus();
  }
  ASSIGN_OR_RETURN(TrainerState state, LoadCheckpoint(o_.output_dir, last, StateTensors()));
  RETURN_IF_ERROR(CheckIdentity(state.identity, state_.identity));
  state_ = std::move(state);
  saved_step_ = summary_.resumed_from = last;
  summary_.best_eval_loss = state_.best_eval_loss;
  return OkStatus();
}

Status Run::BadLoss(int64_t step, const FlatBatch& batch, const std::vector<int64_t>& examples,
                    double loss) {
  std::string where = runner_->FirstBadActivation(batch);
  for (const TrainParam& p : model_->params()) {
    if (std::all_of(p.value, p.value + p.size(), [](float v) { return std::isfinite(v); }))
      continue;
    where += (where.empty() ? "" : "; first trained parameter: ") + p.name;
    break;
  }
  return DataLoss(
      "step " + std::to_string(step + 1) + ": the loss is " + std::to_string(loss) + " (examples " +
      (examples.empty() ? "made data" : data_->NameExamples(examples)) +
      "); first tensor that is not finite: " + (where.empty() ? "the loss itself" : where) +
      ". Checkpoints saved before are intact; lower learning_rate, or look at the base");
}

Status Run::BadGradient(int64_t step) const {
  for (const TrainParam& p : model_->params()) {
    if (std::all_of(p.grad, p.grad + p.size(), [](float v) { return std::isfinite(v); })) continue;
    return DataLoss("step " + std::to_string(step + 1) + ": the gradient of " + p.name +
                    " is not finite. Checkpoints saved before are intact; lower learning_rate or "
                    "max_grad_norm");
  }
  return DataLoss("step " + std::to_string(step + 1) + ": the norm of the gradients overflows");
}

Result<StepReport> Run::Step(int64_t step) {
  const double begin = Now();
  StepReport report;
  std::vector<FlatBatch> batches;
  std::vector<std::vector<int64_t>> examples;
  if (dry()) {
    batches.push_back(made_.Batch(step));
    examples.emplace_back();
  } else {
    const DataPart& part = data_->train();
    const int64_t round = step / steps_per_epoch_, place = step % steps_per_epoch_;
    const int64_t first = place * o_.gradient_accumulation_steps;
    const int64_t last =
        std::min(first + o_.gradient_accumulation_steps, part.plan.batches_per_round());
    for (int64_t b = first; b < last; ++b) {
      examples.push_back(part.plan.Examples(round, b));
      ASSIGN_OR_RETURN(FlatBatch batch,
                       data_->Gather(part.data, examples.back(), train_tower_, StepKey(step)));
      batches.push_back(std::move(batch));
    }
  }
  StepWork work;
  work.full = !o_.lora.enabled;
  if (train_tower_) work.tower = &files_.vision;
  for (const FlatBatch& batch : batches) {
    report.tokens += static_cast<int64_t>(batch.tokens.size());
    report.labels += static_cast<int64_t>(batch.targets.size());
    report.flops += StepFlops(model_->model().config(), batch, work);
  }
  for (size_t i = 0; i < batches.size(); ++i) {
    // Of the seed, the step and the part alone: a resumed run drops what a whole one does.
    const uint64_t key = Mix64(StepKey(step) + i) | 1;
    const double loss = runner_->Loss(batches[i], static_cast<double>(report.labels), true, key);
    if (!std::isfinite(loss)) return BadLoss(step, batches[i], examples[i], loss);
    report.loss += loss;
  }
  report.grad_norm = GradientNorm(model_->params(), *pool_);
  if (!std::isfinite(report.grad_norm)) return BadGradient(step);
  report.learning_rate =
      o_.learning_rate * ScheduleFactor(o_.lr_scheduler_type, step, warmup_, total_steps_);
  // As torch.nn.utils.clip_grad_norm_.
  const double clip =
      o_.max_grad_norm > 0 ? std::min(1.0, o_.max_grad_norm / (report.grad_norm + 1e-6)) : 1.0;
  optimiser_.Step(*pool_, step + 1, report.learning_rate, static_cast<float>(clip));
  report.step = step + 1;
  report.total_steps = total_steps_;
  report.epoch = static_cast<double>(step + 1) / static_cast<double>(steps_per_epoch_);
  report.seconds = Now() - begin;
  return report;
}

Status Run::Evaluate(int64_t step, bool* stop) {
  *stop = false;
  const DataPart* part = dry() ? nullptr : data_->eval();
  if (part == nullptr) return OkStatus();
  EvalReport report;
  report.step = step;
  double sum = 0;
  int64_t exact = 0;
  for (int64_t b = 0; b < part->plan.batches_per_round(); ++b) {
    ASSIGN_OR_RETURN(const FlatBatch batch,
                     data_->Gather(part->data, part->plan.Examples(0, b), train_tower_, kEvalKey));
    sum += runner_->Evaluate(batch, &exact);
    report.examples += static_cast<int64_t>(batch.spans.size());
    report.labels += static_cast<int64_t>(batch.targets.size());
    if (Stopped()) return OkStatus();
  }
  report.loss = sum / static_cast<double>(report.labels);
  report.exact = static_cast<double>(exact) / static_cast<double>(report.examples);
  report.best = state_.best_eval_loss == 0 || report.loss < state_.best_eval_loss;
  if (report.best) {
    state_.best_eval_loss = report.loss;
    state_.evaluations_without_gain = 0;
  } else {
    ++state_.evaluations_without_gain;
  }
  summary_.best_eval_loss = state_.best_eval_loss;
  RETURN_IF_ERROR(log_.Evaluated(report));
  if (events_.evaluated != nullptr) events_.evaluated(report);
  *stop = o_.early_stopping_patience > 0 &&
          state_.evaluations_without_gain >= o_.early_stopping_patience;
  return OkStatus();
}

Status Run::Save(int64_t step) {
  if (saved_step_ == step) return OkStatus();
  state_.step = step;
  RETURN_IF_ERROR(SaveCheckpoint(o_.output_dir, state_, StateTensors()));
  saved_step_ = step;
  RemoveOldCheckpoints(o_.output_dir, o_.save_total_limit);
  if (events_.saved != nullptr) {
    events_.saved(o_.output_dir + "/checkpoint-" + std::to_string(step));
  }
  return OkStatus();
}

Status Run::Loop() {
  double since_log = 0;  // losses of the steps that the log has not told yet
  int64_t steps_since_log = 0;
  for (int64_t step = state_.step; step < total_steps_; ++step) {
    ASSIGN_OR_RETURN(const StepReport report, Step(step));
    summary_.steps = step + 1;
    summary_.loss = report.loss;
    if (events_.step != nullptr) events_.step(report);
    if (dry()) continue;
    const int64_t done = step + 1;
    since_log += report.loss;
    ++steps_since_log;
    if (done % o_.logging_steps == 0 || done == total_steps_) {
      StepReport logged = report;
      logged.loss = since_log / static_cast<double>(steps_since_log);
      RETURN_IF_ERROR(log_.Stepped(logged));
      since_log = 0;
      steps_since_log = 0;
    }
    const auto due = [&](int64_t every) {
      return done == total_steps_ || done % (every > 0 ? every : steps_per_epoch_) == 0;
    };
    bool enough = false;
    if (due(o_.eval_steps) && !Stopped()) RETURN_IF_ERROR(Evaluate(done, &enough));
    if (due(o_.save_steps) || enough || Stopped()) RETURN_IF_ERROR(Save(done));
    if (enough) {
      summary_.stopped_early = true;
      return OkStatus();
    }
    if (Stopped() && done < total_steps_) {
      return Cancelled("stopped after step " + std::to_string(done) + " of " +
                       std::to_string(total_steps_) + "; continue with --resume");
    }
  }
  return OkStatus();
}

Result<TrainSummary> Run::Go() {
  RETURN_IF_ERROR(CheckTrainOptions(o_));
  ASSIGN_OR_RETURN(const Isa isa, ChooseIsa());
  kernels_ = &KernelsFor(isa);
  pool_ = std::make_unique<ThreadPool>(o_.threads > 0 ? static_cast<int>(o_.threads)
                                                      : AvailableProcessors());
  DirectoryLock lock;
  if (!dry() || o_.init == "random") {
    RETURN_IF_ERROR(MakeDirectories(o_.output_dir));
    ASSIGN_OR_RETURN(lock, DirectoryLock::Take(o_.output_dir));
    RETURN_IF_ERROR(CheckBegun());
  }
  RETURN_IF_ERROR(MakeInitialModel(mode_.resume, &o_));
  ASSIGN_OR_RETURN(files_, ReadModel(o_.model));
  if (o_.max_seq_length > files_.config.max_position_embeddings) {
    return InvalidArgument("max_seq_length is " + std::to_string(o_.max_seq_length) +
                           ", the model's positions end at " +
                           std::to_string(files_.config.max_position_embeddings));
  }
  train_tower_ = !o_.freeze_vision_tower;
  if (train_tower_) RETURN_IF_ERROR(files_.vision_status);
  RETURN_IF_ERROR(ReadData());
  if (mode_.fit_bytes > 0) RETURN_IF_ERROR(Fit());
  ReportData();
  PlanSteps();
  RETURN_IF_ERROR(OpenModelAndOptimiser());
  if (dry()) {
    RETURN_IF_ERROR(Loop());
    return summary_;
  }
  RemoveOldCheckpoints(o_.output_dir, o_.save_total_limit);
  RETURN_IF_ERROR(Resume());
  ASSIGN_OR_RETURN(log_, RunLog::Open(o_, state_.step));
  summary_.steps = state_.step;
  RETURN_IF_ERROR(Loop());
  summary_.result = o_.output_dir + "/" + model_->kind();
  RETURN_IF_ERROR(model_->Export(summary_.result));
  return summary_;
}

}  // namespace

Status MakeInitialModel(bool keep, TrainOptions* options) {
  if (options->init != "random") return OkStatus();
  const std::string directory = options->output_dir + "/init";
  // Before the first checkpoint the folder may have come from other files.
  const bool begun = LastCheckpoint(options->output_dir) >= 0;
  if (!keep || !begun || !FileExists(directory + "/model.safetensors")) {
    RETURN_IF_ERROR(MakeDirectories(options->output_dir));
    RETURN_IF_ERROR(
        WriteRandomModel(options->model, static_cast<uint64_t>(options->seed), directory));
  }
  options->model = directory;
  return OkStatus();
}

Result<TrainSummary> Train(const TrainOptions& options, const RunMode& mode,
                           const TrainEvents& events) {
  return Run(options, mode, events).Go();
}

}  // namespace galen

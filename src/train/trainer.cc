#include "train/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <utility>

#include "base/files.h"
#include "base/json.h"
#include "base/memory.h"
#include "data/shuffle.h"
#include "train/adamw.h"
#include "train/atomic_directory.h"
#include "train/checkpoint_files.h"
#include "train/random_init.h"
#include "train/run_identity.h"
#include "train/run_log.h"
#include "train/schedule.h"
#include "train/train_task.h"

namespace galen {
namespace {

double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
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

  void ReportData() const;
  void SetMemory(const TrainMemory& memory, const std::vector<TrainParam>& params);
  Result<TrainMemory> PlanFor(const TrainOptions& options);
  Status Fit();
  int64_t Available() const;
  Status OpenModelAndOptimiser();
  Status Admit(const TrainMemory& memory, const std::vector<TrainParam>& params);
  Status CheckBegun() const;
  Status Resume();
  void PlanSteps();

  Status Loop();
  // Gathers gradients of step `step` (from 0).
  Result<StepReport> Step(int64_t step);
  Status BadLoss(int64_t step, const TaskBatch& batch, double loss);
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
  std::unique_ptr<TrainTask> task_;
  AdamW optimiser_;
  TrainMemory memory_;
  int64_t steps_per_epoch_ = 0, total_steps_ = 0, warmup_ = 0;
  TrainerState state_;
  int64_t saved_step_ = -1;
  RunLog log_;
  TrainSummary summary_;
};

void Run::ReportData() const {
  if (!dry() && events_.data != nullptr) events_.data(task_->train_report(), task_->eval_report());
}

void Run::SetMemory(const TrainMemory& memory, const std::vector<TrainParam>& params) {
  memory_ = memory;
  memory_.optimiser = AdamW::StateBytes(params, o_.optim == "adamw_8bit");
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
  RETURN_IF_ERROR(other_data ? task_->ReadData(events_.reading) : task_->PlanBatches());
  bool planned = false;
  const Status status =
      task_->Open([&](const TrainMemory& memory, const std::vector<TrainParam>& params) {
        SetMemory(memory, params);
        planned = true;
        return Cancelled("this is a plan only");
      });
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
  setup.image_tokens = task_->image_tokens();
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

Status Run::Admit(const TrainMemory& memory, const std::vector<TrainParam>& params) {
  SetMemory(memory, params);
  if (events_.planned != nullptr) events_.planned(memory_);
  const int64_t available = Available();
  RETURN_IF_ERROR(CheckTrainMemory(memory_, available));
  // Before other memory is taken.
  std::string note;
  RETURN_IF_ERROR(task_->Freeze(available, events_.seeing, &note));
  if (!note.empty()) Note(note);
  return OkStatus();
}

Status Run::OpenModelAndOptimiser() {
  RETURN_IF_ERROR(
      task_->Open([this](const TrainMemory& memory, const std::vector<TrainParam>& params) {
        return Admit(memory, params);
      }));
  AdamWOptions adam;
  adam.beta1 = o_.adam_beta1;
  adam.beta2 = o_.adam_beta2;
  adam.epsilon = o_.adam_epsilon;
  adam.weight_decay = o_.weight_decay;
  adam.eight_bit = o_.optim == "adamw_8bit";
  ASSIGN_OR_RETURN(optimiser_, AdamW::Create(task_->model().params(), adam));
  return OkStatus();
}

void Run::PlanSteps() {
  if (dry()) {
    steps_per_epoch_ = 1;
    total_steps_ = mode_.dry_run;
    return;
  }
  const int64_t accumulated = o_.gradient_accumulation_steps;
  steps_per_epoch_ = (task_->batches_per_round() + accumulated - 1) / accumulated;
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
  for (const TrainParam& p : task_->model().params()) {
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
  state_.identity = RunIdentity(o_, task_->train_report(), total_steps_);
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

Status Run::BadLoss(int64_t step, const TaskBatch& batch, double loss) {
  std::string where = task_->FirstBadActivation(batch);
  for (const TrainParam& p : task_->model().params()) {
    if (std::all_of(p.value, p.value + p.size(), [](float v) { return std::isfinite(v); }))
      continue;
    where += (where.empty() ? "" : "; first trained parameter: ") + p.name;
    break;
  }
  return DataLoss(
      "step " + std::to_string(step + 1) + ": the loss is " + std::to_string(loss) + " (examples " +
      (batch.examples.empty() ? "made data" : task_->NameExamples(batch.examples)) +
      "); first tensor that is not finite: " + (where.empty() ? "the loss itself" : where) +
      ". Checkpoints saved before are intact; lower learning_rate, or look at the base");
}

Status Run::BadGradient(int64_t step) const {
  for (const TrainParam& p : task_->model().params()) {
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
  const int64_t round = step / steps_per_epoch_, place = step % steps_per_epoch_;
  const int64_t per_step = dry() ? 1 : o_.gradient_accumulation_steps;
  const int64_t first = place * per_step;
  const int64_t last = std::min(first + per_step, task_->batches_per_round());
  std::vector<std::unique_ptr<TaskBatch>> batches;
  for (int64_t b = first; b < last; ++b) {
    ASSIGN_OR_RETURN(std::unique_ptr<TaskBatch> batch, task_->Gather(round, b, StepKey(step)));
    report.tokens += batch->tokens;
    report.labels += batch->labels;
    report.flops += batch->flops;
    batches.push_back(std::move(batch));
  }
  report.unit = task_->unit();
  for (size_t i = 0; i < batches.size(); ++i) {
    // Of the seed, the step and the part alone: a resumed run drops what a whole one does.
    const uint64_t key = Mix64(StepKey(step) + i) | 1;
    const double loss = task_->Loss(*batches[i], static_cast<double>(report.labels), key);
    if (!std::isfinite(loss)) return BadLoss(step, *batches[i], loss);
    report.loss += loss;
  }
  report.grad_norm = GradientNorm(task_->model().params(), *pool_);
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
  if (dry() || task_->eval_report() == nullptr) return OkStatus();
  EvalReport report;
  report.step = step;
  const Status status = task_->Evaluate([this] { return Stopped(); }, &report);
  if (status.code() == StatusCode::kCancelled && Stopped()) return OkStatus();
  RETURN_IF_ERROR(status);
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
  TaskSetup setup;
  setup.options = &o_;
  setup.dry_run = mode_.dry_run;
  setup.kernels = kernels_;
  setup.pool = pool_.get();
  ASSIGN_OR_RETURN(task_, MakeTrainTask(setup));
  RETURN_IF_ERROR(task_->ReadData(events_.reading));
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
  summary_.result = o_.output_dir + "/" + task_->model().kind();
  RETURN_IF_ERROR(task_->Export(summary_.result));
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

#include "train/language_task.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "models/dual_encoder/open_dual_encoder.h"
#include "train/language_model.h"
#include "train/made_data.h"
#include "train/run_data.h"
#include "train/step_runner.h"
#include "train/train_flops.h"

namespace galen {
namespace {

struct LanguageBatch final : TaskBatch {
  FlatBatch flat;
};

const FlatBatch& FlatOf(const TaskBatch& batch) {
  return static_cast<const LanguageBatch&>(batch).flat;
}

class LanguageTask final : public TrainTask {
 public:
  explicit LanguageTask(const TaskSetup& setup) : s_(setup), o_(*setup.options) {}
  Status Prepare();

  Status ReadData(const ReadProgress& progress) override;
  Status PlanBatches() override;
  const DataReport& train_report() const override { return data_->train().data.report(); }
  const DataReport* eval_report() const override {
    return data_->eval() == nullptr ? nullptr : &data_->eval()->data.report();
  }
  int64_t batches_per_round() const override {
    return dry() ? 1 : data_->train().plan.batches_per_round();
  }
  int64_t image_tokens() const override {
    return dry() ? made_.image_tokens() : data_->image_tokens();
  }
  const char* unit() const override { return "tok"; }

  Status Open(const Admit& admit) override;
  Status Freeze(int64_t available, const ReadProgress& progress, std::string* note) override;
  const TrainModel& model() const override { return *model_; }

  Result<std::unique_ptr<TaskBatch>> Gather(int64_t round, int64_t batch, uint64_t key) override;
  double Loss(const TaskBatch& batch, double divisor, uint64_t key) override {
    return runner_->Loss(FlatOf(batch), divisor, true, key);
  }
  std::string FirstBadActivation(const TaskBatch& batch) override {
    return runner_->FirstBadActivation(FlatOf(batch));
  }
  std::string NameExamples(const std::vector<int64_t>& examples) const override {
    return data_->NameExamples(examples);
  }
  Status Evaluate(const std::function<bool()>& stopped, EvalReport* report) override;

 private:
  bool dry() const { return s_.dry_run > 0; }
  TrainMemory PlanMemory(const ModelConfig& config, TrainMemory memory,
                         const AdapterFloats& floats);

  const TaskSetup s_;
  const TrainOptions& o_;
  ModelFiles files_;
  std::unique_ptr<RunData> data_;
  MadeData made_;  // of a dry run
  bool train_tower_ = false;
  std::unique_ptr<LanguageModel> model_;
  std::optional<StepRunner> runner_;
  int64_t arena_bytes_ = 0;
};

Status LanguageTask::Prepare() {
  if (IsDualEncoderPath(o_.model)) {
    return InvalidArgument(o_.model +
                           " embeds images and texts: set task: classification (a head on its "
                           "images) or task: contrastive (pairs of images and texts)");
  }
  ASSIGN_OR_RETURN(files_, ReadModel(o_.model));
  if (o_.max_seq_length > files_.config.max_position_embeddings) {
    return InvalidArgument("max_seq_length is " + std::to_string(o_.max_seq_length) +
                           ", the model's positions end at " +
                           std::to_string(files_.config.max_position_embeddings));
  }
  train_tower_ = !o_.freeze_vision_tower;
  RETURN_IF_ERROR(TrainImages::CheckOptions(files_, o_));
  return train_tower_ ? files_.vision_status : OkStatus();
}

Status LanguageTask::ReadData(const ReadProgress& progress) {
  if (dry()) return PlanBatches();
  ASSIGN_OR_RETURN(data_, RunData::Open(files_, o_, *s_.pool, progress));
  return OkStatus();
}

Status LanguageTask::PlanBatches() {
  if (!dry()) {
    data_->PlanBatches();
    return OkStatus();
  }
  ASSIGN_OR_RETURN(made_, MadeData::Create(files_, o_, train_tower_));
  return OkStatus();
}

// The largest batch that can come decides what activations need.
TrainMemory LanguageTask::PlanMemory(const ModelConfig& config, TrainMemory memory,
                                     const AdapterFloats& floats) {
  StepShape shape;
  shape.recompute = o_.gradient_checkpointing;
  shape.adapter_floats = floats.per_token;
  shape.tower_adapter_floats = floats.per_patch;
  if (dry()) {
    made_.AddLargest(&shape);
  } else {
    data_->AddLargest(&shape);
  }
  ArenaPlan arena = TrainArena(config, *s_.kernels, s_.pool->size(), shape);
  if (train_tower_ && shape.patches > 0) {
    VisionConfig vision = files_.vision;
    // The run's own limit may be above the model's.
    if (vision.any_shape()) vision.max_pixels = std::max(vision.max_pixels, o_.max_pixels);
    arena = Together(arena, TowerTrainArena(vision, *s_.kernels, s_.pool->size(), shape));
  }
  arena_bytes_ = arena.total();
  memory.activations = arena_bytes_;
  // Vectors or pixels of a batch's images, beside the arena.
  if (shape.views > 0) memory.activations += shape.tokens * config.hidden_size * 4;
  return memory;
}

Status LanguageTask::Open(const Admit& admit) {
  LanguageModelSetup setup;
  setup.options = &o_;
  setup.tower = train_tower_;
  setup.kernels = s_.kernels;
  setup.pool = s_.pool;
  setup.admit = [&](const ModelConfig& config, const TrainMemory& memory,
                    const std::vector<TrainParam>& params, const AdapterFloats& floats) {
    return admit(PlanMemory(config, memory, floats), params);
  };
  ASSIGN_OR_RETURN(model_, OpenLanguageModel(setup));
  StepRunnerOptions runner;
  runner.kernels = s_.kernels;
  runner.pool = s_.pool;
  runner.compute = s_.compute();
  runner.recompute = o_.gradient_checkpointing;
  runner.tower = model_->tower();
  runner.processor = files_.image_processor.get();
  runner.head = &model_->head();
  ASSIGN_OR_RETURN(runner_, StepRunner::Create(model_->model(), runner, arena_bytes_));
  return OkStatus();
}

Status LanguageTask::Freeze(int64_t available, const ReadProgress& progress, std::string* note) {
  if (train_tower_ || dry()) return OkStatus();
  return data_->Freeze(*s_.kernels, s_.compute(), available, progress, note);
}

Result<std::unique_ptr<TaskBatch>> LanguageTask::Gather(int64_t round, int64_t batch,
                                                        uint64_t key) {
  auto result = std::make_unique<LanguageBatch>();
  if (dry()) {
    result->flat = made_.Batch(round);
  } else {
    const DataPart& part = data_->train();
    result->examples = part.plan.Examples(round, batch);
    ASSIGN_OR_RETURN(result->flat, data_->Gather(part.data, result->examples, train_tower_, key));
  }
  StepWork work;
  work.full = !o_.lora.enabled;
  if (train_tower_) work.tower = &files_.vision;
  result->tokens = static_cast<int64_t>(result->flat.tokens.size());
  result->labels = static_cast<int64_t>(result->flat.targets.size());
  result->flops = StepFlops(model_->model().config(), result->flat, work);
  return std::unique_ptr<TaskBatch>(std::move(result));
}

Status LanguageTask::Evaluate(const std::function<bool()>& stopped, EvalReport* report) {
  const DataPart& part = *data_->eval();
  double sum = 0;
  int64_t exact = 0;
  for (int64_t b = 0; b < part.plan.batches_per_round(); ++b) {
    ASSIGN_OR_RETURN(const FlatBatch batch,
                     data_->Gather(part.data, part.plan.Examples(0, b), train_tower_, kEvalKey));
    sum += runner_->Evaluate(batch, &exact);
    report->examples += static_cast<int64_t>(batch.spans.size());
    report->labels += static_cast<int64_t>(batch.targets.size());
    if (stopped()) return Cancelled("stopped while it was evaluated");
  }
  report->loss = sum / static_cast<double>(report->labels);
  report->exact = static_cast<double>(exact) / static_cast<double>(report->examples);
  return OkStatus();
}

}  // namespace

Result<std::unique_ptr<TrainTask>> MakeLanguageTask(const TaskSetup& setup) {
  auto task = std::make_unique<LanguageTask>(setup);
  RETURN_IF_ERROR(task->Prepare());
  return std::unique_ptr<TrainTask>(std::move(task));
}

}  // namespace galen

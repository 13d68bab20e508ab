#include "train/image_text/image_text_task.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "base/memory.h"
#include "ops/binary_loss.h"
#include "train/collator.h"
#include "train/image_text/class_scores.h"
#include "train/image_text/image_embeddings.h"
#include "train/image_text/image_text_inputs.h"
#include "train/image_text/image_text_model.h"
#include "train/image_text/image_text_runner.h"
#include "train/image_text/made_pairs.h"

namespace galen {
namespace {

const ImageTextBatch& PairsOf(const TaskBatch& batch) {
  return static_cast<const ImageTextBatch&>(batch);
}

class ImageTextTask final : public TrainTask {
 public:
  explicit ImageTextTask(const TaskSetup& setup) : s_(setup), o_(*setup.options) {}
  Status Prepare() { return inputs_.Open(o_); }

  Status ReadData(const ReadProgress& progress) override;
  Status PlanBatches() override;
  const DataReport& train_report() const override { return train_->data.report(); }
  const DataReport* eval_report() const override {
    return eval_.has_value() ? &eval_->data.report() : nullptr;
  }
  int64_t batches_per_round() const override {
    return dry() ? 1 : train_->plan.batches_per_round();
  }
  const char* unit() const override { return "img"; }

  Status Open(const Admit& admit) override;
  Status Freeze(int64_t available, const ReadProgress& progress, std::string* note) override;
  const TrainModel& model() const override { return *model_; }

  Result<std::unique_ptr<TaskBatch>> Gather(int64_t round, int64_t batch, uint64_t key) override;
  double Loss(const TaskBatch& batch, double divisor, uint64_t key) override;
  std::string FirstBadActivation(const TaskBatch& batch) override {
    return runner_->FirstBadActivation(PairsOf(batch));
  }
  std::string NameExamples(const std::vector<int64_t>& examples) const override {
    return NameSome(examples, [this](int64_t i) { return train_->data.Name(i); });
  }
  Status Evaluate(const std::function<bool()>& stopped, EvalReport* report) override;
  Status Export(const std::string& directory) override;

 private:
  struct Part {
    ImageTextData data;
    BatchPlan plan;
  };
  bool dry() const { return s_.dry_run > 0; }
  TrainPass Pass() const { return {s_.kernels, s_.pool, s_.compute(), o_.gradient_checkpointing}; }
  // Images of the largest batch.
  int64_t LargestBatch() const;
  Status WeighPositives(const std::vector<ClassCount>& counts);
  Status MakeRunner(int64_t arena_bytes);
  Result<std::unique_ptr<ImageTextBatch>> GatherExamples(const ImageTextData& data,
                                                         std::vector<int64_t> examples) const;
  Status FillExample(const ImageTextData& data, int64_t example, size_t at,
                     ImageTextBatch* batch) const;
  void ScoreClasses(const std::vector<float>& logits, const std::vector<int8_t>& targets,
                    EvalReport* report);

  const TaskSetup s_;
  const TrainOptions& o_;
  ImageTextInputs inputs_;
  ImageTextPlan& plan_ = inputs_.plan;
  std::vector<float> positive_weights_;
  std::optional<Part> train_, eval_;
  std::unique_ptr<ImageTextModel> model_;
  std::optional<ImageTextRunner> runner_;
  VectorFile vectors_;  // of a frozen tower: row i is of image i
  // The weights have not changed since the thresholds were chosen.
  bool scored_ = false;
};

Status ImageTextTask::ReadData(const ReadProgress& progress) {
  if (plan_.head) {
    RETURN_IF_ERROR(dry() ? ChooseMadeClasses(o_, &plan_) : ChooseClasses(o_, &plan_));
  }
  if (dry()) {
    return plan_.head ? WeighPositives(std::vector<ClassCount>(plan_.classes.size())) : OkStatus();
  }
  const auto open = [&](const std::vector<std::string>& paths, bool shuffle,
                        std::optional<Part>* part) -> Status {
    ASSIGN_OR_RETURN(ImageTextData data, inputs_.Read(paths, o_, *s_.pool, progress));
    BatchPlan plan(data.examples(), o_, shuffle);
    part->emplace(Part{std::move(data), std::move(plan)});
    return OkStatus();
  };
  RETURN_IF_ERROR(open(o_.train_file, true, &train_));
  if (!o_.eval_file.empty()) RETURN_IF_ERROR(open(o_.eval_file, false, &eval_));
  return plan_.head ? WeighPositives(train_->data.report().classes) : OkStatus();
}

Status ImageTextTask::WeighPositives(const std::vector<ClassCount>& counts) {
  ASSIGN_OR_RETURN(positive_weights_, PositiveWeights(o_, counts));
  return OkStatus();
}

Status ImageTextTask::PlanBatches() {
  if (dry()) return OkStatus();
  train_->plan = BatchPlan(train_->data.examples(), o_, true);
  if (eval_.has_value()) eval_->plan = BatchPlan(eval_->data.examples(), o_, false);
  return OkStatus();
}

int64_t ImageTextTask::LargestBatch() const {
  if (dry()) return o_.per_device_train_batch_size;
  return std::max(train_->plan.max_examples(),
                  eval_.has_value() ? eval_->plan.max_examples() : int64_t{0});
}

Status ImageTextTask::Open(const Admit& admit) {
  int64_t arena_bytes = 0;
  ImageTextModelSetup setup;
  setup.plan = &plan_;
  setup.seed = static_cast<uint64_t>(o_.seed);
  setup.compute = s_.compute();
  setup.kernels = s_.kernels;
  setup.pool = s_.pool;
  setup.admit = [&](const DualEncoder& network, const TrainMemory& memory,
                    const std::vector<TrainParam>& params) {
    const int64_t images = LargestBatch();
    arena_bytes = ImageTextArenaBytes(network, Pass(), plan_.last_layers, images);
    TrainMemory with = memory;
    const int64_t side = plan_.files.config.vision->image_size;
    with.activations = arena_bytes + (plan_.frozen_images ? 0 : images * side * side * 3);
    return admit(with, params);
  };
  ASSIGN_OR_RETURN(model_, ImageTextModel::Open(setup));
  return MakeRunner(arena_bytes);
}

Status ImageTextTask::MakeRunner(int64_t arena_bytes) {
  ImageTextRunnerOptions options;
  static_cast<TrainPass&>(options) = Pass();
  options.preparer = &*inputs_.preparer;
  options.positive_weights = positive_weights_;
  ASSIGN_OR_RETURN(runner_, ImageTextRunner::Create(model_->network(), options, arena_bytes));
  return OkStatus();
}

Status ImageTextTask::Freeze(int64_t available, const ReadProgress& progress, std::string* note) {
  if (!plan_.frozen_images || dry()) return OkStatus();
  ImageEmbeddingsSetup setup;
  setup.model = o_.model;
  setup.kind = plan_.head ? ImageVector::kMean : ImageVector::kEmbedding;
  setup.preparer = &*inputs_.preparer;
  setup.images = &inputs_.images.paths();
  setup.path = o_.output_dir + "/image_vectors.bin";
  setup.compute = s_.compute();
  setup.available = available;
  setup.kernels = s_.kernels;
  setup.pool = s_.pool;
  setup.progress = progress;
  int64_t made = 0;
  ASSIGN_OR_RETURN(vectors_, MakeImageEmbeddings(setup, &made));
  const auto images = static_cast<int64_t>(inputs_.images.paths().size());
  *note = "image vectors: " + std::to_string(images) + " images, " +
          FormatBytes(vectors_.BytesOf(images)) + " in " + setup.path +
          (made == 0 ? ", made before" : "");
  return OkStatus();
}

// Example `example` as image number `at` of the batch. Any thread, each another `at`.
Status ImageTextTask::FillExample(const ImageTextData& data, int64_t example, size_t at,
                                  ImageTextBatch* batch) const {
  if (plan_.frozen_images) {
    const auto cols = static_cast<size_t>(vectors_.cols());
    RETURN_IF_ERROR(vectors_.Read(static_cast<int64_t>(data.image(example)), 1,
                                  batch->vectors.data() + at * cols));
  } else {
    ASSIGN_OR_RETURN(batch->images[at], data.Fitted(example));
  }
  if (plan_.head) {
    const std::span<const int8_t> targets = data.targets(example);
    std::copy(targets.begin(), targets.end(), batch->targets.begin() + at * targets.size());
    return OkStatus();
  }
  ASSIGN_OR_RETURN(const std::vector<int32_t> ids, data.Ids(example));
  std::copy(ids.begin(), ids.end(), batch->ids.begin() + at * ids.size());
  return OkStatus();
}

Result<std::unique_ptr<ImageTextBatch>> ImageTextTask::GatherExamples(
    const ImageTextData& data, std::vector<int64_t> examples) const {
  auto batch = std::make_unique<ImageTextBatch>();
  const size_t n = examples.size();
  batch->size = batch->tokens = static_cast<int64_t>(n);
  if (plan_.frozen_images) {
    batch->vectors.resize(n * static_cast<size_t>(vectors_.cols()));
  } else {
    batch->images.resize(n);
  }
  batch->targets.assign(n * (plan_.head ? plan_.classes.size() : n), 0);
  if (!plan_.head) {
    batch->ids.resize(n * static_cast<size_t>(plan_.files.config.text->max_position_embeddings));
    for (size_t i = 0; i < n; ++i) batch->targets[i * n + i] = 1;
  }
  std::vector<Status> filled(n);
  WorkQueue queue(batch->size, 1);
  s_.pool->Run([&](int) {
    for (int64_t i, end; queue.Next(&i, &end);) {
      const auto at = static_cast<size_t>(i);
      filled[at] = FillExample(data, examples[at], at, batch.get());
    }
  });
  for (const Status& status : filled) RETURN_IF_ERROR(status);
  // Of pairs, images: each is compared with all texts.
  batch->labels = plan_.head ? std::count_if(batch->targets.begin(), batch->targets.end(),
                                             [](int8_t t) { return t != kMaskedTarget; })
                             : batch->size;
  batch->flops = ImageTextFlops(model_->network().config(), plan_.last_layers, batch->size);
  batch->examples = std::move(examples);
  return batch;
}

Result<std::unique_ptr<TaskBatch>> ImageTextTask::Gather(int64_t round, int64_t batch, uint64_t) {
  if (dry()) {
    std::unique_ptr<ImageTextBatch> made = MakePairs(plan_, o_.per_device_train_batch_size, round);
    made->flops = ImageTextFlops(model_->network().config(), plan_.last_layers, made->size);
    return std::unique_ptr<TaskBatch>(std::move(made));
  }
  ASSIGN_OR_RETURN(std::unique_ptr<ImageTextBatch> pairs,
                   GatherExamples(train_->data, train_->plan.Examples(round, batch)));
  return std::unique_ptr<TaskBatch>(std::move(pairs));
}

double ImageTextTask::Loss(const TaskBatch& batch, double divisor, uint64_t) {
  scored_ = false;
  return runner_->Loss(PairsOf(batch), divisor);
}

// logits and targets [images, classes].
void ImageTextTask::ScoreClasses(const std::vector<float>& logits,
                                 const std::vector<int8_t>& targets, EvalReport* report) {
  const size_t classes = plan_.classes.size(), images = targets.size() / classes;
  std::vector<std::optional<double>> thresholds;
  std::vector<float> own(images);
  std::vector<int8_t> labels(images);
  for (size_t c = 0; c < classes; ++c) {
    for (size_t i = 0; i < images; ++i) {
      own[i] = logits[i * classes + c];
      labels[i] = targets[i * classes + c];
    }
    report->classes.push_back({plan_.classes[c], Auroc(own, labels)});
    if (o_.thresholds != "none") {
      thresholds.push_back(ChooseThreshold(own, labels, o_.thresholds));
    }
  }
  model_->set_thresholds(std::move(thresholds));
  scored_ = true;
}

Status ImageTextTask::Evaluate(const std::function<bool()>& stopped, EvalReport* report) {
  const Part& part = *eval_;
  double sum = 0;
  int64_t right = 0;
  std::vector<float> logits, all_logits;
  std::vector<int8_t> targets;
  for (int64_t b = 0; b < part.plan.batches_per_round(); ++b) {
    ASSIGN_OR_RETURN(const std::unique_ptr<ImageTextBatch> batch,
                     GatherExamples(part.data, part.plan.Examples(0, b)));
    sum += runner_->Evaluate(*batch, &logits);
    report->examples += batch->size;
    report->labels += batch->labels;
    if (plan_.head) {
      all_logits.insert(all_logits.end(), logits.begin(), logits.end());
      targets.insert(targets.end(), batch->targets.begin(), batch->targets.end());
    } else {
      const auto n = static_cast<size_t>(batch->size);
      for (size_t i = 0; i < n; ++i) {
        const auto row = logits.begin() + static_cast<std::ptrdiff_t>(i * n);
        right += *std::max_element(row, row + static_cast<std::ptrdiff_t>(n)) <= logits[i * n + i];
      }
    }
    if (stopped()) return Cancelled("stopped while it was evaluated");
  }
  report->loss = sum / static_cast<double>(report->labels);
  const auto finite = [](float x) { return std::isfinite(x); };
  if (!std::isfinite(sum) || !std::all_of(all_logits.begin(), all_logits.end(), finite)) {
    return DataLoss("step " + std::to_string(report->step) +
                    ": the evaluation's loss or a score is not finite; what was saved before stays");
  }
  if (plan_.head) {
    ScoreClasses(all_logits, targets, report);
  } else {
    report->exact = static_cast<double>(right) / static_cast<double>(report->examples);
  }
  return OkStatus();
}

Status ImageTextTask::Export(const std::string& directory) {
  if (plan_.head && eval_.has_value() && !scored_) {  // a run that had ended before
    EvalReport report;
    RETURN_IF_ERROR(Evaluate([] { return false; }, &report));
  }
  return model_->Export(directory);
}

}  // namespace

Result<std::unique_ptr<TrainTask>> MakeImageTextTask(const TaskSetup& setup) {
  auto task = std::make_unique<ImageTextTask>(setup);
  RETURN_IF_ERROR(task->Prepare());
  return std::unique_ptr<TrainTask>(std::move(task));
}

}  // namespace galen

// What a run learns: from which data, by which model and which loss. The run's life (steps,
// schedule, clipping, checkpoints, logs) is train/trainer.h's and the same for all tasks.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/threads.h"
#include "kernels/kernel_table.h"
#include "train/data_report.h"
#include "train/options.h"
#include "train/read_lines.h"
#include "train/reports.h"
#include "train/train_memory.h"
#include "train/train_model.h"

namespace galen {

// Everything must outlive the task. The options may change (--fit) before Open.
struct TaskSetup {
  const TrainOptions* options = nullptr;
  int64_t dry_run = 0;  // > 0: so many steps on made data; no file of examples is read
  const KernelTable* kernels = nullptr;
  ThreadPool* pool = nullptr;

  Compute compute() const { return options->compute == "fp32" ? Compute::kFp32 : Compute::kBf16; }
};

// One forward pass.
struct TaskBatch {
  virtual ~TaskBatch() = default;
  std::vector<int64_t> examples;  // empty: made data
  int64_t tokens = 0;             // or images: what a step's speed is counted in
  int64_t labels = 0;             // what the step's loss is the mean over
  double flops = 0;               // as StepReport
};

// The key of an evaluation, in place of a step's.
inline constexpr uint64_t kEvalKey = 0x6576616c;

class TrainTask {
 public:
  virtual ~TrainTask() = default;

  // Reads and checks the examples; again after options have changed. With a dry run makes some up.
  virtual Status ReadData(const ReadProgress& progress) = 0;
  // Has the options' batches changed: plans them anew.
  virtual Status PlanBatches() = 0;
  // Not with a dry run. Null: there is no evaluation.
  virtual const DataReport& train_report() const = 0;
  virtual const DataReport* eval_report() const = 0;
  // Forward passes of a round; the same in every round. 1 in a dry run.
  virtual int64_t batches_per_round() const = 0;
  // FitSetup::image_tokens.
  virtual int64_t image_tokens() const { return 0; }
  virtual const char* unit() const = 0;  // of TaskBatch::tokens: "tok", "img"

  // memory: all but the optimiser's, with the arena of the largest batch.
  using Admit =
      std::function<Status(const TrainMemory& memory, const std::vector<TrainParam>& params)>;
  // Plans, asks (an error ends it and is passed on), then loads the model.
  virtual Status Open(const Admit& admit) = 0;
  // Between the plan and the loading: what a frozen part makes of the data, once. available: bytes
  // of memory. note: what to tell people, or empty.
  virtual Status Freeze(int64_t available, const ReadProgress& progress, std::string* note) = 0;
  // After Open, until the task ends.
  virtual const TrainModel& model() const = 0;

  // Training batch `batch` of round `round`. key: of what changes from step to step.
  virtual Result<std::unique_ptr<TaskBatch>> Gather(int64_t round, int64_t batch, uint64_t key) = 0;
  // The batch's share of the mean loss: the sum over its labels divided by `divisor`. Adds to the
  // gradients. key: of dropout.
  virtual double Loss(const TaskBatch& batch, double divisor, uint64_t key) = 0;
  // The first activation of a forward pass that is not finite; empty: all are.
  virtual std::string FirstBadActivation(const TaskBatch& batch) = 0;
  // "FILE:LINE, FILE:LINE and 3 more" of training examples.
  virtual std::string NameExamples(const std::vector<int64_t>& examples) const = 0;
  // Fills in all but step and best. Cancelled: stopped() became true.
  virtual Status Evaluate(const std::function<bool()>& stopped, EvalReport* report) = 0;

  // Writes the result.
  virtual Status Export(const std::string& directory) { return model().Export(directory); }
};

// The task that setup.options names.
Result<std::unique_ptr<TrainTask>> MakeTrainTask(const TaskSetup& setup);

}  // namespace galen

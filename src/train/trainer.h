// A training run from its options to its result.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

#include "base/status.h"
#include "train/data_report.h"
#include "train/fit_plan.h"
#include "train/options.h"
#include "train/reports.h"
#include "train/train_memory.h"

namespace galen {

// All may be empty. Called on the thread that trains.
struct TrainEvents {
  std::function<bool(int64_t done, int64_t of)> reading;  // the data; false: stop
  std::function<bool(int64_t done, int64_t of)> seeing;   // images by a frozen tower; false: stop
  std::function<void(const DataReport& train, const DataReport* eval)> data;
  std::function<void(const FitStep& step)> fitted;  // an option was changed to save memory
  std::function<void(const TrainMemory& memory)> planned;
  std::function<void(const std::string& text)> note;
  std::function<void(const StepReport& report)> step;
  std::function<void(const EvalReport& report)> evaluated;
  std::function<void(const std::string& path)> saved;
  // Set from anywhere (a signal handler, another thread): the run saves after the step at hand and
  // ends.
  const std::atomic<bool>* stop = nullptr;
};

struct TrainSummary {
  int64_t steps = 0;         // done in all, those before a resumption included
  int64_t resumed_from = 0;  // 0: began anew
  double loss = 0;           // of the last step
  double best_eval_loss = 0;
  bool stopped_early = false;
  std::string result;  // the folder of the adapter or model
};

// With init: random, writes output_dir/init and makes it the model; keep: unless a run that has
// checkpoints began with it.
Status MakeInitialModel(bool keep, TrainOptions* options);

struct RunMode {
  bool resume = false;
  // > 0: that many steps on made data of max_seq_length tokens; nothing is written (with init:
  // random output_dir/init).
  int64_t dry_run = 0;
  // > 0: options are changed until the run needs no more bytes than that (train/fit_plan.h).
  int64_t fit_bytes = 0;
};

// Errors beside those of files and options: DataLoss where a loss or gradient is not finite (it
// names the step, the examples and the first bad tensor), Cancelled where the run was stopped (a
// checkpoint was saved), InvalidArgument where a resumed run has other options or data.
Result<TrainSummary> Train(const TrainOptions& options, const RunMode& mode,
                           const TrainEvents& events);

}  // namespace galen

// What a run writes down as it goes: OUTPUT/train_log.jsonl and TensorBoard's event files.
#pragma once

#include <optional>
#include <string>

#include "base/status.h"
#include "train/event_file.h"
#include "train/options.h"
#include "train/trainer.h"

namespace galen {

class RunLog {
 public:
  RunLog() = default;
  // Lines of steps behind first_step, which a killed run wrote after its last checkpoint, are
  // dropped.
  static Result<RunLog> Open(const TrainOptions& options, int64_t first_step);

  Status Stepped(const StepReport& report);
  Status Evaluated(const EvalReport& report);

 private:
  Status Append(const std::string& line);
  std::string path_;
  std::optional<EventFile> events_;
};

}  // namespace galen

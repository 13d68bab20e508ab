#include "train/run_log.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <sstream>
#include <utility>
#include <vector>

#include "base/files.h"
#include "base/json.h"

namespace galen {

Result<RunLog> RunLog::Open(const TrainOptions& options, int64_t first_step) {
  RunLog log;
  log.path_ = options.output_dir + "/train_log.jsonl";
  std::string kept;
  if (FileExists(log.path_) && first_step > 0) {
    ASSIGN_OR_RETURN(const std::string text, ReadFile(log.path_, size_t{1} << 30));
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      const Result<Json> json = ParseJson(line);
      if (json.ok() && json->is_object() && json->value("step", int64_t{0}) <= first_step) {
        kept += line + "\n";
      }
    }
  }
  RETURN_IF_ERROR(WriteFileAtomically(log.path_, kept));
  if (options.report_to_tensorboard) {
    ASSIGN_OR_RETURN(log.events_, EventFile::Create(options.output_dir + "/runs"));
  }
  return log;
}

Status RunLog::Append(const std::string& line) {
  std::FILE* file = std::fopen(path_.c_str(), "ab");
  const bool written = file != nullptr && std::fputs((line + "\n").c_str(), file) >= 0;
  if (file == nullptr || std::fclose(file) != 0 || !written) {
    return IoError("cannot write " + path_ + ": " + std::strerror(errno));
  }
  return OkStatus();
}

Status RunLog::Stepped(const StepReport& r) {
  const Json json = {{"step", r.step},       {"epoch", r.epoch},
                     {"loss", r.loss},       {"grad_norm", r.grad_norm},
                     {"tokens", r.tokens},   {"labels", r.labels},
                     {"seconds", r.seconds}, {"learning_rate", r.learning_rate}};
  RETURN_IF_ERROR(Append(json.dump()));
  if (!events_.has_value()) return OkStatus();
  return events_->Add(
      r.step, {{"train/loss", r.loss},
               {"train/grad_norm", r.grad_norm},
               {"train/learning_rate", r.learning_rate},
               {std::string("train/") + (r.unit == std::string("tok") ? "tokens" : "images") +
                    "_per_second",
                static_cast<double>(r.tokens) / std::max(r.seconds, 1e-9)}});
}

Status RunLog::Evaluated(const EvalReport& r) {
  RETURN_IF_ERROR(Append(r.ToJson().dump()));
  if (!events_.has_value()) return OkStatus();
  std::vector<std::pair<std::string, double>> scalars = {{"eval/loss", r.loss}};
  if (r.exact.has_value()) scalars.emplace_back("eval/exact", *r.exact);
  if (const auto mean = r.mean_auroc(); mean.has_value()) {
    scalars.emplace_back("eval/mean_auroc", *mean);
  }
  return events_->Add(r.step, scalars);
}

}  // namespace galen

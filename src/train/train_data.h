// The examples of a run: checked and measured once before it begins, encoded again where one is
// needed.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "data/json_lines.h"
#include "train/example_encoder.h"
#include "train/options.h"

namespace galen {

struct ExampleInfo {
  int64_t line = 0;  // of the data
  int32_t tokens = 0;
  int32_t labels = 0;  // tokens that count in the loss
};

// What became of the lines.
struct DataReport {
  int64_t lines = 0;
  int64_t used = 0;
  int64_t bad = 0;        // left out: broken, without an answer, refused by the template
  int64_t too_long = 0;   // left out
  int64_t truncated = 0;  // used without their ends
  int64_t tokens = 0;
  int64_t labels = 0;
  std::vector<std::string> notes;  // the first lines that were left out or cut, and why
};

class TrainData {
 public:
  // Encodes every line once. encoder must outlive the result. progress(done, of) is called now and
  // then. InvalidArgument: a line is bad and the options say that this is an error, or nothing is
  // left. Cancelled: progress returned false.
  static Result<TrainData> Open(const std::vector<std::string>& paths,
                                const ExampleEncoder& encoder, const TrainOptions& options,
                                const std::function<bool(int64_t done, int64_t of)>& progress);

  const std::vector<ExampleInfo>& examples() const { return examples_; }
  const DataReport& report() const { return report_; }
  // Tokens and labels of example i, cut as the options say.
  Result<EncodedChat> Encode(int64_t i) const;
  // "FILE:LINE" of example i.
  std::string Name(int64_t i) const { return lines_.Name(examples_[static_cast<size_t>(i)].line); }

 private:
  TrainData(JsonLines lines, const ExampleEncoder* encoder, int64_t max_tokens)
      : lines_(std::move(lines)), encoder_(encoder), max_tokens_(max_tokens) {}
  Result<EncodedChat> EncodeLine(int64_t line) const;
  Status Inspect(int64_t line, const TrainOptions& options);
  void Note(std::string note);

  JsonLines lines_;
  const ExampleEncoder* encoder_;
  int64_t max_tokens_;
  std::vector<ExampleInfo> examples_;
  DataReport report_;
};

}  // namespace galen

// What `galen classify` writes: a table for people, one JSON object, or CSV that grows row by row.
#pragma once

#include <cstdint>
#include <fstream>
#include <memory>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/status.h"

namespace galen::cli {

struct ClassifyHeader {
  std::string model;
  std::vector<std::string> labels;
  std::string scores;             // "sigmoid" or "softmax"
  std::vector<float> thresholds;  // one for each label; empty: none are applied
  std::string preprocessing;
  std::vector<std::string> notes;
};

struct ClassifyRow {
  std::string source;
  std::string error;           // not empty: there are no scores
  std::vector<double> scores;  // one for each label
  std::vector<std::string> warnings;
  std::vector<std::pair<std::string, std::string>> identity;  // who and when, where asked for
};

// Indices of the labels whose score reaches their threshold.
std::vector<size_t> PositiveLabels(const ClassifyHeader& header, const std::vector<double>& scores);

class ClassifyOutput {
 public:
  virtual ~ClassifyOutput() = default;
  virtual Status Write(const ClassifyRow& row) = 0;
  // Once, behind the last row. `more` joins the JSON object.
  virtual Status Finish(const Json& more) = 0;
};

// path: empty = standard output, else written atomically at the end.
std::unique_ptr<ClassifyOutput> MakeTableOutput(const ClassifyHeader& header);
std::unique_ptr<ClassifyOutput> MakeJsonOutput(const ClassifyHeader& header,
                                               const std::string& path);

// source, error, one column for each label, and positive (labels parted by ";") where thresholds
// are applied. Each batch of rows reaches the file at once.
class CsvOutput : public ClassifyOutput {
 public:
  // path empty: standard output. resume: keeps the rows of an existing file that have scores, drops
  // those with errors and a line that was cut off; its header must be the same (DataLoss).
  // settings: what a run must share with the rows that it resumes, see run_record.h.
  static Result<std::unique_ptr<CsvOutput>> Open(const ClassifyHeader& header,
                                                 const std::string& path, bool resume,
                                                 const Json& settings);
  Status Write(const ClassifyRow& row) override;
  Status Finish(const Json& more) override;

  // Sources whose rows the file has already.
  const std::unordered_set<std::string>& done() const { return done_; }

 private:
  CsvOutput(const ClassifyHeader& header, std::string path)
      : header_(header), path_(std::move(path)) {}

  const ClassifyHeader header_;
  const std::string path_;
  std::ofstream file_;
  std::unordered_set<std::string> done_;
};

}  // namespace galen::cli

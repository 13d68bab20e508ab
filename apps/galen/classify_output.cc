#include "classify_output.h"

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <numeric>

#include "base/files.h"
#include "formats/csv.h"
#include "run_record.h"

namespace galen::cli {
namespace {

constexpr size_t kMaxCsvBytes = size_t{1} << 30;

size_t Best(const std::vector<double>& scores) {
  return static_cast<size_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
}

class TableOutput : public ClassifyOutput {
 public:
  explicit TableOutput(const ClassifyHeader& header) : header_(header) {
    for (const std::string& note : header.notes) std::cout << "note: " << note << "\n";
  }

  Status Write(const ClassifyRow& row) override {
    std::cout << row.source << "\n";
    if (!row.error.empty()) {
      std::cout << "  failed: " << row.error << "\n";
      return OkStatus();
    }
    constexpr size_t kShown = 10;
    std::vector<size_t> order(row.scores.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return row.scores[a] > row.scores[b]; });
    const std::vector<size_t> positive = PositiveLabels(header_, row.scores);
    for (size_t i = 0; i < std::min(kShown, order.size()); ++i) {
      const bool above = std::count(positive.begin(), positive.end(), order[i]) > 0;
      char score[32];
      std::snprintf(score, sizeof(score), "  %8.4f%s ", row.scores[order[i]],
                    header_.thresholds.empty() ? ""
                    : above                    ? " +"
                                               : "  ");
      std::cout << score << header_.labels[order[i]] << "\n";
    }
    if (order.size() > kShown) {
      std::cout << "  ... " << order.size() - kShown << " more (--csv, --json)\n";
    }
    return OkStatus();
  }

  Status Finish(const Json& more) override {
    if (more.contains("int8")) std::cout << more["int8_text"].get<std::string>() << "\n";
    return OkStatus();
  }

 private:
  const ClassifyHeader header_;
};

class JsonOutput : public ClassifyOutput {
 public:
  JsonOutput(const ClassifyHeader& header, std::string path)
      : header_(header), path_(std::move(path)) {}

  Status Write(const ClassifyRow& row) override {
    Json json = {{"source", row.source}, {"warnings", row.warnings}};
    for (const auto& [name, text] : row.identity) json["identity"][name] = text;
    if (!row.error.empty()) {
      json["error"] = row.error;
    } else {
      json["scores"] = row.scores;
      json["best"] = header_.labels[Best(row.scores)];
      if (!header_.thresholds.empty()) {
        json["positive"] = Json::array();
        for (const size_t i : PositiveLabels(header_, row.scores)) {
          json["positive"].push_back(header_.labels[i]);
        }
      }
    }
    rows_.push_back(std::move(json));
    return OkStatus();
  }

  Status Finish(const Json& more) override {
    Json json = {{"model", header_.model},   {"labels", header_.labels},
                 {"scores", header_.scores}, {"preprocessing", header_.preprocessing},
                 {"images", rows_},          {"notes", header_.notes}};
    if (!header_.thresholds.empty()) json["thresholds"] = header_.thresholds;
    json.update(more);
    json.erase("int8_text");
    const std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
    if (!path_.empty()) return WriteFileAtomically(path_, text);
    std::cout << text;
    return OkStatus();
  }

 private:
  const ClassifyHeader header_;
  const std::string path_;
  Json rows_ = Json::array();
};

CsvRow HeaderRow(const ClassifyHeader& header) {
  CsvRow row = {"source", "error"};
  row.insert(row.end(), header.labels.begin(), header.labels.end());
  if (!header.thresholds.empty()) row.push_back("positive");
  return row;
}

// The part of an existing file that stays.
Result<std::string> KeptRows(const std::string& path, const CsvRow& header,
                             std::unordered_set<std::string>* done) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxCsvBytes));
  const Result<std::vector<CsvRecord>> records = ReadCsv(text);
  if (!records.ok()) return records.status().WithContext(path);
  std::string kept = CsvLine(header);
  for (size_t i = 0; i < records->size(); ++i) {
    const CsvRow& fields = (*records)[i].fields;
    if (i == 0 && fields != header) {
      return DataLoss(path +
                      ": its columns are others than this run's; --resume needs the same "
                      "labels and thresholds");
    }
    if (i == 0 || fields.size() != header.size() || !fields[1].empty()) continue;
    kept += CsvLine(fields);
    done->insert(fields[0]);
  }
  return kept;
}

}  // namespace

std::vector<size_t> PositiveLabels(const ClassifyHeader& header,
                                   const std::vector<double>& scores) {
  std::vector<size_t> positive;
  for (size_t i = 0; i < header.thresholds.size(); ++i) {
    if (scores[i] >= static_cast<double>(header.thresholds[i])) positive.push_back(i);
  }
  return positive;
}

std::unique_ptr<ClassifyOutput> MakeTableOutput(const ClassifyHeader& header) {
  return std::make_unique<TableOutput>(header);
}

std::unique_ptr<ClassifyOutput> MakeJsonOutput(const ClassifyHeader& header,
                                               const std::string& path) {
  return std::make_unique<JsonOutput>(header, path);
}

Result<std::unique_ptr<CsvOutput>> CsvOutput::Open(const ClassifyHeader& header,
                                                   const std::string& path, bool resume,
                                                   const Json& settings) {
  std::unique_ptr<CsvOutput> output(new CsvOutput(header, path));
  std::string begin = CsvLine(HeaderRow(header));
  if (path.empty()) {
    std::cout << begin;
    return output;
  }
  const bool resumed = resume && FileExists(path);
  if (resumed) {
    RETURN_IF_ERROR(CheckRunRecord(path, settings));
    ASSIGN_OR_RETURN(begin, KeptRows(path, HeaderRow(header), &output->done_));
  }
  // The record comes second: rows of an earlier run must never stand beside this run's settings.
  RETURN_IF_ERROR(WriteFileAtomically(path, begin));
  if (!resumed) RETURN_IF_ERROR(WriteRunRecord(path, settings));
  output->file_.open(path, std::ios::app | std::ios::binary);
  if (!output->file_) return IoError(path + ": cannot be written");
  return output;
}

Status CsvOutput::Write(const ClassifyRow& row) {
  CsvRow fields = {row.source, row.error};
  for (size_t i = 0; i < header_.labels.size(); ++i) {
    char score[32] = "";
    if (row.error.empty()) std::snprintf(score, sizeof(score), "%.9g", row.scores[i]);
    fields.emplace_back(score);
  }
  if (!header_.thresholds.empty()) {
    std::string labels;
    for (const size_t i :
         row.error.empty() ? PositiveLabels(header_, row.scores) : std::vector<size_t>()) {
      labels += (labels.empty() ? "" : ";") + header_.labels[i];
    }
    fields.push_back(labels);
  }
  std::ostream& out = path_.empty() ? std::cout : file_;
  out << CsvLine(fields) << std::flush;
  if (!out) return IoError((path_.empty() ? "standard output" : path_) + ": writing failed");
  return OkStatus();
}

Status CsvOutput::Finish(const Json& more) {
  for (const std::string& note : header_.notes) std::cerr << "note: " << note << "\n";
  if (more.contains("int8")) std::cerr << more["int8_text"].get<std::string>() << "\n";
  return OkStatus();
}

}  // namespace galen::cli

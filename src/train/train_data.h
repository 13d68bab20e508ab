// The examples of a run: checked and measured once before it begins, encoded again where one is
// needed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/threads.h"
#include "data/json_lines.h"
#include "train/data_report.h"
#include "train/example_encoder.h"
#include "train/options.h"
#include "train/read_lines.h"
#include "train/train_images.h"

namespace galen {

struct ExampleInfo {
  int64_t line = 0;  // of the data
  int32_t tokens = 0;
  int32_t labels = 0;   // tokens that count in the loss
  int32_t patches = 0;  // of images
  int32_t views = 0;
};

// An example as it goes into a batch.
struct TrainExample {
  EncodedChat chat;
  std::vector<std::string> images;  // paths; ImagePlace::image is an index
  std::vector<PreparedViews> views;
};

// What reading data needs; everything must outlive the data.
struct DataSources {
  const ExampleEncoder* encoder = nullptr;
  TrainImages* images = nullptr;  // null: images cannot be learned from, and no_images says why
  Status no_images;
  ThreadPool* pool = nullptr;
  ReadProgress progress;
};

class TrainData {
 public:
  // Encodes every line once, and decodes its images. InvalidArgument: a line is bad and the options
  // say that this is an error, or nothing is left. Cancelled: progress returned false.
  static Result<TrainData> Open(const std::vector<std::string>& paths, const DataSources& sources,
                                const TrainOptions& options);

  const std::vector<ExampleInfo>& examples() const { return examples_; }
  const DataReport& report() const { return report_; }
  // Tokens and labels of example i, cut as the options say. pixels: read the images; else views are
  // without them.
  Result<TrainExample> Encode(int64_t i, bool pixels) const;
  // "FILE:LINE" of example i.
  std::string Name(int64_t i) const { return lines_.Name(examples_[static_cast<size_t>(i)].line); }

 private:
  TrainData(JsonLines lines, const DataSources& sources, int64_t max_tokens)
      : lines_(std::move(lines)), sources_(sources), max_tokens_(max_tokens) {}
  Result<TrainExample> EncodeLine(int64_t line, bool pixels) const;
  Status Inspect(int64_t line, Result<TrainExample> example, const TrainOptions& options);

  JsonLines lines_;
  DataSources sources_;
  int64_t max_tokens_;
  std::vector<ExampleInfo> examples_;
  DataReport report_;
};

}  // namespace galen

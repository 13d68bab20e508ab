// The examples of an image-text model: checked once before the run, read again where one is needed.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/threads.h"
#include "data/json_lines.h"
#include "models/dual_encoder/image_preparer.h"
#include "models/dual_encoder/text_input.h"
#include "train/data_report.h"
#include "train/options.h"
#include "train/read_lines.h"
#include "train/train_data.h"

namespace galen {

// Paths of images, each once, in the order in which they came.
class ImageList {
 public:
  size_t Add(const std::string& path);
  const std::vector<std::string>& paths() const { return paths_; }

 private:
  std::vector<std::string> paths_;
  std::unordered_map<std::string, size_t> places_;
};

// What reading data needs; everything must outlive the data.
struct ImageTextSources {
  const ImagePreparer* preparer = nullptr;
  const TextInput* text = nullptr;  // of pairs; null: images with labels
  std::vector<std::string> classes;
  ImageList* images = nullptr;
  ThreadPool* pool = nullptr;
  ReadProgress progress;
};

class ImageTextData {
 public:
  // Reads every line once, and decodes its image. InvalidArgument: a line is bad and the options
  // say that this is an error, or nothing is left. Cancelled: progress returned false.
  static Result<ImageTextData> Open(const std::vector<std::string>& paths,
                                    const ImageTextSources& sources, const TrainOptions& options);

  const std::vector<ExampleInfo>& examples() const { return examples_; }
  const DataReport& report() const { return report_; }
  // "FILE:LINE" of example i.
  std::string Name(int64_t i) const { return lines_.Name(examples_[static_cast<size_t>(i)].line); }

  // Of example i; any thread. Its image's number in the list.
  size_t image(int64_t i) const { return images_[static_cast<size_t>(i)]; }
  // As the tower's preparer fits it.
  Result<Image> Fitted(int64_t i) const;
  // For each class 1, 0, or kMaskedTarget where it is not known.
  std::span<const int8_t> targets(int64_t i) const;
  // The line's text, and what the text tower sees of it.
  Result<std::string> Text(int64_t i) const;
  Result<std::vector<int32_t>> Ids(int64_t i) const;

 private:
  struct Record {
    std::string path;
    std::vector<int8_t> targets;
  };
  ImageTextData(JsonLines lines, const ImageTextSources& sources)
      : lines_(std::move(lines)), sources_(sources) {}
  Result<Record> ReadRecord(int64_t line) const;
  Result<Image> ReadFitted(int64_t line, const std::string& path) const;
  Status Take(int64_t line, Result<Record> record, const TrainOptions& options);

  JsonLines lines_;
  ImageTextSources sources_;
  std::unordered_map<std::string, size_t> classes_;
  std::vector<ExampleInfo> examples_;
  std::vector<size_t> images_;
  std::vector<int8_t> targets_;  // [examples, classes]
  DataReport report_;
};

// The names that lines of labelled images have, sorted; lines that cannot be read are passed over.
// InvalidArgument: there are none.
Result<std::vector<std::string>> ClassesOfData(const std::vector<std::string>& paths);

}  // namespace galen

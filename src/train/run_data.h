// The data of a run: examples, the order in which forward passes take them, and their images.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "train/collator.h"
#include "train/frozen_images.h"
#include "train/train_data.h"
#include "train/train_memory.h"

namespace galen {

// One file's part, or several files'.
struct DataPart {
  TrainData data;
  BatchPlan plan;
};

class RunData {
 public:
  // files, options and pool must outlive the result. progress: as DataSources.
  static Result<std::unique_ptr<RunData>> Open(const ModelFiles& files, const TrainOptions& options,
                                               ThreadPool& pool, const ReadProgress& progress);

  // Has the options' batches changed: plans them anew.
  void PlanBatches();
  // Tokens of the largest image; 0: there is none.
  int64_t image_tokens() const { return images_.has_value() ? images_->most_tokens() : 0; }

  const DataPart& train() const { return *train_; }
  const DataPart* eval() const { return eval_.has_value() ? &*eval_ : nullptr; }
  // The most of tokens, labels, sequences, views and patches that one pass of either part has.
  void AddLargest(StepShape* shape) const;

  // Makes the vectors of images by a frozen tower; nothing where there are no images. Gather needs
  // them unless it is asked for pixels. note: what to tell people, or empty.
  Status Freeze(const KernelTable& kernels, Compute compute, int64_t available,
                const ReadProgress& progress, std::string* note);

  // One forward pass. pixels: for a tower that is part of it. key: of the places of parts of pages.
  Result<FlatBatch> Gather(const TrainData& data, const std::vector<int64_t>& examples, bool pixels,
                           uint64_t key) const;
  // "FILE:LINE, FILE:LINE and 3 more" of training examples.
  std::string NameExamples(const std::vector<int64_t>& examples) const;

 private:
  RunData(const ModelFiles& files, const TrainOptions& options, ThreadPool& pool)
      : files_(files), o_(options), pool_(pool) {}
  Status Read(const ReadProgress& progress);
  Status AddImages(const TrainExample& example, bool pixels, uint64_t key, FlatBatch* batch) const;

  const ModelFiles& files_;
  const TrainOptions& o_;
  ThreadPool& pool_;
  std::optional<ExampleEncoder> encoder_;
  std::optional<TrainImages> images_;
  std::optional<FrozenImages> frozen_;
  std::optional<DataPart> train_, eval_;
};

}  // namespace galen

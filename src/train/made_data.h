// The data that a dry run makes up: whole sequences of random tokens.
#pragma once

#include <cstdint>
#include <vector>

#include "models/open_model.h"
#include "models/vision/image_processor.h"
#include "train/collator.h"
#include "train/options.h"
#include "train/train_memory.h"

namespace galen {

class MadeData {
 public:
  MadeData() = default;
  // images: each example begins with one of the model's size, or of options.image_tokens, for a
  // tower that is part of the step; of any shape: a square of two thirds of the example at most.
  // InvalidArgument: max_seq_length has no room for it.
  static Result<MadeData> Create(const ModelFiles& files, const TrainOptions& options, bool images);

  // Tokens of an example's image; 0: there is none.
  int64_t image_tokens() const { return view_.empty() ? 0 : view_[0].tokens; }
  // As RunData::AddLargest.
  void AddLargest(StepShape* shape) const;
  // The forward pass of step `step`: per_device_train_batch_size examples of max_seq_length tokens,
  // every one labelled but those of images.
  FlatBatch Batch(int64_t step) const;

 private:
  int64_t examples_ = 0, tokens_ = 0, vocab_size_ = 0;
  bool bidirectional_ = false;
  std::vector<PreparedImage> view_;  // one or none
};

}  // namespace galen

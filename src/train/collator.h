// Which examples make up which forward pass, and the flat batch of one.
#pragma once

#include <cstdint>
#include <vector>

#include "models/causal_lm.h"
#include "train/train_data.h"

namespace galen {

// Which examples each forward pass of each round has. Nothing is remembered between rounds: the
// plan is a function of the data, the options and the seed.
class BatchPlan {
 public:
  BatchPlan(const std::vector<ExampleInfo>& examples, const TrainOptions& options, bool shuffle);

  // Forward passes of a round; the same in every round.
  int64_t batches_per_round() const { return num_batches_; }
  // Indices of examples; never empty.
  std::vector<int64_t> Examples(int64_t round, int64_t batch) const;
  // Tokens of the largest batch that can come, and examples and labels in it.
  int64_t max_tokens() const { return max_tokens_; }
  int64_t max_labels() const { return max_labels_; }
  int64_t max_examples() const { return max_examples_; }
  // The same of patches and of views of images.
  int64_t max_patches() const { return max_patches_; }
  int64_t max_views() const { return max_views_; }

 private:
  void Pack(const std::vector<ExampleInfo>& examples, int64_t room);

  int64_t num_examples_;
  int64_t batch_size_;
  uint64_t seed_;
  bool shuffle_;
  int64_t num_batches_ = 0;
  int64_t max_tokens_ = 0, max_labels_ = 0, max_examples_ = 0, max_patches_ = 0, max_views_ = 0;
  // Packed: batch b has order_[starts_[b] .. starts_[b + 1]).
  std::vector<int64_t> order_, starts_;
};

// Rows of a batch that the vectors of one view of an image take.
struct ImageRows {
  int64_t row = 0;
  int64_t count = 0;
};

// The arrays that a Batch borrows.
struct FlatBatch {
  std::vector<int32_t> tokens, positions, logit_rows;
  // As Batch has them, of all rows; they say nothing beside positions unless `rotated`: some image
  // has rows and columns.
  std::vector<int32_t> row_positions, column_positions;
  bool rotated = false;
  std::vector<int32_t> targets;  // of logit_rows
  std::vector<SequenceSpan> spans;
  std::vector<int32_t> look_ahead;  // as Batch::look_ahead; empty: causal
  std::vector<ImageRows> images;
  // What takes those rows, view by view: vectors [rows of all, hidden_size] of a frozen tower, or
  // pixels for a trained one, with their corners where they are parts of pages.
  std::vector<float> vectors;
  std::vector<PreparedImage> views;
  std::vector<GridCorner> corners;

  // Appends an example as a sequence of its own: positions restart, and no row sees another
  // sequence. Tokens of an image with rows and columns turn by those, as in galen run. Rows whose
  // next token is labelled get a logit. bidirectional: the tokens of an image see each other.
  void Add(const EncodedChat& chat, bool bidirectional = false);
  // Without embeddings.
  Batch batch() const;
};

}  // namespace galen

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

 private:
  void Pack(const std::vector<ExampleInfo>& examples, int64_t room);

  int64_t num_examples_;
  int64_t batch_size_;
  uint64_t seed_;
  bool shuffle_;
  int64_t num_batches_ = 0;
  int64_t max_tokens_ = 0, max_labels_ = 0, max_examples_ = 0;
  // Packed: batch b has order_[starts_[b] .. starts_[b + 1]).
  std::vector<int64_t> order_, starts_;
};

// The arrays that a Batch borrows.
struct FlatBatch {
  std::vector<int32_t> tokens, positions, logit_rows;
  std::vector<int32_t> targets;  // of logit_rows
  std::vector<SequenceSpan> spans;

  // Appends an example as a sequence of its own: positions restart, and no row sees another
  // sequence. Rows whose next token is labelled get a logit.
  void Add(const EncodedChat& chat);
  Batch batch() const;
};

}  // namespace galen

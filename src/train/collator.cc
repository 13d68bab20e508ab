#include "train/collator.h"

#include <algorithm>
#include <functional>

#include "data/shuffle.h"
#include "models/token_position.h"

namespace galen {
namespace {

constexpr uint64_t kPackingRound = ~uint64_t{0};  // the order in which examples are packed

// The sum of the `n` largest.
template <typename Get>
int64_t LargestSum(const std::vector<ExampleInfo>& examples, int64_t n, Get&& get) {
  std::vector<int64_t> values;
  values.reserve(examples.size());
  for (const ExampleInfo& e : examples) values.push_back(get(e));
  const auto count =
      static_cast<std::ptrdiff_t>(std::min<size_t>(values.size(), static_cast<size_t>(n)));
  std::partial_sort(values.begin(), values.begin() + count, values.end(), std::greater<>());
  int64_t sum = 0;
  for (std::ptrdiff_t i = 0; i < count; ++i) sum += values[static_cast<size_t>(i)];
  return sum;
}

}  // namespace

BatchPlan::BatchPlan(const std::vector<ExampleInfo>& examples, const TrainOptions& options,
                     bool shuffle)
    : num_examples_(static_cast<int64_t>(examples.size())),
      batch_size_(options.per_device_train_batch_size),
      seed_(static_cast<uint64_t>(options.seed)),
      shuffle_(shuffle) {
  if (options.packing) {
    Pack(examples, options.max_seq_length * batch_size_);
    return;
  }
  num_batches_ = (num_examples_ + batch_size_ - 1) / batch_size_;
  max_tokens_ = LargestSum(examples, batch_size_, [](const ExampleInfo& e) { return e.tokens; });
  max_labels_ = LargestSum(examples, batch_size_, [](const ExampleInfo& e) { return e.labels; });
  max_patches_ = LargestSum(examples, batch_size_, [](const ExampleInfo& e) { return e.patches; });
  max_views_ = LargestSum(examples, batch_size_, [](const ExampleInfo& e) { return e.views; });
  max_examples_ = std::min(batch_size_, num_examples_);
}

void BatchPlan::Pack(const std::vector<ExampleInfo>& examples, int64_t room) {
  const Shuffle shuffle(num_examples_, seed_, kPackingRound);
  int64_t tokens = 0, labels = 0, patches = 0, views = 0;
  const auto end_batch = [&] {
    max_tokens_ = std::max(max_tokens_, tokens);
    max_labels_ = std::max(max_labels_, labels);
    max_examples_ = std::max(max_examples_, static_cast<int64_t>(order_.size()) - starts_.back());
    max_patches_ = std::max(max_patches_, patches);
    max_views_ = std::max(max_views_, views);
    tokens = labels = patches = views = 0;
  };
  for (int64_t i = 0; i < num_examples_; ++i) {
    const int64_t at = shuffle_ ? shuffle.At(i) : i;
    const ExampleInfo& example = examples[static_cast<size_t>(at)];
    if (starts_.empty() || tokens + example.tokens > room) {
      if (!starts_.empty()) end_batch();
      starts_.push_back(static_cast<int64_t>(order_.size()));
    }
    order_.push_back(at);
    tokens += example.tokens;
    labels += example.labels;
    patches += example.patches;
    views += example.views;
  }
  end_batch();
  num_batches_ = static_cast<int64_t>(starts_.size());
  starts_.push_back(num_examples_);
}

std::vector<int64_t> BatchPlan::Examples(int64_t round, int64_t batch) const {
  std::vector<int64_t> examples;
  if (!starts_.empty()) {
    const int64_t b =
        shuffle_ ? Shuffle(num_batches_, seed_, static_cast<uint64_t>(round)).At(batch) : batch;
    examples.assign(order_.begin() + starts_[static_cast<size_t>(b)],
                    order_.begin() + starts_[static_cast<size_t>(b + 1)]);
    return examples;
  }
  const Shuffle shuffle(num_examples_, seed_, static_cast<uint64_t>(round));
  const int64_t end = std::min((batch + 1) * batch_size_, num_examples_);
  for (int64_t i = batch * batch_size_; i < end; ++i) {
    examples.push_back(shuffle_ ? shuffle.At(i) : i);
  }
  return examples;
}

void FlatBatch::Add(const EncodedChat& chat, bool bidirectional) {
  const auto begin = static_cast<int64_t>(tokens.size());
  const auto n = static_cast<int64_t>(chat.tokens.size());
  tokens.insert(tokens.end(), chat.tokens.begin(), chat.tokens.end());
  const std::span<const ImageTokens> places = chat.places;
  for (int64_t i = 0; i < n; ++i) {
    const RotaryPosition position = PositionAmong(places, i, [](const ImageTokens& place) {
      return TokenBlock{place.begin, place.count, place.token_grid.height, place.token_grid.width};
    });
    positions.push_back(position.time);
    row_positions.push_back(position.row);
    column_positions.push_back(position.column);
    if (i + 1 == n || chat.labels[static_cast<size_t>(i + 1)] == kNotLabelled) continue;
    logit_rows.push_back(static_cast<int32_t>(begin + i));
    targets.push_back(chat.labels[static_cast<size_t>(i + 1)]);
  }
  spans.push_back({begin, begin + n, 0, nullptr});
  for (const ImageTokens& place : chat.places) {
    images.push_back({begin + place.begin, place.count});
    rotated = rotated || place.token_grid.height > 0;
    if (!bidirectional) continue;
    look_ahead.resize(tokens.size(), -1);
    std::fill_n(look_ahead.begin() + begin + place.begin, place.count,
                static_cast<int32_t>(place.begin + place.count - 1));
  }
  if (!look_ahead.empty()) look_ahead.resize(tokens.size(), -1);
}

Batch FlatBatch::batch() const {
  Batch b;
  b.tokens = tokens;
  b.positions = positions;
  if (rotated) {
    b.row_positions = row_positions;
    b.column_positions = column_positions;
  }
  b.spans = spans;
  b.logit_rows = logit_rows;
  if (!look_ahead.empty()) b.look_ahead = look_ahead.data();
  return b;
}

}  // namespace galen

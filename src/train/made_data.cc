#include "train/made_data.h"

#include <algorithm>
#include <utility>

#include "data/shuffle.h"
#include "train/example_encoder.h"
#include "train/train_images.h"

namespace galen {
namespace {

constexpr uint64_t kNoiseKey = 0x6e6f697365;

Image Noise(int64_t side) {
  Image image;
  image.width = image.height = side;
  image.pixels.resize(static_cast<size_t>(3 * side * side));
  for (size_t i = 0; i < image.pixels.size(); ++i) {
    image.pixels[i] = static_cast<uint8_t>(Mix64(kNoiseKey + i));
  }
  return image;
}

// Of the largest square image, in pixels; where images have any shape, of the largest that leaves
// an example of so many tokens room for half as many others.
int64_t SideOf(const VisionConfig& vision, const ImageOptions& size, int64_t tokens) {
  if (!vision.any_shape()) return vision.image_size;
  const int64_t cell = vision.patch_size * vision.spatial_merge_size;
  int64_t most = (size.max_pixels > 0 ? size.max_pixels : vision.max_pixels) / (cell * cell);
  if (size.tokens > 0) most = std::min(most, size.tokens);
  most = std::min(most, tokens * 2 / 3);
  int64_t side = 1;
  while ((side + 1) * (side + 1) <= most) ++side;
  return side * cell;
}

}  // namespace

Result<MadeData> MadeData::Create(const ModelFiles& files, const TrainOptions& options,
                                  bool images) {
  MadeData data;
  data.examples_ = options.per_device_train_batch_size;
  data.tokens_ = options.max_seq_length;
  data.vocab_size_ = files.config.vocab_size;
  if (!images) return data;
  RETURN_IF_ERROR(TrainImages::Create(files, options).status());
  const ImageOptions size = TrainImages::SizeOptions(options);
  ASSIGN_OR_RETURN(PreparedViews views, files.image_processor->Prepare(
                                            Noise(SideOf(files.vision, size, data.tokens_)), size));
  const int64_t tokens = views[0].tokens;
  if (tokens + 2 > data.tokens_) {
    return InvalidArgument("max_seq_length is " + std::to_string(data.tokens_) +
                           ": an image takes " + std::to_string(tokens) +
                           " tokens, and no answer "
                           "has room beside it; image_tokens makes images smaller");
  }
  data.bidirectional_ = files.image_processor->bidirectional();
  data.view_.push_back(std::move(views[0]));
  return data;
}

void MadeData::AddLargest(StepShape* shape) const {
  shape->tokens = examples_ * tokens_;
  shape->labels = examples_ * (tokens_ - 1);
  shape->sequences = examples_;
  for (const PreparedImage& view : view_) {
    shape->views = examples_;
    shape->patches = examples_ * view.grid.patches();
  }
}

FlatBatch MadeData::Batch(int64_t step) const {
  FlatBatch batch;
  for (int64_t e = 0; e < examples_; ++e) {
    const auto seed = static_cast<uint64_t>(step * 977 + e);
    EncodedChat chat;
    for (int64_t i = 0; i < tokens_; ++i) {
      const uint64_t bits = Mix64(seed * 0x10001 + static_cast<uint64_t>(i));
      chat.tokens.push_back(static_cast<int32_t>(bits % static_cast<uint64_t>(vocab_size_)));
    }
    chat.labels = chat.tokens;
    for (const PreparedImage& view : view_) {
      chat.places.push_back({{1, view.tokens, 0, 0}, view.token_grid});
      std::fill_n(chat.labels.begin() + 1, view.tokens, kNotLabelled);
      batch.views.push_back(view);
    }
    batch.Add(chat, bidirectional_);
  }
  return batch;
}

}  // namespace galen

#include "train/image_text/made_pairs.h"

#include <utility>

#include "data/shuffle.h"
#include "train/random_init.h"

namespace galen {

Status ChooseMadeClasses(const TrainOptions& options, ImageTextPlan* plan) {
  if (!options.labels.empty() || plan->files.config.classifier) {
    return ChooseClasses(options, plan);
  }
  constexpr size_t kMadeClasses = 8;
  const std::vector<std::string>& weights = options.pos_weight;
  const bool numbers = weights.size() > 1;  // one for each class
  plan->classes.clear();
  for (size_t i = 0; i < (numbers ? weights.size() : kMadeClasses); ++i) plan->classes.push_back(std::to_string(i));
  plan->new_head = true;
  return OkStatus();
}

std::unique_ptr<ImageTextBatch> MakePairs(const ImageTextPlan& plan, int64_t size, int64_t step) {
  const DualEncoderConfig& config = plan.files.config;
  auto batch = std::make_unique<ImageTextBatch>();
  batch->size = batch->tokens = size;
  const auto n = static_cast<size_t>(size);
  uint64_t key = Mix64(static_cast<uint64_t>(step) + 1);
  if (plan.frozen_images) {
    const int64_t cols = plan.head ? config.vision->stack.hidden_size : config.embedding_size;
    batch->vectors.resize(n * static_cast<size_t>(cols));
    FillNormal(key, 1.0, batch->vectors);
  } else {
    const int64_t side = config.vision->image_size;
    for (size_t i = 0; i < n; ++i) {
      Image image{side, side, 3, {}};
      image.pixels.resize(static_cast<size_t>(3 * side * side));
      for (uint8_t& value : image.pixels) value = static_cast<uint8_t>(Mix64(++key));
      batch->images.push_back(std::move(image));
    }
  }
  if (plan.head) {
    batch->targets.resize(n * plan.classes.size());
    for (int8_t& target : batch->targets) target = static_cast<int8_t>(Mix64(++key) & 1);
    batch->labels = static_cast<int64_t>(batch->targets.size());
    return batch;
  }
  batch->targets.assign(n * n, 0);
  for (size_t i = 0; i < n; ++i) batch->targets[i * n + i] = 1;
  batch->ids.resize(n * static_cast<size_t>(config.text->max_position_embeddings));
  for (int32_t& id : batch->ids) {
    id = static_cast<int32_t>(Mix64(++key) % static_cast<uint64_t>(config.text->vocab_size));
  }
  batch->labels = size;
  return batch;
}

}  // namespace galen

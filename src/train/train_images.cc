#include "train/train_images.h"

#include <utility>

#include "data/shuffle.h"
#include "train/read_image.h"

namespace galen {

Result<TrainImages> TrainImages::Create(const ModelFiles& files, const TrainOptions& options) {
  RETURN_IF_ERROR(files.vision_status);
  if (!files.config.mrope_section.empty() || files.vision.any_shape()) {
    return Unsupported("galen train learns from images with Gemma 3; this is " +
                       std::string(files.architecture->name));
  }
  TrainImages images;
  images.processor_ = files.image_processor;
  images.shape_ = files.architecture->vision->make_tower(files.vision);
  images.options_.tokens = options.image_tokens;
  images.parts_ = options.image_fit != "page";
  images.wander_ = options.image_fit == "part";
  return images;
}

Result<PreparedViews> TrainImages::Read(const std::string& path) const {
  ASSIGN_OR_RETURN(Image image, ReadUnnamedImage(path));
  if (!parts_) return processor_->Prepare(image, options_);
  const int64_t patch = shape_->config().patch_size;
  PreparedImage view;
  view.grid = {image.height / patch, image.width / patch};
  if (image.height % patch != 0 || image.width % patch != 0) {
    return InvalidArgument(
        "an image of " + std::to_string(image.width) + " x " + std::to_string(image.height) +
        " pixels; with image_fit: part and strip its sides are multiples of a patch of " +
        std::to_string(patch));
  }
  RETURN_IF_ERROR(shape_->CheckPart(view.grid));
  view.tokens = shape_->Tokens(view.grid);
  view.pixels = std::move(image);
  PreparedViews views;
  views.push_back(std::move(view));
  return views;
}

const PreparedViews* TrainImages::Find(const std::string& path) const {
  const auto found = known_.find(path);
  return found == known_.end() ? nullptr : &found->second;
}

void TrainImages::Remember(const std::string& path, PreparedViews views) {
  for (PreparedImage& view : views) view.pixels.pixels = {};
  const auto [at, added] = known_.try_emplace(path, std::move(views));
  if (added) order_.push_back(&at->first);
}

GridCorner TrainImages::Corner(const PreparedImage& view, uint64_t key) const {
  if (!wander_) return {0, 0};
  const int64_t side = shape_->config().patches_per_side();
  int64_t square = 1;  // side of the square of patches that becomes one token
  while (square * square * view.tokens < view.grid.patches()) ++square;
  const auto draw = [&](int64_t n, uint64_t bits) {
    const auto places = static_cast<uint64_t>((side - n) / square + 1);
    return static_cast<int64_t>(bits % places) * square;
  };
  return {draw(view.grid.height, Mix64(key)), draw(view.grid.width, Mix64(key ^ ~uint64_t{0}))};
}

}  // namespace galen

#include "train/train_images.h"

#include <algorithm>
#include <utility>

#include "data/shuffle.h"
#include "train/read_image.h"

namespace galen {

Status TrainImages::CheckOptions(const ModelFiles& files, const TrainOptions& options) {
  if (!files.vision_status.ok()) return OkStatus();
  const VisionConfig& vision = files.vision;
  const int64_t least = options.min_pixels, most = options.max_pixels;
  if (!vision.any_shape()) {
    if (least == 0 && most == 0) return OkStatus();
    return InvalidArgument(
        "min_pixels and max_pixels are of models that take images of any shape (Qwen2.5-VL); this "
        "one takes squares: image_tokens makes them smaller");
  }
  if (options.image_fit != "page") {
    return InvalidArgument("image_fit: " + options.image_fit +
                           " is of models with a table of positions (Gemma 3); this one takes "
                           "images of any shape as they are: leave it out");
  }
  int64_t limit = most > 0 ? most : vision.max_pixels;
  const int64_t side = vision.patch_size * vision.spatial_merge_size;
  if (options.image_tokens > 0) limit = std::min(limit, options.image_tokens * side * side);
  if (least > limit) {
    return InvalidArgument("min_pixels is " + std::to_string(least) + ", but images have at most " +
                           std::to_string(limit) +
                           " pixels (max_pixels, image_tokens, or the model's own limit): lower "
                           "the one or raise the other");
  }
  if (limit < side * side) {
    return InvalidArgument("max_pixels is " + std::to_string(limit) + ", less than the " +
                           std::to_string(side * side) + " pixels of one token");
  }
  return OkStatus();
}

ImageOptions TrainImages::SizeOptions(const TrainOptions& options) {
  ImageOptions size;
  size.tokens = options.image_tokens;
  size.min_pixels = options.min_pixels;
  size.max_pixels = options.max_pixels;
  return size;
}

Result<TrainImages> TrainImages::Create(const ModelFiles& files, const TrainOptions& options) {
  RETURN_IF_ERROR(files.vision_status);
  RETURN_IF_ERROR(CheckOptions(files, options));
  TrainImages images;
  images.processor_ = files.image_processor;
  images.shape_ = files.architecture->vision->make_tower(files.vision);
  images.options_ = SizeOptions(options);
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
  for (PreparedImage& view : views) {
    view.pixels.pixels = {};
    most_tokens_ = std::max(most_tokens_, view.tokens);
  }
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

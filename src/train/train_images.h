// The images of training examples: read and prepared, and what is known of them before the run.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "models/prompt_builder.h"
#include "train/options.h"

namespace galen {

class TrainImages {
 public:
  // files must outlive the result. Errors: why the model has no images, and those of CheckOptions.
  static Result<TrainImages> Create(const ModelFiles& files, const TrainOptions& options);
  // InvalidArgument: options about images that this model does not have, or that leave no size.
  // OK where the model has no images.
  static Status CheckOptions(const ModelFiles& files, const TrainOptions& options);
  // The size of images that the options ask for.
  static ImageOptions SizeOptions(const TrainOptions& options);

  // The views of a file, decoded as galen run does. With image_fit: part or strip the image as it
  // is, or InvalidArgument where its sides do not fit the patches. Errors do not name the file. Any
  // thread.
  Result<PreparedViews> Read(const std::string& path) const;

  // The views of an image that was remembered, without pixels; null: it was not.
  const PreparedViews* Find(const std::string& path) const;
  // Pixels are dropped.
  void Remember(const std::string& path, PreparedViews views);
  // All that were remembered, in that order.
  const std::vector<const std::string*>& paths() const { return order_; }
  // Tokens of the largest view among them.
  int64_t most_tokens() const { return most_tokens_; }

  bool parts() const { return parts_; }
  // A place on the page for a part of it, the same for the same key; tokens keep their squares.
  // With image_fit: strip always the first.
  GridCorner Corner(const PreparedImage& view, uint64_t key) const;
  bool bidirectional() const { return processor_->bidirectional(); }
  const ImageProcessor& processor() const { return *processor_; }

 private:
  TrainImages() = default;
  std::shared_ptr<const ImageProcessor> processor_;
  std::unique_ptr<ImageTower> shape_;  // without weights
  ImageOptions options_;
  bool parts_ = false;
  bool wander_ = false;
  std::unordered_map<std::string, PreparedViews> known_;
  std::vector<const std::string*> order_;
  int64_t most_tokens_ = 0;
};

}  // namespace galen

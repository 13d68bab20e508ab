// ImageTower: the part of a model that turns images into vectors for its text decoder. Like
// CausalLM it is parameters and one Forward without state, for inference and, on a tape, training.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "models/param_spec.h"
#include "models/vision/vision_config.h"
#include "ops/exec_context.h"
#include "tensor/tensor.h"

namespace galen {

// Size of one image in patches.
struct ImageGrid {
  int64_t height = 0;
  int64_t width = 0;
  int64_t patches() const { return height * width; }
};

// Where the upper left patch of a part of a page lies on the page, in patches.
struct GridCorner {
  int64_t top = 0;
  int64_t left = 0;
};

// Any number of images, their patches one after the other. Borrowed for the time of the call.
struct ImageBatch {
  Tensor
      patches;  // [sum of grids' patches, config().patch_values()], as ImageProcessor writes them
  std::span<const ImageGrid> grids;
  // Empty: each image is a whole page, and the table of positions is interpolated to its grid. Else
  // one for each image, which is a part of a page and takes the table's own positions from there
  // on.
  std::span<const GridCorner> corners;
};

class ImageTower {
 public:
  explicit ImageTower(VisionConfig config) : config_(std::move(config)) {}
  virtual ~ImageTower() = default;
  ImageTower(const ImageTower&) = delete;
  ImageTower& operator=(const ImageTower&) = delete;

  // [sum of Tokens(grid), config().projection_dim] in ctx.arena. Images do not see each other: a
  // batch gives what its images give alone (to the bit under ctx.batch_invariant). A grid that
  // CheckGrid refuses is a bug of the caller (GALEN_CHECK).
  virtual Tensor Forward(ExecContext& ctx, const ImageBatch& batch) const = 0;
  // Tokens that an image becomes.
  virtual int64_t Tokens(const ImageGrid& grid) const = 0;
  // InvalidArgument for a grid that this tower cannot take.
  virtual Status CheckGrid(const ImageGrid& grid) const = 0;
  // The same for a part of a page (ImageBatch::corners).
  virtual Status CheckPart(const ImageGrid&) const {
    return Unsupported("this model's tower takes whole images, no parts of a page");
  }
  // One row for each weight, as CausalLM::Params.
  virtual std::vector<ParamSpec> Params() = 0;
  // Upper bound of what Forward takes from the arena in inference, the caller's patches included.
  virtual int64_t ArenaBytes(const KernelTable& kernels, int num_threads,
                             int64_t num_patches) const = 0;

  const VisionConfig& config() const { return config_; }

 protected:
  const VisionConfig config_;
};

}  // namespace galen

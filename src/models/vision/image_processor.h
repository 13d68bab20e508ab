// ImageProcessor: from pixels to what a tower takes, and from an image's place in a prompt to the
// text and tokens that stand for it. Immutable, usable from any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/siphash.h"
#include "base/status.h"
#include "media/image/image.h"
#include "models/vision/image_tower.h"

namespace galen {

// One square or rectangle of pixels that a tower sees: an image, or a crop of one.
struct PreparedImage {
  Image pixels;  // RGB, resized; height and width are the grid's times patch_size
  ImageGrid grid;
  int64_t tokens = 0;
  // Rows and columns of its tokens where the text decoder turns by them (several positions for each
  // token); zeros: its tokens count on like text.
  ImageGrid token_grid;
  // The upper left part of a page, at the page's own scale: ImageBatch::corners.
  bool part = false;
};

struct ImageOptions {
  // Tokens of each image: 0 = the model's own number. Fewer means a smaller image.
  int64_t tokens = 0;
  // Area after resizing, of models that take images of any shape; 0 = the model's own limits.
  int64_t min_pixels = 0;
  int64_t max_pixels = 0;
  // Long images also as crops.
  bool pan_and_scan = false;
};

// What replaces an image's placeholder in the rendered prompt: text, or the tokens of one view.
struct PromptPiece {
  std::string text;
  int64_t view = -1;  // index into the image's prepared views; -1: text
};

class ImageProcessor {
 public:
  virtual ~ImageProcessor() = default;

  // What a chat template writes for an image: "<start_of_image>".
  virtual std::string_view placeholder() const = 0;
  // The same with what belongs around it, for text without a template.
  virtual std::string_view marked_placeholder() const { return placeholder(); }
  // The token that holds the place of one vector: "<image_soft_token>".
  virtual std::string_view soft_token() const = 0;
  // Whether the tokens of one view see each other in both directions.
  virtual bool bidirectional() const = 0;
  // Names the exact arithmetic of Prepare and FillPatches; part of cache keys and provenance.
  virtual std::string_view version() const = 0;

  // The views of one image, the whole first. InvalidArgument: options that this model does not
  // have, with the reason; an empty image.
  virtual Result<std::vector<PreparedImage>> Prepare(const Image& image,
                                                     const ImageOptions& options) const = 0;
  // What the placeholder becomes, before tokenisation: text merges with its neighbours.
  virtual std::vector<PromptPiece> Expand(int64_t num_views) const = 0;
  // Writes the rows of ImageBatch::patches: [grid.patches(), patch_values].
  virtual void FillPatches(const PreparedImage& image, float* patches) const = 0;
};

// Identity of the vectors that a tower makes of an image: version, sizes and every byte of pixels.
Digest128 DigestOf(const SipKey& key, const ImageProcessor& processor, const PreparedImage& image);

}  // namespace galen

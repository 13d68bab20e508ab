// The inputs that a file of reference values was made from: packed sequences, with images.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "formats/checkpoint.h"
#include "models/causal_lm.h"
#include "models/vision/image_processor.h"
#include "models/vision/image_tower.h"

namespace galen {

// Tensors "tokens" and "lengths" (i32): sequences one after the other. Runs of soft_token are
// images; -1: none. "positions" (i32 [3, tokens]), where it exists, holds each token's three.
// Variable-length form; all logits.
class GoldenInputs {
 public:
  // bidirectional: the tokens of an image see each other in both directions.
  static Result<GoldenInputs> Read(const Checkpoint& file, int32_t soft_token, bool bidirectional);

  // images: the vectors of all runs in order, or an empty tensor. Valid while this object lives and
  // is not asked again.
  Batch batch(const Tensor& images);
  const std::vector<int32_t>& tokens() const { return tokens_; }
  int64_t num_images() const { return static_cast<int64_t>(runs_.size()); }

 private:
  std::vector<int32_t> tokens_, look_ahead_, rows_;
  std::vector<int32_t> positions_;  // one for each token, or three
  std::vector<SequenceSpan> spans_;
  std::vector<std::pair<int64_t, int64_t>> runs_;  // first row, count
  std::vector<RowSource> sources_;
};

// Picture i of "images" (u8 [n, side, side, 3]), its upper left `side` pixels, prepared without
// resampling.
Result<PreparedImage> GoldenImage(const Checkpoint& file, int64_t i, int64_t side,
                                  const VisionConfig& config, const ImageProcessor& processor);
// Picture "image.I" (u8 [height, width, 3]) for a tower that takes any shape, prepared.
Result<PreparedImage> GoldenImage(const Checkpoint& file, int64_t i,
                                  const ImageProcessor& processor);
// What the tower makes of the images.
Tensor EncodeImages(ExecContext& ctx, const ImageTower& tower, const ImageProcessor& processor,
                    std::span<const PreparedImage> images);

// Values of an i32 or floating-point tensor.
Result<std::vector<int32_t>> GoldenInts(const Checkpoint& file, const std::string& name);
Result<std::vector<float>> GoldenFloats(const Checkpoint& file, const std::string& name);

}  // namespace galen

// VisionConfig: the hyper-parameters of a model's image part (tower, projector, preprocessing),
// validated, whatever files they came from.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "formats/hf_config.h"

namespace galen {

// A model that reads documents line by line (docs/decisions/0004-reading-by-lines.md): each image
// is the strip of one line of print, at its own size.
struct PageLines {
  int64_t row_height = 16;  // pixels
  int64_t row_width = 256;
  int64_t max_rows = 12;
  int64_t long_side = 1024;        // of the page's picture that lines are cut from
  std::vector<std::string> kinds;  // of documents that it learned to read: "lab_report"
};

// Limits far above every published tower.
inline constexpr int64_t kMaxImageSize = 1 << 14;
inline constexpr int64_t kMaxPatchSize = 256;

struct VisionConfig {
  int64_t hidden_size = 0;
  int64_t intermediate_size = 0;
  int64_t num_hidden_layers = 0;
  int64_t num_attention_heads = 0;
  int64_t image_size = 0;  // side of the square that the position table is for, in pixels
  int64_t patch_size = 0;
  int64_t num_channels = 3;
  float layer_norm_eps = 1e-6f;

  int64_t tokens_per_image =
      0;  // of an image of image_size; a square number where tokens form a grid
  // Towers that take images of any shape: image_size is 0 and these are set.
  int64_t min_pixels = 0;  // area that images are resized to, at least and at most
  int64_t max_pixels = 0;
  int64_t spatial_merge_size = 1;   // side of the square of patches that becomes one token
  int64_t temporal_patch_size = 1;  // frames of one patch; a still image is taken as many times
  int64_t window_size = 0;          // pixels; of layers that see a window of the image
  std::vector<uint8_t> layer_is_windowed;  // [num_hidden_layers] or empty: none is

  int64_t projection_dim = 0;  // width of the tokens: hidden_size of the text model

  // Preprocessing: pixel / 255, minus mean, divided by std, channel by channel.
  std::array<float, 3> image_mean = {0.5f, 0.5f, 0.5f};
  std::array<float, 3> image_std = {0.5f, 0.5f, 0.5f};
  bool pan_and_scan = false;  // long images also as crops without being asked
  std::optional<PageLines> page_lines;

  int64_t head_dim() const { return hidden_size / num_attention_heads; }
  int64_t patches_per_side() const { return image_size / patch_size; }
  bool any_shape() const { return max_pixels > 0; }
  // Of the largest image.
  int64_t max_patches() const {
    return any_shape() ? max_pixels / (patch_size * patch_size)
                       : patches_per_side() * patches_per_side();
  }
  int64_t patch_values() const { return num_channels * patch_size * patch_size; }
  // Weights of all matrices and tables.
  int64_t num_parameters() const;
};

// Checks every field against its range, and products against overflow. `source` (the file) begins
// the message.
Status ValidateVisionConfig(const VisionConfig& config, const std::string& source);

// Mean and std out of a checkpoint's preprocessing. It must agree with config.image_size and
// `filter` (Pillow's number), rescale by 1/255 and leave no step out, else Unsupported says what
// differs.
Status ReadPreprocessorConfig(const JsonView& view, int64_t filter, VisionConfig* config);

// "page_lines" of the same file, galen's own; the sizes must fit the tower.
Status ReadPageLines(const JsonView& view, VisionConfig* config);

// preprocessor_config.json of a checkpoint, or the part "image_processor" of processor_config.json,
// which transformers 5 writes instead; null: neither is there. `path` becomes the file's.
Result<Json> ReadPreprocessorFile(const std::string& directory, std::string* path);

}  // namespace galen

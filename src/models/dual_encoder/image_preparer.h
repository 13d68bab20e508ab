// From an image to the rows that an image tower multiplies, with the arithmetic of transformers'
// SiglipImageProcessorPil and CLIPImageProcessorPil, or of the torchvision classes where the
// checkpoint names those ("SiglipImageProcessorFast"; 5.23, image_processing_backends.py).
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "media/image/resize.h"
#include "models/dual_encoder/dual_encoder_config.h"

namespace galen {

// preprocessor_config.json, or "image_processor" of processor_config.json.
struct ImageProcessorConfig {
  bool resize = true;
  int64_t shortest_edge = 0;  // > 0: the shorter side becomes this; else height x width
  int64_t height = 0;
  int64_t width = 0;
  Filter filter = Filter::kBicubic;
  // The arithmetic of the Fast classes: PyTorch's antialiased resize, and the factor folded into
  // mean and std.
  bool torch = false;
  bool center_crop = false;
  int64_t crop_height = 0;
  int64_t crop_width = 0;
  bool rescale = true;
  double rescale_factor = 1.0 / 255;
  bool normalize = true;
  std::array<float, 3> mean{};
  std::array<float, 3> std{};
};

// `text` is the JSON, `path` is for messages. Absent keys have the defaults of the family's class.
Result<ImageProcessorConfig> ParseImageProcessor(std::string_view text, const std::string& path,
                                                 DualEncoderFamily family);
// Reads it from a model's directory; NotFound if neither file is there, since a guess would change
// every score.
Result<ImageProcessorConfig> ReadImageProcessor(const std::string& directory,
                                                DualEncoderFamily family);

// Immutable, usable from any thread.
class ImagePreparer {
 public:
  // Unsupported where the processor does not end at the tower's image_size.
  static Result<ImagePreparer> Create(const ImageProcessorConfig& config,
                                      const VisionEncoderConfig& vision, Framing framing);

  // image: 1 or 3 channels. RGB of image_size x image_size.
  Result<Image> Fit(const Image& image) const;
  // Writes patches() rows of patch_values of what Fit gave: value / 255, minus mean, divided by
  // std. Rescaling is in double, rounded to fp32, the rest in fp32, as numpy does it.
  void FillPatches(const Image& fitted, float* rows) const;

 private:
  ImagePreparer(const ImageProcessorConfig& config, const VisionEncoderConfig& vision,
                Framing framing);

  ImageProcessorConfig config_;
  int64_t image_size_;
  int64_t patch_size_;
  Framing framing_;
  std::array<std::array<float, 256>, 3> values_;  // of each channel and byte
};

}  // namespace galen

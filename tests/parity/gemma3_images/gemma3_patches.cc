// gemma3_patches SIDE PATCH CROPS FILE: the views of an image as the rows that Gemma 3's patch
// embedding multiplies (fp32), one view after the other. CROPS: 0 or 1.
#include <cmath>
#include <cstdlib>
#include <iostream>

#include "media/image/decode.h"
#include "models/gemma3/vision.h"

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  galen::VisionConfig config;
  config.image_size = std::atoi(argv[1]);
  config.patch_size = std::atoi(argv[2]);
  config.tokens_per_image = 1;
  const auto processor = galen::MakeGemma3Processor(config);
  const auto image = galen::ReadImage(argv[4]);
  if (!image.ok()) {
    std::cerr << image.status().message() << "\n";
    return 1;
  }
  galen::ImageOptions options;
  options.pan_and_scan = std::atoi(argv[3]) != 0;
  const auto views = processor->Prepare(*image, options);
  if (!views.ok()) {
    std::cerr << views.status().message() << "\n";
    return 1;
  }
  for (const galen::PreparedImage& view : *views) {
    std::vector<float> patches(static_cast<size_t>(view.grid.patches() * config.patch_values()));
    processor->FillPatches(view, patches.data());
    std::cout.write(reinterpret_cast<const char*>(patches.data()),
                    static_cast<std::streamsize>(patches.size() * sizeof(float)));
  }
  return std::cout.good() ? 0 : 1;
}

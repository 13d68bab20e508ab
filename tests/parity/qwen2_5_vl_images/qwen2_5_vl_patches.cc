// qwen2_5_vl_patches MIN_PIXELS MAX_PIXELS FILE: an image as the rows that Qwen2.5-VL's patch
// embedding multiplies, one frame: height and width in patches (i64), then the values (fp32).
#include <array>
#include <cstdlib>
#include <iostream>

#include "media/image/decode.h"
#include "models/qwen2_5_vl/vision.h"

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  galen::VisionConfig config;
  config.patch_size = 14;
  config.spatial_merge_size = 2;
  config.min_pixels = std::atoll(argv[1]);
  config.max_pixels = std::atoll(argv[2]);
  config.image_mean = {0.48145466f, 0.4578275f, 0.40821073f};
  config.image_std = {0.26862954f, 0.26130258f, 0.27577711f};
  const auto processor = galen::MakeQwen2_5VLProcessor(config);
  const auto image = galen::ReadImage(argv[3]);
  if (!image.ok()) {
    std::cerr << image.status().message() << "\n";
    return 1;
  }
  const auto views = processor->Prepare(*image, {});
  if (!views.ok()) {
    std::cerr << views.status().message() << "\n";
    return 1;
  }
  const galen::PreparedImage& view = views->at(0);
  std::vector<float> patches(static_cast<size_t>(view.grid.patches() * config.patch_values()));
  processor->FillPatches(view, patches.data());
  const std::array<int64_t, 2> grid = {view.grid.height, view.grid.width};
  std::cout.write(reinterpret_cast<const char*>(grid.data()), sizeof(grid));
  std::cout.write(reinterpret_cast<const char*>(patches.data()),
                  static_cast<std::streamsize>(patches.size() * sizeof(float)));
  return std::cout.good() ? 0 : 1;
}

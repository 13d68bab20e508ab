// Pixels as galen's models take them: 8 bits a channel, grey or RGB, rows from the top.
#pragma once

#include <cstdint>
#include <vector>

namespace galen {

struct Image {
  int64_t width = 0;
  int64_t height = 0;
  int64_t channels = 3;         // 1 grey, 3 RGB
  std::vector<uint8_t> pixels;  // [height, width, channels]

  const uint8_t* row(int64_t y) const { return pixels.data() + y * width * channels; }
  uint8_t* row(int64_t y) { return pixels.data() + y * width * channels; }
};

}  // namespace galen

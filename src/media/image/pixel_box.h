#pragma once

#include <cstdint>

namespace galen {

// Pixels; right and bottom lie outside.
struct PixelBox {
  int64_t left = 0;
  int64_t top = 0;
  int64_t right = 0;
  int64_t bottom = 0;

  int64_t width() const { return right - left; }
  int64_t height() const { return bottom - top; }
};

}  // namespace galen

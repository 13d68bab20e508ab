#include "media/slide/slide.h"

namespace galen {

Status Slide::CheckRectangle(int level, int64_t width, int64_t height) const {
  if (level < 0 || level >= static_cast<int>(info_.levels.size())) {
    return InvalidArgument("level " + std::to_string(level) + " of a slide with " +
                           std::to_string(info_.levels.size()));
  }
  if (width < 1 || height < 1 || width > kMostPixels / height) {
    return InvalidArgument("a rectangle of " + std::to_string(width) + "x" +
                           std::to_string(height) + " pixels of a slide");
  }
  return OkStatus();
}

}  // namespace galen

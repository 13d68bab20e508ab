#include "models/qwen2_5_vl/image_grid.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace galen {
namespace {

constexpr int64_t kMaxAspectRatio = 200;

// Python's round: halves go to the even neighbour.
int64_t RoundToMultiple(int64_t n, int64_t factor) {
  return static_cast<int64_t>(
             std::nearbyint(static_cast<double>(n) / static_cast<double>(factor))) *
         factor;
}

}  // namespace

Result<SmartSize> SmartResize(int64_t height, int64_t width, int64_t factor, int64_t min_pixels,
                              int64_t max_pixels) {
  GALEN_CHECK(height > 0 && width > 0 && factor > 0 && 0 < min_pixels && min_pixels <= max_pixels);
  if (std::max(height, width) > kMaxAspectRatio * std::min(height, width)) {
    return InvalidArgument(
        "the image is " + std::to_string(width) + " x " + std::to_string(height) +
        " pixels; this model takes images whose longer side is at most 200 times the shorter one: "
        "crop it");
  }
  // In doubles and in the reference's order, so that the floors and ceilings fall alike.
  const double h = static_cast<double>(height);
  const double w = static_cast<double>(width);
  const double f = static_cast<double>(factor);
  SmartSize size{RoundToMultiple(height, factor), RoundToMultiple(width, factor)};
  if (size.height * size.width > max_pixels) {
    const double beta = std::sqrt(h * w / static_cast<double>(max_pixels));
    size.height = std::max(factor, static_cast<int64_t>(std::floor(h / beta / f)) * factor);
    size.width = std::max(factor, static_cast<int64_t>(std::floor(w / beta / f)) * factor);
  } else if (size.height * size.width < min_pixels) {
    const double beta = std::sqrt(static_cast<double>(min_pixels) / (h * w));
    size.height = static_cast<int64_t>(std::ceil(h * beta / f)) * factor;
    size.width = static_cast<int64_t>(std::ceil(w * beta / f)) * factor;
  }
  return size;
}

WindowOrder OrderWindows(std::span<const ImageGrid> grids, int64_t merge, int64_t window_cells) {
  GALEN_CHECK(merge > 0 && window_cells > 0);
  const int64_t cell_patches = merge * merge;
  WindowOrder order;
  order.window_bounds.push_back(0);
  order.image_bounds.push_back(0);
  int64_t first_cell = 0;
  for (const ImageGrid& grid : grids) {
    const int64_t rows = grid.height / merge;
    const int64_t columns = grid.width / merge;
    for (int64_t y = 0; y < rows; y += window_cells) {
      for (int64_t x = 0; x < columns; x += window_cells) {
        const int64_t y_end = std::min(y + window_cells, rows);
        const int64_t x_end = std::min(x + window_cells, columns);
        for (int64_t r = y; r < y_end; ++r) {
          for (int64_t c = x; c < x_end; ++c) {
            order.cells.push_back(static_cast<int32_t>(first_cell + r * columns + c));
          }
        }
        order.window_bounds.push_back(static_cast<int32_t>(order.cells.size() * cell_patches));
      }
    }
    first_cell += rows * columns;
    order.image_bounds.push_back(static_cast<int32_t>(first_cell * cell_patches));
  }
  return order;
}

PatchPlaces PlacePatches(std::span<const ImageGrid> grids, int64_t merge) {
  PatchPlaces places;
  for (const ImageGrid& grid : grids) {
    for (int64_t y = 0; y < grid.height; y += merge) {
      for (int64_t x = 0; x < grid.width; x += merge) {
        for (int64_t patch = 0; patch < merge * merge; ++patch) {
          places.rows.push_back(static_cast<int32_t>(y + patch / merge));
          places.columns.push_back(static_cast<int32_t>(x + patch % merge));
        }
      }
    }
  }
  return places;
}

}  // namespace galen

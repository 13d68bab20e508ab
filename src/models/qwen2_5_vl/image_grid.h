// The geometry of Qwen2.5-VL's images: sizes, the order of patches, windows, rotations. Integers
// only. Source: transformers 5.23, image_processing_pil_qwen2_vl.py (smart_resize, patchify) and
// vision_utils.py (get_vision_window_index, get_vision_position_ids).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/status.h"
#include "models/vision/image_tower.h"

namespace galen {

struct SmartSize {
  int64_t height = 0;
  int64_t width = 0;
};

// The size that an image of height x width pixels is resized to: multiples of `factor`, between
// min_pixels and max_pixels in area, the aspect ratio kept as far as that goes. InvalidArgument
// where one side is more than 200 times the other, as the reference refuses it.
Result<SmartSize> SmartResize(int64_t height, int64_t width, int64_t factor, int64_t min_pixels,
                              int64_t max_pixels);

// How the patches of some images are ordered for the blocks that attend inside windows. A cell is
// merge x merge patches that lie next to each other in the patch sequence and become one token.
struct WindowOrder {
  std::vector<int32_t>
      cells;  // cells[i]: the cell that stands at place i; places of cells in the plain order
  std::vector<int32_t>
      window_bounds;  // in patches, ascending from 0: windows are [b[i], b[i + 1]); none is empty
  std::vector<int32_t> image_bounds;  // in patches, ascending from 0: one segment per image
};
// window_cells: side of a window in cells.
WindowOrder OrderWindows(std::span<const ImageGrid> grids, int64_t merge, int64_t window_cells);

// Row and column of each patch in the plain order (merge-block by merge-block, row-major inside a
// block).
struct PatchPlaces {
  std::vector<int32_t> rows;
  std::vector<int32_t> columns;
};
PatchPlaces PlacePatches(std::span<const ImageGrid> grids, int64_t merge);

}  // namespace galen

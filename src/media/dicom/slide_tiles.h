// Tiles of whole-slide images (PS3.3 C.8.12): where frame i lies in the total pixel matrix.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/status.h"
#include "media/dicom/data_set.h"
#include "media/dicom/pixel_format.h"

namespace galen {

struct DicomTile {
  int64_t column = 0;  // of the tile's first pixel in the total matrix, from 0
  int64_t row = 0;
  int64_t focal_plane = 0;   // from 0
  int64_t optical_path = 0;  // from 0
};

struct DicomTiling {
  int64_t total_columns = 0;
  int64_t total_rows = 0;
  int64_t tile_columns = 0;
  int64_t tile_rows = 0;
  int64_t focal_planes = 1;
  int64_t optical_paths = 1;
  bool full = false;              // TILED_FULL: places follow from the order of the frames
  std::vector<DicomTile> sparse;  // TILED_SPARSE: one per frame

  // Place of frame i, which must be one of the file.
  DicomTile Tile(int64_t i) const;
  // The frame whose tile covers (column, row) of a plane and path; none where the slide has no
  // tile.
  std::optional<int64_t> FrameAt(int64_t column, int64_t row, int64_t focal_plane = 0,
                                 int64_t optical_path = 0) const;
};

namespace dicom {

// kNotFound when the object is no tiled image; kDataLoss when its matrix, its frames and its places
// contradict each other.
Result<DicomTiling> ReadTiling(const DataSet& data_set, const PixelFormat& format);

}  // namespace dicom
}  // namespace galen

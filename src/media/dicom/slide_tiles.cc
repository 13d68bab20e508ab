#include "media/dicom/slide_tiles.h"

#include <string>

#include "media/dicom/frame_groups.h"

namespace galen {
namespace {

int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace

DicomTile DicomTiling::Tile(int64_t i) const {
  if (!full) {
    GALEN_CHECK(i >= 0 && static_cast<size_t>(i) < sparse.size());
    return sparse[static_cast<size_t>(i)];
  }
  // PS3.3 C.7.6.17.3: columns fastest, then rows, focal planes, optical paths.
  const int64_t across = CeilDiv(total_columns, tile_columns);
  const int64_t down = CeilDiv(total_rows, tile_rows);
  const int64_t plane = i / (across * down);
  return {i % across * tile_columns, i / across % down * tile_rows, plane % focal_planes,
          plane / focal_planes};
}

std::optional<int64_t> DicomTiling::FrameAt(int64_t column, int64_t row, int64_t focal_plane,
                                            int64_t optical_path) const {
  if (column < 0 || row < 0 || column >= total_columns || row >= total_rows || focal_plane < 0 ||
      focal_plane >= focal_planes || optical_path < 0 || optical_path >= optical_paths) {
    return std::nullopt;
  }
  if (full) {
    const int64_t across = CeilDiv(total_columns, tile_columns);
    const int64_t down = CeilDiv(total_rows, tile_rows);
    return ((optical_path * focal_planes + focal_plane) * down + row / tile_rows) * across +
           column / tile_columns;
  }
  for (size_t i = 0; i < sparse.size(); ++i) {
    const DicomTile& tile = sparse[i];
    if (column >= tile.column && column < tile.column + tile_columns && row >= tile.row &&
        row < tile.row + tile_rows) {
      return static_cast<int64_t>(i);
    }
  }
  return std::nullopt;
}

namespace dicom {

Result<DicomTiling> ReadTiling(const DataSet& data_set, const PixelFormat& format) {
  const std::optional<int64_t> columns = data_set.Integer(kTotalColumns, Vr('U', 'L'));
  const std::optional<int64_t> rows = data_set.Integer(kTotalRows, Vr('U', 'L'));
  if (!columns || !rows)
    return NotFound("the DICOM object is no tiled image: it has no total pixel matrix");
  DicomTiling tiling;
  tiling.total_columns = *columns;
  tiling.total_rows = *rows;
  tiling.tile_columns = format.columns;
  tiling.tile_rows = format.rows;
  if (*columns < 1 || *rows < 1) return DataLoss("tiled image with an empty total pixel matrix");
  tiling.focal_planes = data_set.Integer(kFocalPlanes, Vr('U', 'L')).value_or(1);
  tiling.optical_paths = data_set.Integer(kOpticalPaths, Vr('U', 'L')).value_or(1);
  if (tiling.focal_planes < 1 || tiling.optical_paths < 1)
    return DataLoss("tiled image without focal plane or optical path");
  const std::span<const DataSet> groups = data_set.Items(kPerFrameGroups);
  const bool placed = !groups.empty() && groups[0].Item(kPlanePositionsSlide) != nullptr;
  tiling.full = data_set.Text(kDimensionOrganization) == "TILED_FULL" || !placed;
  if (tiling.full) {
    // Each factor is below 2^32 and the tiles of a plane below 2^62: only the products with planes
    // and paths can overflow.
    int64_t frames = CeilDiv(*columns, format.columns);
    for (const int64_t factor :
         {CeilDiv(*rows, format.rows), tiling.focal_planes, tiling.optical_paths}) {
      if (__builtin_mul_overflow(frames, factor, &frames))
        return DataLoss("tiled image with too many tiles");
    }
    if (frames != format.frames) {
      return DataLoss("tiled image of " + std::to_string(frames) + " tiles has " +
                      std::to_string(format.frames) + " frames");
    }
    return tiling;
  }
  if (groups.size() < static_cast<size_t>(format.frames))
    return DataLoss("tiled image with fewer places than frames");
  tiling.focal_planes = tiling.optical_paths =
      1;  // places say it all; planes and paths are not told apart here
  for (int64_t i = 0; i < format.frames; ++i) {
    const DataSet* place = groups[static_cast<size_t>(i)].Item(kPlanePositionsSlide);
    const std::optional<int64_t> column =
        place ? place->Integer(kTileColumn, Vr('S', 'L')) : std::nullopt;
    const std::optional<int64_t> row =
        place ? place->Integer(kTileRow, Vr('S', 'L')) : std::nullopt;
    // Places count from 1.
    if (!column || !row || *column < 1 || *row < 1 || *column > *columns || *row > *rows) {
      return DataLoss("tile " + std::to_string(i) +
                      " has no place inside of the total pixel matrix");
    }
    tiling.sparse.push_back({*column - 1, *row - 1, 0, 0});
  }
  return tiling;
}

}  // namespace dicom
}  // namespace galen

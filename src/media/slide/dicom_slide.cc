#include "media/slide/dicom_slide.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "media/dicom/dicom_file.h"
#include "media/dicom/dicom_set.h"

namespace galen {
namespace {

struct Level {
  DicomFile file;
  DicomTiling tiling;
};

// Labels and overviews are pictures of the glass, not levels (PS3.3 C.8.12.4.1.1).
bool IsVolumeImage(const DicomFile& file) {
  const auto& type = file.info().image_type;
  const auto has = [&](const char* word) {
    return std::find(type.begin(), type.end(), word) != type.end();
  };
  return !has("LABEL") && !has("OVERVIEW");
}

void CopyTile(const Image& tile, int64_t at_x, int64_t at_y, Image* out) {
  const int64_t x0 = std::max<int64_t>(0, at_x), x1 = std::min(out->width, at_x + tile.width);
  const int64_t y0 = std::max<int64_t>(0, at_y), y1 = std::min(out->height, at_y + tile.height);
  for (int64_t y = y0; y < y1 && x0 < x1; ++y) {
    const uint8_t* in = tile.row(y - at_y);
    if (tile.channels == 3) {
      std::memcpy(out->row(y) + x0 * 3, in + (x0 - at_x) * 3, static_cast<size_t>((x1 - x0) * 3));
      continue;
    }
    for (int64_t x = x0; x < x1; ++x) std::memset(out->row(y) + x * 3, in[x - at_x], 3);
  }
}

class DicomSlide : public Slide {
 public:
  Status Add(const DicomFile& file, const DicomSlideOptions& options) {
    ASSIGN_OR_RETURN(DicomTiling tiling, file.Tiling());
    if (tiling.total_columns < 1 || tiling.total_rows < 1 || tiling.tile_columns < 1 ||
        tiling.tile_rows < 1 || std::max(tiling.total_columns, tiling.total_rows) > kMostSide) {
      return DataLoss("a slide of an impossible size");
    }
    const auto [width, height] = std::pair(tiling.tile_columns, tiling.tile_rows);
    if (std::max(width, height) > options.most_tile_side ||
        width < std::min(options.least_tile_side, tiling.total_columns) ||
        height < std::min(options.least_tile_side, tiling.total_rows)) {
      return InvalidArgument("a slide whose tiles have " + std::to_string(width) + "x" +
                             std::to_string(height) + " pixels; sides of " +
                             std::to_string(options.least_tile_side) + " to " +
                             std::to_string(options.most_tile_side) + " are taken");
    }
    levels_.push_back({file, std::move(tiling)});
    return OkStatus();
  }

  Status Finish() {
    if (levels_.empty()) return NotFound("no level of a slide");
    std::stable_sort(levels_.begin(), levels_.end(), [](const Level& a, const Level& b) {
      return a.tiling.total_columns > b.tiling.total_columns;
    });
    info_.format = "dicom";
    const double width = static_cast<double>(levels_[0].tiling.total_columns);
    for (const Level& level : levels_) {
      info_.levels.push_back({level.tiling.total_columns, level.tiling.total_rows,
                              width / static_cast<double>(level.tiling.total_columns)});
    }
    const DicomTiling& finest = levels_[0].tiling;
    if (const auto spacing = levels_[0].file.Geometry(0).spacing) {
      info_.um_per_pixel = (*spacing)[1] * 1000;
      if (std::abs((*spacing)[0] / (*spacing)[1] - 1) > 0.01)
        info_.warnings.push_back("pixels are not square; the width is used");
    }
    if (finest.focal_planes > 1)
      info_.warnings.push_back("only the first of several focal planes is shown");
    if (finest.optical_paths > 1)
      info_.warnings.push_back("only the first of several optical paths is shown");
    return OkStatus();
  }

  Result<Image> Read(int level, int64_t x, int64_t y, int64_t width,
                     int64_t height) const override {
    RETURN_IF_ERROR(CheckRectangle(level, width, height));
    const Level& source = levels_[static_cast<size_t>(level)];
    const DicomTiling& tiling = source.tiling;
    Image image;
    image.width = width;
    image.height = height;
    image.pixels.assign(static_cast<size_t>(width * height * 3), 255);
    const int64_t right = std::min(x + width, tiling.total_columns);
    const int64_t bottom = std::min(y + height, tiling.total_rows);
    const int64_t first_column =
        std::max<int64_t>(0, x) / tiling.tile_columns * tiling.tile_columns;
    const int64_t first_row = std::max<int64_t>(0, y) / tiling.tile_rows * tiling.tile_rows;
    for (int64_t row = first_row; row < bottom; row += tiling.tile_rows) {
      for (int64_t column = first_column; column < right; column += tiling.tile_columns) {
        const auto frame = tiling.FrameAt(column, row);
        if (!frame) continue;  // a sparse slide leaves glass out
        const DicomTile place = tiling.Tile(*frame);
        ASSIGN_OR_RETURN(const Image tile, source.file.Render(*frame));
        CopyTile(tile, place.column - x, place.row - y, &image);
      }
    }
    // Tiles at the right and lower edges hold padding beyond the matrix.
    Whiten(std::max<int64_t>(0, tiling.total_columns - x),
           std::max<int64_t>(0, tiling.total_rows - y), &image);
    return image;
  }

 private:
  // Makes white what lies right of `right` or below `bottom`.
  static void Whiten(int64_t right, int64_t bottom, Image* image) {
    for (int64_t y = 0; y < image->height; ++y) {
      const int64_t from = y >= bottom ? 0 : std::min(right, image->width);
      std::memset(image->row(y) + from * 3, 255, static_cast<size_t>((image->width - from) * 3));
    }
  }

  std::vector<Level> levels_;
};

}  // namespace

bool IsDicomSlide(const std::string& path) {
  const Result<DicomSet> set = ReadDicomSet(path);
  if (!set.ok()) return false;
  for (const DicomStudy& study : set->studies) {
    for (const DicomSeries& series : study.series) {
      if (series.modality != "SM" || series.slices.empty()) continue;
      const Result<DicomFile> file = set->Open(series.slices[0].file);
      if (file.ok() && file->Tiling().ok()) return true;
    }
  }
  return false;
}

Result<std::unique_ptr<Slide>> OpenDicomSlide(const std::string& path,
                                              const DicomSlideOptions& options) {
  ASSIGN_OR_RETURN(const DicomSet set, ReadDicomSet(path, options.set));
  for (const DicomStudy& study : set.studies) {
    for (const DicomSeries& series : study.series) {
      if (series.modality != "SM") continue;
      auto slide = std::make_unique<DicomSlide>();
      bool any = false;
      for (const DicomSlice& slice : series.slices) {
        if (slice.frame != 0) continue;
        ASSIGN_OR_RETURN(const DicomFile file, set.Open(slice.file));
        if (!IsVolumeImage(file) || file.Tiling().status().code() == StatusCode::kNotFound)
          continue;
        if (Status status = slide->Add(file, options); !status.ok())
          return status.WithContext(path);
        any = true;
      }
      if (!any) continue;
      if (Status status = slide->Finish(); !status.ok()) return status.WithContext(path);
      return std::unique_ptr<Slide>(std::move(slide));
    }
  }
  return NotFound(path + " holds no level of a DICOM slide");
}

}  // namespace galen

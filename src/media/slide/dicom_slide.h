// DICOM whole slides (VL Whole Slide Microscopy): OpenSlide 3.4.1 cannot read them.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "media/dicom/dicom_set.h"
#include "media/slide/slide.h"

namespace galen {

// Whether a DICOM file, or the folder of a slide's levels, holds tiled images.
bool IsDicomSlide(const std::string& path);

struct DicomSlideOptions {
  DicomSetOptions set;
  // Sides of a level's tiles, which are decoded whole; a level of one tile may be smaller.
  int64_t least_tile_side = 1;
  int64_t most_tile_side = kMostSide;
};

// A file is a slide of one level; of a folder, the volume images of its first slide are the levels,
// labels and overviews are left out.
Result<std::unique_ptr<Slide>> OpenDicomSlide(const std::string& path,
                                              const DicomSlideOptions& options = {});

}  // namespace galen

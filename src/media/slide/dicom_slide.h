// DICOM whole slides (VL Whole Slide Microscopy): OpenSlide 3.4.1 cannot read them.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "media/slide/slide.h"

namespace galen {

// Whether a DICOM file, or the folder of a slide's levels, holds tiled images.
bool IsDicomSlide(const std::string& path);

// A file is a slide of one level; of a folder, the volume images of its first slide are the levels,
// labels and overviews are left out.
Result<std::unique_ptr<Slide>> OpenDicomSlide(const std::string& path);

}  // namespace galen

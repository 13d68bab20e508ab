// The order of the slices of a series, and what is odd about it.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "media/dicom/dicom_set.h"
#include "media/dicom/frame_groups.h"

namespace galen::dicom {

// What sorting needs to know of one slice.
struct SliceHeader {
  DicomSlice slice;
  DicomGeometry geometry;
  Digest128 instance;
  std::optional<int64_t> acquisition_number;
  int64_t rows = 0;
  int64_t columns = 0;
  int64_t level_columns = 0;  // of the whole matrix where the image is tiled, else 0
};

// Sorts `headers` into series->slices and sets order, normal, spacing, time points and warnings.
//
// CT and MR are sorted by position along the normal of the plane (PS3.3 C.7.6.2.1.1), because
// instance numbers run either way and restart; without positions by instance number. Tolerances:
// directions 2.5 degrees, equal places 0.01 mm or 1 % of the step, a gap 1.5 steps, an uneven step
// 10 %.
void OrderSeries(std::vector<SliceHeader> headers, DicomSeries* series);

}  // namespace galen::dicom

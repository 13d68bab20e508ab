// What is odd about the slices of a series: reported by name, never repaired in silence.
#pragma once

#include <optional>
#include <vector>

#include "media/dicom/series_order.h"

namespace galen::dicom {

// Distinct places of slices that are sorted by location: slice starts[i] is the first at place i;
// the last entry is the end.
struct Places {
  std::vector<size_t> starts;
  std::optional<double> step;  // median distance of neighbours, millimetres
};
Places FindPlaces(const std::vector<SliceHeader>& sorted);

// missing-slices, uneven-spacing, tilted-gantry.
void CheckSteps(const std::vector<SliceHeader>& sorted, const Places& places,
                DicomWarnings* warnings);
// no-positions, missing-instances: of slices that are sorted by instance number.
void CheckInstances(const std::vector<SliceHeader>& sorted, const DicomSeries& series,
                    DicomWarnings* warnings);
// mixed-size, mixed-spacing.
void CheckShapes(const std::vector<SliceHeader>& headers, DicomWarnings* warnings);

}  // namespace galen::dicom

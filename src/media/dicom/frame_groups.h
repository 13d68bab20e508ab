// What may differ from frame to frame: read from the functional groups of a multi-frame object
// (PS3.3 C.7.6.16: the frame's own, else the shared ones), or from the top level of a plain one.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "media/dicom/data_set.h"
#include "media/dicom/options.h"

namespace galen {

// Place of a frame in the patient coordinate system, in millimetres (PS3.3 C.7.6.2.1.1).
struct DicomGeometry {
  std::optional<std::array<double, 3>> position;     // centre of the first pixel
  std::optional<std::array<double, 6>> orientation;  // unit vectors along a row and down a column
  std::optional<std::array<double, 2>> spacing;  // between rows (down), between columns (across)
  std::string spacing_source;  // "PixelSpacing", "ImagerPixelSpacing" (at the detector), ...
  std::optional<double> thickness;
  std::optional<double> spacing_between_slices;
  std::optional<int64_t> temporal_position;

  // The normal of the plane, row x column; none without an orientation.
  std::optional<std::array<double, 3>> Normal() const;
};

namespace dicom {

// The first item of functional group `sequence` for frame i; null when there is none.
const DataSet* FindGroup(const DataSet& data_set, int64_t i, Tag sequence);

// The item that holds an attribute of group `sequence` for frame i: the functional group, else the
// data set itself.
const DataSet& GroupOrTop(const DataSet& data_set, int64_t i, Tag sequence);

// Positions, orientations and spacings that are no finite numbers, not of unit length, or not
// positive are left out, each with a warning.
DicomGeometry ReadGeometry(const DataSet& data_set, int64_t i, DicomWarnings* warnings);

}  // namespace dicom
}  // namespace galen

// Axial slices of a NIfTI volume as values, as /pixels gives them.
#pragma once

#include <cstdint>
#include <vector>

#include "base/status.h"
#include "media/dicom/render.h"
#include "media/volume/volume.h"

namespace galen::server {

struct VolumeValues {
  // kUint8, kInt8, kUint16 or kInt16 as stored, else kFloat32, the physical values.
  SampleType type = SampleType::kFloat32;
  std::vector<uint8_t> data;  // [rows, columns], host byte order
  int64_t rows = 0, columns = 0;
  double slope = 1, intercept = 0;  // a physical value is value * slope + intercept
  double low = 0, high = 0;         // of the physical values that are finite
  std::array<double, 2> spacing{};  // between rows, between columns; mm
};

// Slice k of the axial ones from head to foot, the order of recipes. Errors: as of Volume::Slice.
Result<VolumeValues> ReadVolumeValues(const Volume& volume, int64_t k, int64_t frame);

}  // namespace galen::server

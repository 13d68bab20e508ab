#include "server/documents/volume_values.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <optional>

namespace galen::server {
namespace {

std::optional<SampleType> SampleTypeOf(VoxelType type) {
  switch (type) {
    case VoxelType::kU8:
      return SampleType::kUint8;
    case VoxelType::kI8:
      return SampleType::kInt8;
    case VoxelType::kU16:
      return SampleType::kUint16;
    case VoxelType::kI16:
      return SampleType::kInt16;
    default:
      return std::nullopt;
  }
}

void SetRange(const std::vector<float>& physical, VolumeValues* values) {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const float value : physical) {
    if (!std::isfinite(value)) continue;
    low = std::min<double>(low, value);
    high = std::max<double>(high, value);
  }
  if (low <= high) {
    values->low = low;
    values->high = high;
  }
}

}  // namespace

Result<VolumeValues> ReadVolumeValues(const Volume& volume, int64_t k, int64_t frame) {
  const int64_t index = volume.num_slices(Plane::kAxial) - 1 - k;
  ASSIGN_OR_RETURN(const VolumeSlice slice, volume.Slice(Plane::kAxial, index, frame));
  VolumeValues values;
  values.rows = slice.height;
  values.columns = slice.width;
  values.spacing = {slice.spacing_mm[1], slice.spacing_mm[0]};
  SetRange(slice.values, &values);
  if (const auto type = SampleTypeOf(volume.header().type)) {
    ASSIGN_OR_RETURN(StoredSlice stored, volume.Stored(Plane::kAxial, index, frame));
    values.type = *type;
    values.slope = volume.header().slope;
    values.intercept = volume.header().intercept;
    values.data = std::move(stored.bytes);
    return values;
  }
  values.data.resize(slice.values.size() * sizeof(float));
  std::memcpy(values.data.data(), slice.values.data(), values.data.size());
  return values;
}

}  // namespace galen::server

// NIfTI: a volume that was accepted gives slices of the size it states.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "media/volume/volume.h"

using namespace galen;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  VolumeLimits limits;
  limits.voxel_bytes = uint64_t{1} << 20;
  const auto volume = Volume::FromBytes({data, data + size}, "input.nii", limits);
  if (!volume.ok()) {
    GALEN_CHECK(!volume.status().message().empty());
    return 0;
  }
  for (const Plane plane : {Plane::kAxial, Plane::kCoronal, Plane::kSagittal}) {
    const int64_t count = volume->num_slices(plane);
    GALEN_CHECK(count >= 1 && !volume->Slice(plane, count).ok());
    for (const int64_t i : {int64_t{0}, count - 1}) {
      const auto slice = volume->Slice(plane, i, volume->frames() - 1);
      GALEN_CHECK(slice.ok());
      GALEN_CHECK(slice->values.size() == static_cast<size_t>(slice->width * slice->height));
      GALEN_CHECK(slice->spacing_mm[0] > 0 && slice->spacing_mm[1] > 0);
    }
  }
  return 0;
}

// NIfTI volumes, turned to the patient's axes and cut into slices as a radiologist views them.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "media/volume/nifti_header.h"

namespace galen {

struct VolumeLimits {
  uint64_t file_bytes = uint64_t{4} << 30;
  uint64_t voxel_bytes = uint64_t{4} << 30;
};

enum class Plane { kAxial, kCoronal, kSagittal };
Result<Plane> ParsePlane(std::string_view name);  // "axial", "coronal", "sagittal"
std::string_view PlaneName(Plane plane);

// One slice in the radiological view. Axial: the patient's right on the left of the image, anterior
// on top. Coronal: right on the left, superior on top. Sagittal: anterior on the left, superior on
// top.
struct VolumeSlice {
  int64_t width = 0;
  int64_t height = 0;
  std::vector<float> values;           // [height, width], slope and intercept applied in double
  std::array<double, 2> spacing_mm{};  // of columns (along a row), of rows
};

// The same slice as it is stored: value * slope + intercept of the header is what VolumeSlice has.
struct StoredSlice {
  int64_t width = 0;
  int64_t height = 0;
  std::vector<uint8_t> bytes;  // [height, width] of header().type, native byte order
  std::array<double, 2> spacing_mm{};
};

class Volume {
 public:
  // .nii, .nii.gz, and .hdr/.img (either may be named), also packed.
  static Result<Volume> Open(const std::string& path, const VolumeLimits& limits = {});
  // A whole .nii or .nii.gz file. `name` is used in messages only.
  static Result<Volume> FromBytes(std::vector<uint8_t> bytes, const std::string& name,
                                  const VolumeLimits& limits = {});

  // Voxels along the axes to the right, anterior and superior (R, A, S): the closest of them, not
  // resampled.
  const std::array<int64_t, 3>& shape() const { return shape_; }
  const std::array<double, 3>& spacing_mm() const { return spacing_mm_; }
  int64_t frames() const { return header_.frames; }
  // Where the stored axes i, j, k point to, such as "LPS".
  const std::string& stored_orientation() const { return orientation_; }
  const NiftiHeader& header() const { return header_; }
  const std::vector<std::string>& warnings() const { return header_.warnings; }

  // Axial slices count upwards from inferior, coronal ones from posterior, sagittal ones from the
  // patient's left.
  int64_t num_slices(Plane plane) const;
  Result<VolumeSlice> Slice(Plane plane, int64_t index, int64_t frame = 0) const;
  Result<StoredSlice> Stored(Plane plane, int64_t index, int64_t frame = 0) const;

 private:
  // Where the voxels of a slice lie: that of column x and row y at start - y * down - x * across.
  struct Cut {
    int64_t width = 0, height = 0;
    std::array<double, 2> spacing_mm{};
    int64_t start = 0, across = 0, down = 0;
  };

  Volume() = default;
  Status FindAxes();
  Result<Cut> CutOf(Plane plane, int64_t index, int64_t frame) const;

  NiftiHeader header_;
  std::vector<uint8_t> voxels_;  // native byte order
  std::array<int64_t, 3> shape_{};
  std::array<double, 3> spacing_mm_{};
  std::array<int64_t, 3>
      stride_{};  // voxels between neighbours along R, A, S; negative where stored the other way
  int64_t first_ = 0;  // voxel at R = A = S = 0
  std::string orientation_;
};

}  // namespace galen

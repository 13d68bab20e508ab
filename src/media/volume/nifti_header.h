// NIfTI-1 and NIfTI-2 headers, checked before anything is allocated for them. The structures, byte
// swapping and the quaternion come from libnifti; galen reads the bytes itself, so that the library
// never opens, allocates or prints for a hostile file.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"

namespace galen {

// Bytes that ReadNiftiHeader needs: the header of NIfTI-2 and the four bytes that announce
// extensions.
inline constexpr size_t kNiftiHeaderBytes = 544;

enum class VoxelType { kU8, kI8, kU16, kI16, kU32, kI32, kU64, kI64, kF32, kF64 };
int64_t VoxelBytes(VoxelType type);

struct NiftiHeader {
  int version = 1;        // 1 or 2
  bool swapped = false;   // the other byte order than this machine's
  bool separate = false;  // voxels lie in an .img file
  VoxelType type = VoxelType::kU8;
  std::array<int64_t, 3> shape{};  // i, j, k as stored; i runs fastest
  int64_t frames = 1;              // fourth dimension
  uint64_t offset = 0;             // of the first voxel, within its file
  uint64_t bytes = 0;              // of all voxels
  double slope = 1, intercept = 0;
  // World coordinates (mm of the file's unit, +x right, +y anterior, +z superior) of voxel (i, j,
  // k): three rows of four.
  std::array<std::array<double, 4>, 3> affine{};
  double unit_mm = 1;  // length of one unit of the affine in mm
  std::vector<std::string> warnings;
};

// `max_bytes` bounds the voxels. The affine is the sform if its code is above 0, else the qform if
// its code is, else the spacing alone with x mirrored and the origin in the middle, as nibabel
// does, and then with a warning. kInvalidArgument: no NIfTI; kDataLoss: a damaged or hostile
// header; kUnsupported: complex, RGB, ANALYZE 7.5, five dimensions.
Result<NiftiHeader> ReadNiftiHeader(std::span<const uint8_t> bytes, uint64_t max_bytes);

}  // namespace galen

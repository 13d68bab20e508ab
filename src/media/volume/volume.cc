#include "media/volume/volume.h"

#include <nifti/nifti2_io.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/files.h"
#include "media/volume/inflate.h"

namespace galen {
namespace {

// Below this share of the product of its columns' lengths, the determinant of the affine says that
// axes fall together.
constexpr double kLeastDeterminant = 1e-4;

bool EndsWith(const std::string& s, std::string_view end) {
  return s.size() >= end.size() && s.compare(s.size() - end.size(), end.size(), end) == 0;
}

// "x.hdr" -> "x.img", "x.hdr.gz" -> "x.img.gz", or back; empty if the name is neither.
std::string OtherOfPair(const std::string& path, std::string_view from, std::string_view to) {
  for (const std::string_view packed : {"", ".gz"}) {
    const std::string end = std::string(from).append(packed);
    if (EndsWith(path, end))
      return path.substr(0, path.size() - end.size()).append(to).append(packed);
  }
  return "";
}

// The given file, or the same packed or unpacked.
Result<std::vector<uint8_t>> ReadEither(const std::string& path, uint64_t max_bytes) {
  std::string file = path;
  if (!FileExists(file))
    file = EndsWith(path, ".gz") ? path.substr(0, path.size() - 3) : path + ".gz";
  if (!FileExists(file)) file = path;
  ASSIGN_OR_RETURN(const std::string bytes, ReadFile(file, max_bytes));
  return std::vector<uint8_t>(bytes.begin(), bytes.end());
}

// The first `wanted` bytes of a file's content, unpacked.
Result<std::vector<uint8_t>> Content(std::span<const uint8_t> file, size_t wanted) {
  if (IsGzip(file)) return Inflate(file, wanted);
  return std::vector<uint8_t>(file.begin(),
                              file.begin() + static_cast<ptrdiff_t>(std::min(wanted, file.size())));
}

// The voxels that the header promises, in native order.
Result<std::vector<uint8_t>> ReadVoxels(std::span<const uint8_t> file, const NiftiHeader& header) {
  // offset <= 2^62 and bytes <= the limit, so the sum does not wrap.
  if (header.offset + header.bytes < header.bytes) return DataLoss("an impossible offset");
  if (!IsGzip(file) && header.offset + header.bytes > file.size()) {
    return DataLoss("the file ends before its voxels do: " + std::to_string(file.size()) + " of " +
                    std::to_string(header.offset + header.bytes) + " bytes");
  }
  // Extensions lie before the voxels. They may be large, but not larger than what any voxels may
  // be.
  if (header.offset > (uint64_t{1} << 32))
    return ResourceExhausted("header extensions above 4 GiB");
  ASSIGN_OR_RETURN(std::vector<uint8_t> bytes,
                   Content(file, static_cast<size_t>(header.offset + header.bytes)));
  if (bytes.size() < header.offset + header.bytes) {
    return DataLoss("the packed file ends before its voxels do");
  }
  bytes.erase(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(header.offset));
  const int size = static_cast<int>(VoxelBytes(header.type));
  if (header.swapped && size > 1) {
    nifti_swap_Nbytes(static_cast<int64_t>(bytes.size()) / size, size, bytes.data());
  }
  return bytes;
}

template <typename T>
double LoadVoxel(const uint8_t* voxels, int64_t index) {
  T value;
  std::memcpy(&value, voxels + index * static_cast<int64_t>(sizeof(T)), sizeof(T));
  return static_cast<double>(value);
}

using Loader = double (*)(const uint8_t*, int64_t);

Loader LoaderOf(VoxelType type) {
  switch (type) {
    case VoxelType::kU8:
      return LoadVoxel<uint8_t>;
    case VoxelType::kI8:
      return LoadVoxel<int8_t>;
    case VoxelType::kU16:
      return LoadVoxel<uint16_t>;
    case VoxelType::kI16:
      return LoadVoxel<int16_t>;
    case VoxelType::kU32:
      return LoadVoxel<uint32_t>;
    case VoxelType::kI32:
      return LoadVoxel<int32_t>;
    case VoxelType::kU64:
      return LoadVoxel<uint64_t>;
    case VoxelType::kI64:
      return LoadVoxel<int64_t>;
    case VoxelType::kF32:
      return LoadVoxel<float>;
    default:
      return LoadVoxel<double>;
  }
}

double Determinant(const nifti_dmat33& m) {
  return m.m[0][0] * (m.m[1][1] * m.m[2][2] - m.m[1][2] * m.m[2][1]) -
         m.m[0][1] * (m.m[1][0] * m.m[2][2] - m.m[1][2] * m.m[2][0]) +
         m.m[0][2] * (m.m[1][0] * m.m[2][1] - m.m[1][1] * m.m[2][0]);
}

// For each stored axis the world axis that it follows most closely, by nibabel's rule
// (io_orientation): the closest rotation, then its axes in the order of how clearly they point,
// each taking the best world axis that is left.
std::array<size_t, 3> WorldAxes(const nifti_dmat33& rotation) {
  std::array<size_t, 3> order = {0, 1, 2}, world{};
  const auto strength = [&](size_t c) {
    return std::max(
        {std::abs(rotation.m[0][c]), std::abs(rotation.m[1][c]), std::abs(rotation.m[2][c])});
  };
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return strength(a) > strength(b); });
  std::array<bool, 3> taken{};
  for (const size_t c : order) {
    double best = -1;
    for (size_t r = 0; r < 3; ++r) {
      if (taken[r] || std::abs(rotation.m[r][c]) <= best) continue;
      best = std::abs(rotation.m[r][c]);
      world[c] = r;
    }
    taken[world[c]] = true;
  }
  return world;
}

}  // namespace

Result<Plane> ParsePlane(std::string_view name) {
  for (const Plane plane : {Plane::kAxial, Plane::kCoronal, Plane::kSagittal}) {
    if (name == PlaneName(plane)) return plane;
  }
  return InvalidArgument(std::string("no plane '")
                             .append(name.substr(0, 40))
                             .append("'; there are axial, coronal and sagittal"));
}

std::string_view PlaneName(Plane plane) {
  return plane == Plane::kAxial ? "axial" : plane == Plane::kCoronal ? "coronal" : "sagittal";
}

Result<Volume> Volume::Open(const std::string& path, const VolumeLimits& limits) {
  const std::string header_path = OtherOfPair(path, ".img", ".hdr");
  const std::string& first = header_path.empty() ? path : header_path;
  ASSIGN_OR_RETURN(std::vector<uint8_t> file, ReadEither(first, limits.file_bytes));
  const std::string image_path = OtherOfPair(first, ".hdr", ".img");
  if (image_path.empty()) return FromBytes(std::move(file), path, limits);

  const auto read_pair = [&]() -> Result<Volume> {
    Volume volume;
    ASSIGN_OR_RETURN(const std::vector<uint8_t> start, Content(file, kNiftiHeaderBytes));
    ASSIGN_OR_RETURN(volume.header_, ReadNiftiHeader(start, limits.voxel_bytes));
    if (!volume.header_.separate) return FromBytes(std::move(file), path, limits);
    ASSIGN_OR_RETURN(const std::vector<uint8_t> image, ReadEither(image_path, limits.file_bytes));
    ASSIGN_OR_RETURN(volume.voxels_, ReadVoxels(image, volume.header_));
    RETURN_IF_ERROR(volume.FindAxes());
    return volume;
  };
  Result<Volume> volume = read_pair();
  if (!volume.ok()) return volume.status().WithContext(path);
  return volume;
}

Result<Volume> Volume::FromBytes(std::vector<uint8_t> bytes, const std::string& name,
                                 const VolumeLimits& limits) {
  const auto read = [&]() -> Result<Volume> {
    Volume volume;
    ASSIGN_OR_RETURN(const std::vector<uint8_t> start, Content(bytes, kNiftiHeaderBytes));
    ASSIGN_OR_RETURN(volume.header_, ReadNiftiHeader(start, limits.voxel_bytes));
    if (volume.header_.separate) {
      return InvalidArgument("a header whose voxels lie in another file; name them .hdr and .img");
    }
    ASSIGN_OR_RETURN(volume.voxels_, ReadVoxels(bytes, volume.header_));
    RETURN_IF_ERROR(volume.FindAxes());
    return volume;
  };
  Result<Volume> volume = read();
  if (!volume.ok()) return volume.status().WithContext(name);
  return volume;
}

Status Volume::FindAxes() {
  nifti_dmat33 directions;
  double length[3];
  for (size_t c = 0; c < 3; ++c) {
    length[c] = std::hypot(header_.affine[0][c], header_.affine[1][c], header_.affine[2][c]);
    if (!(length[c] > 0) || !std::isfinite(length[c])) {
      return DataLoss("a voxel spacing of " + std::to_string(length[c]));
    }
    for (size_t r = 0; r < 3; ++r) directions.m[r][c] = header_.affine[r][c] / length[c];
  }
  if (std::abs(Determinant(directions)) < kLeastDeterminant) {
    return DataLoss("an affine whose axes fall together");
  }
  const nifti_dmat33 rotation = nifti_dmat33_polar(directions);
  const std::array<size_t, 3> world = WorldAxes(rotation);
  static constexpr std::string_view kPlus = "RAS", kMinus = "LPI";
  int64_t step = 1;
  first_ = 0;
  orientation_.clear();
  for (size_t c = 0; c < 3; ++c) {
    const size_t r = world[c];
    const bool forward = rotation.m[r][c] > 0;
    shape_[r] = header_.shape[c];
    spacing_mm_[r] = length[c] * header_.unit_mm;
    stride_[r] = forward ? step : -step;
    if (!forward) first_ += step * (header_.shape[c] - 1);
    orientation_ += forward ? kPlus[r] : kMinus[r];
    step *= header_.shape[c];
  }
  return OkStatus();
}

int64_t Volume::num_slices(Plane plane) const {
  return shape_[plane == Plane::kAxial ? 2 : plane == Plane::kCoronal ? 1 : 0];
}

Result<Volume::Cut> Volume::CutOf(Plane plane, int64_t index, int64_t frame) const {
  if (index < 0 || index >= num_slices(plane) || frame < 0 || frame >= frames()) {
    return InvalidArgument("slice " + std::to_string(index) + " of frame " + std::to_string(frame) +
                           ": there are " + std::to_string(num_slices(plane)) + " " +
                           std::string(PlaneName(plane)) + " slices and " +
                           std::to_string(frames()) + " frames");
  }
  // World axes of columns, rows and the normal. All columns and rows run against their axis: from
  // right to left, from anterior to posterior, from superior to inferior.
  const size_t across = plane == Plane::kSagittal ? 1 : 0;
  const size_t down = plane == Plane::kAxial ? 1 : 2;
  const size_t normal = plane == Plane::kAxial ? 2 : plane == Plane::kCoronal ? 1 : 0;
  Cut cut;
  cut.width = shape_[across];
  cut.height = shape_[down];
  cut.spacing_mm = {spacing_mm_[across], spacing_mm_[down]};
  cut.across = stride_[across];
  cut.down = stride_[down];
  cut.start = first_ + frame * shape_[0] * shape_[1] * shape_[2] + index * stride_[normal] +
              (cut.width - 1) * cut.across + (cut.height - 1) * cut.down;
  return cut;
}

Result<VolumeSlice> Volume::Slice(Plane plane, int64_t index, int64_t frame) const {
  ASSIGN_OR_RETURN(const Cut cut, CutOf(plane, index, frame));
  VolumeSlice slice;
  slice.width = cut.width;
  slice.height = cut.height;
  slice.spacing_mm = cut.spacing_mm;
  slice.values.resize(static_cast<size_t>(slice.width * slice.height));
  const Loader load = LoaderOf(header_.type);
  float* out = slice.values.data();
  for (int64_t y = 0; y < slice.height; ++y) {
    for (int64_t x = 0; x < slice.width; ++x) {
      const double value = load(voxels_.data(), cut.start - y * cut.down - x * cut.across);
      *out++ = static_cast<float>(value * header_.slope + header_.intercept);
    }
  }
  return slice;
}

Result<StoredSlice> Volume::Stored(Plane plane, int64_t index, int64_t frame) const {
  ASSIGN_OR_RETURN(const Cut cut, CutOf(plane, index, frame));
  StoredSlice slice;
  slice.width = cut.width;
  slice.height = cut.height;
  slice.spacing_mm = cut.spacing_mm;
  const int64_t size = VoxelBytes(header_.type);
  slice.bytes.resize(static_cast<size_t>(slice.width * slice.height * size));
  uint8_t* out = slice.bytes.data();
  for (int64_t y = 0; y < slice.height; ++y) {
    for (int64_t x = 0; x < slice.width; ++x, out += size) {
      const int64_t voxel = cut.start - y * cut.down - x * cut.across;
      std::memcpy(out, voxels_.data() + voxel * size, static_cast<size_t>(size));
    }
  }
  return slice;
}

}  // namespace galen

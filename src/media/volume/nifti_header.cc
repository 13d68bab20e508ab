#include "media/volume/nifti_header.h"

#include <nifti/nifti2_io.h>

#include <cmath>
#include <cstring>

namespace galen {
namespace {

// What both versions say, in native byte order.
struct Fields {
  int64_t dim[8];
  double pixdim[8];
  int datatype, bitpix, units;
  int qform, sform;
  double offset, slope, intercept;
  double quaternion[3], shift[3];
  double rows[3][4];
  bool single;
};

template <typename Header>
Fields FieldsOf(const Header& h) {
  Fields f = {};
  for (int i = 0; i < 8; ++i) {
    f.dim[i] = h.dim[i];
    f.pixdim[i] = h.pixdim[i];
  }
  f.datatype = h.datatype;
  f.bitpix = h.bitpix;
  f.units = h.xyzt_units & 0x07;
  f.qform = h.qform_code;
  f.sform = h.sform_code;
  f.offset = static_cast<double>(h.vox_offset);
  f.slope = h.scl_slope;
  f.intercept = h.scl_inter;
  f.quaternion[0] = h.quatern_b, f.quaternion[1] = h.quatern_c, f.quaternion[2] = h.quatern_d;
  f.shift[0] = h.qoffset_x, f.shift[1] = h.qoffset_y, f.shift[2] = h.qoffset_z;
  for (int i = 0; i < 4; ++i) {
    f.rows[0][i] = h.srow_x[i], f.rows[1][i] = h.srow_y[i], f.rows[2][i] = h.srow_z[i];
  }
  f.single = h.magic[1] == '+';
  return f;
}

bool IsMagic(const char* magic, char version) {
  return magic[0] == 'n' && (magic[1] == '+' || magic[1] == 'i') && magic[2] == version &&
         magic[3] == 0;
}

// Sets version and byte order, and unpacks the fields.
Result<Fields> Unpack(std::span<const uint8_t> bytes, NiftiHeader* header) {
  const Status none = InvalidArgument("no NIfTI header");
  int32_t size = 0;
  if (bytes.size() < sizeof(nifti_1_header)) return none;
  std::memcpy(&size, bytes.data(), sizeof(size));
  const int32_t other = static_cast<int32_t>(__builtin_bswap32(static_cast<uint32_t>(size)));
  header->swapped = other == sizeof(nifti_1_header) || other == sizeof(nifti_2_header);
  if (header->swapped) size = other;
  if (size == sizeof(nifti_1_header)) {
    nifti_1_header h;
    std::memcpy(&h, bytes.data(), sizeof(h));
    if (!IsMagic(h.magic, '1')) {
      return Unsupported(
          "an ANALYZE 7.5 header, which does not say what is left; convert it to NIfTI");
    }
    if (header->swapped) nifti_swap_as_nifti1(&h);
    header->version = 1;
    return FieldsOf(h);
  }
  if (size != sizeof(nifti_2_header) || bytes.size() < sizeof(nifti_2_header)) return none;
  nifti_2_header h;
  std::memcpy(&h, bytes.data(), sizeof(h));
  if (!IsMagic(h.magic, '2')) return none;
  if (header->swapped) nifti_swap_as_nifti2(&h);
  header->version = 2;
  return FieldsOf(h);
}

Result<VoxelType> TypeOf(int datatype) {
  switch (datatype) {
    case NIFTI_TYPE_UINT8:
      return VoxelType::kU8;
    case NIFTI_TYPE_INT8:
      return VoxelType::kI8;
    case NIFTI_TYPE_UINT16:
      return VoxelType::kU16;
    case NIFTI_TYPE_INT16:
      return VoxelType::kI16;
    case NIFTI_TYPE_UINT32:
      return VoxelType::kU32;
    case NIFTI_TYPE_INT32:
      return VoxelType::kI32;
    case NIFTI_TYPE_UINT64:
      return VoxelType::kU64;
    case NIFTI_TYPE_INT64:
      return VoxelType::kI64;
    case NIFTI_TYPE_FLOAT32:
      return VoxelType::kF32;
    case NIFTI_TYPE_FLOAT64:
      return VoxelType::kF64;
    default:
      return Unsupported("voxels of NIfTI type " + std::to_string(datatype) +
                         "; galen reads integers of 8 to 64 bits and floats of 32 and 64 bits");
  }
}

Status ReadShape(const Fields& f, NiftiHeader* header, uint64_t max_bytes) {
  if (f.dim[0] < 1 || f.dim[0] > 7) {
    return DataLoss("a number of dimensions of " + std::to_string(f.dim[0]));
  }
  uint64_t bytes = static_cast<uint64_t>(VoxelBytes(header->type));
  for (int64_t d = 1; d <= f.dim[0]; ++d) {
    if (f.dim[d] < 1) {
      return DataLoss("dimension " + std::to_string(d) + " is " + std::to_string(f.dim[d]));
    }
    if (d > 4 && f.dim[d] > 1) return Unsupported("more than four dimensions");
    if (__builtin_mul_overflow(bytes, static_cast<uint64_t>(f.dim[d]), &bytes) ||
        bytes > max_bytes) {
      return ResourceExhausted("voxels of more than the limit of " + std::to_string(max_bytes) +
                               " bytes");
    }
  }
  for (size_t d = 0; d < 3; ++d) {
    header->shape[d] = static_cast<int64_t>(d) < f.dim[0] ? f.dim[d + 1] : 1;
  }
  header->frames = f.dim[0] >= 4 ? f.dim[4] : 1;
  header->bytes = bytes;
  return OkStatus();
}

Status ReadOffset(const Fields& f, NiftiHeader* header) {
  // 2^62 bounds what is converted; that it lies inside the file is checked where the file is at
  // hand.
  const double least = !f.single ? 0 : header->version == 1 ? 352 : 544;
  if (!(f.offset >= 0) || f.offset > 0x1p62 || f.offset != std::floor(f.offset)) {
    return DataLoss("an offset of the voxels that is no byte position");
  }
  // Old writers leave 0 in single files; the voxels then follow the header.
  header->offset = static_cast<uint64_t>(f.offset == 0 ? least : f.offset);
  if (static_cast<double>(header->offset) < least) {
    return DataLoss("voxels that begin inside the header");
  }
  return OkStatus();
}

Status ReadScale(const Fields& f, NiftiHeader* header) {
  // As nibabel: a slope of 0 or one that is no number means unscaled.
  if (f.slope == 0 || !std::isfinite(f.slope)) return OkStatus();
  if (!std::isfinite(f.intercept)) return DataLoss("an intercept that is no number");
  header->slope = f.slope;
  header->intercept = f.intercept;
  return OkStatus();
}

Status ReadAffine(const Fields& f, NiftiHeader* header) {
  double spacing[3];
  for (int d = 0; d < 3; ++d) {
    const bool used = d < f.dim[0];
    spacing[d] = used ? std::abs(f.pixdim[d + 1]) : 1;
    if (!std::isfinite(spacing[d])) {
      return DataLoss("a voxel spacing that is no number (pixdim[" + std::to_string(d + 1) + "])");
    }
    if (used && f.pixdim[d + 1] < 0)
      header->warnings.push_back("a negative voxel spacing was taken as positive");
  }
  if (f.sform > 0) {
    for (size_t r = 0; r < 3; ++r) {
      for (size_t c = 0; c < 4; ++c) header->affine[r][c] = f.rows[r][c];
    }
  } else if (f.qform > 0) {
    double sum = 0;
    for (const double q : f.quaternion) sum += q * q;
    // A unit quaternion, stored in floats.
    if (!(sum <= 1 + 1e-5)) return DataLoss("a quaternion that is no rotation");
    const nifti_dmat44 m = nifti_quatern_to_dmat44(
        f.quaternion[0], f.quaternion[1], f.quaternion[2], f.shift[0], f.shift[1], f.shift[2],
        spacing[0], spacing[1], spacing[2], f.pixdim[0] < 0 ? -1 : 1);
    for (size_t r = 0; r < 3; ++r) {
      for (size_t c = 0; c < 4; ++c) header->affine[r][c] = m.m[r][c];
    }
  } else {
    header->warnings.push_back(
        "the file does not say how it lies in the patient (neither sform nor qform): left and "
        "right are assumed, not known");
    for (size_t d = 0; d < 3; ++d) {
      const double step = d == 0 ? -spacing[d] : spacing[d];
      header->affine[d][d] = step;
      header->affine[d][3] = -step * static_cast<double>(header->shape[d] - 1) / 2;
    }
  }
  for (const auto& row : header->affine) {
    for (const double value : row) {
      if (!std::isfinite(value)) return DataLoss("an affine with values that are no numbers");
    }
  }
  return OkStatus();
}

}  // namespace

int64_t VoxelBytes(VoxelType type) {
  switch (type) {
    case VoxelType::kU8:
    case VoxelType::kI8:
      return 1;
    case VoxelType::kU16:
    case VoxelType::kI16:
      return 2;
    case VoxelType::kU32:
    case VoxelType::kI32:
    case VoxelType::kF32:
      return 4;
    default:
      return 8;
  }
}

Result<NiftiHeader> ReadNiftiHeader(std::span<const uint8_t> bytes, uint64_t max_bytes) {
  NiftiHeader header;
  ASSIGN_OR_RETURN(const Fields f, Unpack(bytes, &header));
  ASSIGN_OR_RETURN(header.type, TypeOf(f.datatype));
  if (f.bitpix != 8 * VoxelBytes(header.type)) {
    return DataLoss("a voxel of " + std::to_string(f.bitpix) +
                    " bits, which its type does not have");
  }
  header.separate = !f.single;
  RETURN_IF_ERROR(ReadShape(f, &header, max_bytes));
  RETURN_IF_ERROR(ReadOffset(f, &header));
  RETURN_IF_ERROR(ReadScale(f, &header));
  RETURN_IF_ERROR(ReadAffine(f, &header));
  switch (f.units) {
    case NIFTI_UNITS_METER:
      header.unit_mm = 1000;
      break;
    case NIFTI_UNITS_MICRON:
      header.unit_mm = 0.001;
      break;
    case NIFTI_UNITS_MM:
      break;
    default:
      header.warnings.push_back("the unit of length is not stated; millimetres are assumed");
  }
  return header;
}

}  // namespace galen

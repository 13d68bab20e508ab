#include "media/volume/volume.h"

#include <gtest/gtest.h>
#include <nifti/nifti2_io.h>
#include <zlib.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>

#include "base/child.h"
#include "base/files.h"
#include "media/volume/inflate.h"

namespace galen {
namespace {

using Bytes = std::vector<uint8_t>;

// A volume of 2x3x4 int16 voxels 0, 1, 2, ... with the identity as its sform.
nifti_1_header Header() {
  nifti_1_header h = {};
  h.sizeof_hdr = 348;
  const short dim[8] = {3, 2, 3, 4, 1, 1, 1, 1};
  std::memcpy(h.dim, dim, sizeof(dim));
  h.datatype = NIFTI_TYPE_INT16;
  h.bitpix = 16;
  for (float& p : h.pixdim) p = 1;
  h.vox_offset = 352;
  h.xyzt_units = NIFTI_UNITS_MM;
  h.sform_code = 1;
  h.srow_x[0] = h.srow_y[1] = h.srow_z[2] = 1;
  std::memcpy(h.magic, "n+1", 4);
  return h;
}

Bytes Voxels(size_t count = 24) {
  Bytes bytes;
  for (size_t i = 0; i < count; ++i) {
    bytes.push_back(static_cast<uint8_t>(i & 255));
    bytes.push_back(static_cast<uint8_t>(i >> 8));
  }
  return bytes;
}

template <typename H>
Bytes File(const H& header, const Bytes& voxels, size_t offset = 352) {
  Bytes bytes(offset);
  std::memcpy(bytes.data(), &header, sizeof(header));
  bytes.insert(bytes.end(), voxels.begin(), voxels.end());
  return bytes;
}

Result<Volume> Read(const nifti_1_header& header, const VolumeLimits& limits = {}) {
  return Volume::FromBytes(File(header, Voxels()), "test.nii", limits);
}

Bytes Gzip(const Bytes& bytes) {
  z_stream z = {};
  deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  Bytes out(deflateBound(&z, bytes.size()));
  z.next_in = const_cast<uint8_t*>(bytes.data());
  z.avail_in = static_cast<uInt>(bytes.size());
  z.next_out = out.data();
  z.avail_out = static_cast<uInt>(out.size());
  deflate(&z, Z_FINISH);
  out.resize(out.size() - z.avail_out);
  deflateEnd(&z);
  return out;
}

Status ErrorOf(const std::function<void(nifti_1_header*)>& change) {
  nifti_1_header header = Header();
  change(&header);
  return Read(header).status();
}

TEST(Volume, RadiologicalView) {
  const auto volume = Read(Header());
  ASSERT_TRUE(volume.ok()) << volume.status().message();
  EXPECT_EQ(volume->stored_orientation(), "RAS");
  EXPECT_TRUE(volume->warnings().empty());
  EXPECT_EQ(volume->num_slices(Plane::kAxial), 4);
  // Voxel (i, j, k) holds i + 2 j + 6 k. Right (large i) is on the left, anterior (large j) on top.
  EXPECT_EQ(volume->Slice(Plane::kAxial, 1)->values, (std::vector<float>{11, 10, 9, 8, 7, 6}));
  const auto coronal = volume->Slice(Plane::kCoronal, 2);
  EXPECT_EQ(coronal->width, 2);
  EXPECT_EQ(coronal->height, 4);
  EXPECT_EQ(coronal->values, (std::vector<float>{23, 22, 17, 16, 11, 10, 5, 4}));
  EXPECT_EQ(volume->Slice(Plane::kSagittal, 0)->values,
            (std::vector<float>{22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0}));
  EXPECT_FALSE(volume->Slice(Plane::kAxial, 4).ok());
  EXPECT_FALSE(volume->Slice(Plane::kAxial, -1).ok());
  EXPECT_FALSE(volume->Slice(Plane::kAxial, 0, 1).ok());
}

// The same anatomy stored in another order gives the same slices.
TEST(Volume, StoredSlicesHaveTheFilesOwnValues) {
  nifti_1_header header = Header();
  header.scl_slope = 0.5F;
  header.scl_inter = -3;
  header.srow_x[0] = -2;  // stored from right to left
  for (const bool two_bytes : {true, false}) {
    header.datatype = two_bytes ? NIFTI_TYPE_INT16 : NIFTI_TYPE_UINT8;
    header.bitpix = two_bytes ? 16 : 8;
    const auto volume = Volume::FromBytes(File(header, Voxels()), "test.nii");
    ASSERT_TRUE(volume.ok()) << volume.status().message();
    for (const Plane plane : {Plane::kAxial, Plane::kCoronal, Plane::kSagittal}) {
      const auto stored = volume->Stored(plane, 1);
      const auto slice = volume->Slice(plane, 1);
      ASSERT_TRUE(stored.ok() && slice.ok());
      EXPECT_EQ(stored->width, slice->width);
      EXPECT_EQ(stored->spacing_mm, slice->spacing_mm);
      ASSERT_EQ(stored->bytes.size(), slice->values.size() * (two_bytes ? 2 : 1));
      for (size_t i = 0; i < slice->values.size(); ++i) {
        const int value =
            two_bytes ? stored->bytes[2 * i] + 256 * stored->bytes[2 * i + 1] : stored->bytes[i];
        EXPECT_EQ(static_cast<float>(value * 0.5 - 3), slice->values[i]);
      }
    }
    EXPECT_EQ(volume->Stored(Plane::kAxial, 4).status().code(), StatusCode::kInvalidArgument);
    EXPECT_EQ(volume->Stored(Plane::kAxial, 0, 1).status().code(), StatusCode::kInvalidArgument);
  }
}

TEST(Volume, StoredOrderDoesNotMatter) {
  nifti_1_header turned = Header();
  const short dim[8] = {3, 4, 2, 3,
                        1, 1, 1, 1};  // i runs down (inferior), j to the left, k to the front
  std::memcpy(turned.dim, dim, sizeof(dim));
  std::memset(turned.srow_x, 0, 3 * sizeof(turned.srow_x));
  turned.srow_z[0] = -2.5f, turned.srow_x[1] = -0.5f, turned.srow_y[2] = 0.75f;
  Bytes voxels;
  for (int a = 0; a < 3; ++a) {
    for (int l = 0; l < 2; ++l) {
      for (int d = 0; d < 4; ++d) {
        voxels.push_back(static_cast<uint8_t>((1 - l) + 2 * a + 6 * (3 - d)));
        voxels.push_back(0);
      }
    }
  }
  const auto plain = Read(Header());
  const auto volume = Volume::FromBytes(File(turned, voxels), "turned.nii");
  ASSERT_TRUE(volume.ok()) << volume.status().message();
  EXPECT_EQ(volume->stored_orientation(), "ILA");
  EXPECT_EQ(volume->shape(), plain->shape());
  EXPECT_EQ(volume->spacing_mm(), (std::array<double, 3>{0.5, 0.75, 2.5}));
  for (const Plane plane : {Plane::kAxial, Plane::kCoronal, Plane::kSagittal}) {
    for (int64_t i = 0; i < plain->num_slices(plane); ++i) {
      EXPECT_EQ(volume->Slice(plane, i)->values, plain->Slice(plane, i)->values) << i;
    }
  }
}

TEST(Volume, BothByteOrdersBothVersions) {
  nifti_1_header big = Header();
  nifti_swap_as_nifti1(&big);
  Bytes voxels = Voxels();
  nifti_swap_2bytes(24, voxels.data());
  const auto plain = Read(Header());
  const auto swapped = Volume::FromBytes(File(big, voxels), "big.nii");
  ASSERT_TRUE(swapped.ok()) << swapped.status().message();
  EXPECT_EQ(swapped->Slice(Plane::kAxial, 2)->values, plain->Slice(Plane::kAxial, 2)->values);

  nifti_2_header second = {};
  second.sizeof_hdr = 540;
  std::memcpy(second.magic, "n+2\0\r\n\032\n", 8);
  const int64_t dim[8] = {3, 2, 3, 4, 1, 1, 1, 1};
  std::memcpy(second.dim, dim, sizeof(dim));
  second.datatype = NIFTI_TYPE_INT16;
  second.bitpix = 16;
  for (double& p : second.pixdim) p = 1;
  second.vox_offset = 544;
  second.qform_code = 1;  // the identity
  const auto two = Volume::FromBytes(File(second, Voxels(), 544), "two.nii");
  ASSERT_TRUE(two.ok()) << two.status().message();
  EXPECT_EQ(two->header().version, 2);
  EXPECT_EQ(two->Slice(Plane::kAxial, 2)->values, plain->Slice(Plane::kAxial, 2)->values);
}

TEST(Volume, SlopeInterceptUnitsFrames) {
  nifti_1_header h = Header();
  h.scl_slope = 0.5f;
  h.scl_inter = -10;
  h.xyzt_units = NIFTI_UNITS_MICRON;
  h.dim[0] = 4;
  h.dim[3] = 2;
  h.dim[4] = 2;
  const auto volume = Read(h);
  ASSERT_TRUE(volume.ok());
  EXPECT_EQ(volume->frames(), 2);
  EXPECT_DOUBLE_EQ(volume->spacing_mm()[2], 0.001);
  EXPECT_EQ(volume->Slice(Plane::kAxial, 0, 1)->values.back(), 12 * 0.5f - 10);
  h.scl_slope = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(Read(h)->Slice(Plane::kAxial, 0, 1)->values.back(), 12);
}

TEST(Volume, TwoDimensionsAreOneSlice) {
  nifti_1_header h = Header();
  h.dim[0] = 2;
  h.pixdim[3] = std::numeric_limits<float>::quiet_NaN();  // of a dimension that is not there
  const auto volume = Read(h);
  ASSERT_TRUE(volume.ok()) << volume.status().message();
  EXPECT_EQ(volume->num_slices(Plane::kAxial), 1);
  EXPECT_EQ(volume->Slice(Plane::kAxial, 0)->values, (std::vector<float>{5, 4, 3, 2, 1, 0}));
}

TEST(Volume, WithoutAnOrientationThereIsAWarning) {
  nifti_1_header h = Header();
  h.sform_code = 0;
  h.xyzt_units = 0;
  const auto volume = Read(h);
  ASSERT_TRUE(volume.ok());
  EXPECT_EQ(volume->stored_orientation(), "LAS");  // nibabel's assumption
  EXPECT_EQ(volume->warnings().size(), 2u);
}

TEST(Volume, PairsAndPackedFiles) {
  const auto folder = TemporaryFolder::Make();
  ASSERT_TRUE(folder.ok());
  const auto write = [&](const std::string& name, const Bytes& bytes) {
    return WriteFileAtomically(folder->path() + "/" + name,
                               {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  };
  nifti_1_header pair = Header();
  std::memcpy(pair.magic, "ni1", 4);
  pair.vox_offset = 0;
  ASSERT_TRUE(write("a.hdr", File(pair, {}, 348)).ok());
  ASSERT_TRUE(write("a.img.gz", Gzip(Voxels())).ok());
  ASSERT_TRUE(write("b.nii.gz", Gzip(File(Header(), Voxels()))).ok());
  const auto expected = Read(Header())->Slice(Plane::kCoronal, 0)->values;
  for (const char* name : {"/a.hdr", "/a.img", "/a.img.gz", "/b.nii.gz"}) {
    const auto volume = Volume::Open(folder->path() + name);
    ASSERT_TRUE(volume.ok()) << volume.status().message();
    EXPECT_EQ(volume->Slice(Plane::kCoronal, 0)->values, expected) << name;
  }
  EXPECT_EQ(Volume::Open(folder->path() + "/c.nii").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(Volume::FromBytes(File(pair, {}, 352), "lone.nii").status().code(),
            StatusCode::kInvalidArgument);
}

TEST(Volume, HostileHeaders) {
  const float nan = std::numeric_limits<float>::quiet_NaN(),
              inf = std::numeric_limits<float>::infinity();
  using H = nifti_1_header;
  const auto code = [](auto change) { return ErrorOf(change).code(); };
  EXPECT_EQ(code([](H* h) { h->sizeof_hdr = 347; }), StatusCode::kInvalidArgument);
  EXPECT_EQ(code([](H* h) { h->magic[0] = 0; }), StatusCode::kUnsupported);
  EXPECT_EQ(code([](H* h) { h->dim[0] = 0; }), StatusCode::kDataLoss);
  EXPECT_EQ(code([](H* h) { h->dim[0] = 8; }), StatusCode::kDataLoss);
  EXPECT_EQ(code([](H* h) { h->dim[1] = 0; }), StatusCode::kDataLoss);
  EXPECT_EQ(code([](H* h) { h->dim[2] = -3; }), StatusCode::kDataLoss);
  EXPECT_EQ(code([](H* h) { h->dim[3] = 5; }), StatusCode::kDataLoss);  // more than the file holds
  EXPECT_EQ(code([](H* h) { h->dim[0] = 5, h->dim[5] = 2; }), StatusCode::kUnsupported);
  EXPECT_EQ(code([](H* h) {
              h->dim[0] = 4;
              for (int i = 1; i < 5; ++i) h->dim[i] = 32767;
            }),
            StatusCode::kResourceExhausted);
  EXPECT_EQ(code([](H* h) { h->datatype = NIFTI_TYPE_COMPLEX64; }), StatusCode::kUnsupported);
  EXPECT_EQ(code([](H* h) { h->datatype = -1; }), StatusCode::kUnsupported);
  EXPECT_EQ(code([](H* h) { h->bitpix = 8; }), StatusCode::kDataLoss);
  for (const float offset : {351.f, -1.f, 352.5f, 1e30f, 9e18f, nan, inf}) {
    EXPECT_FALSE(ErrorOf([&](H* h) { h->vox_offset = offset; }).ok()) << offset;
  }
  EXPECT_EQ(code([&](H* h) { h->pixdim[2] = nan; }), StatusCode::kDataLoss);
  EXPECT_EQ(code([&](H* h) { h->pixdim[1] = -inf; }), StatusCode::kDataLoss);
  EXPECT_EQ(code([&](H* h) { h->srow_y[3] = nan; }), StatusCode::kDataLoss);
  EXPECT_EQ(code([](H* h) { h->srow_z[2] = 0; }), StatusCode::kDataLoss);
  EXPECT_EQ(code([](H* h) { h->srow_z[2] = 0, h->srow_x[2] = 1; }), StatusCode::kDataLoss);
  EXPECT_EQ(code([&](H* h) { h->scl_slope = 2, h->scl_inter = nan; }), StatusCode::kDataLoss);
  EXPECT_EQ(code([](H* h) { h->sform_code = 0, h->qform_code = 1, h->quatern_b = 2; }),
            StatusCode::kDataLoss);
  EXPECT_EQ(code([&](H* h) { h->sform_code = 0, h->qform_code = 1, h->qoffset_x = inf; }),
            StatusCode::kDataLoss);
  EXPECT_EQ(code([](H* h) { h->sform_code = 0, h->qform_code = 1, h->pixdim[1] = 0; }),
            StatusCode::kOk);  // libnifti takes 1 for 0
}

TEST(Volume, CutAtEveryByte) {
  const Bytes file = File(Header(), Voxels()), packed = Gzip(file);
  for (size_t n = 0; n < file.size(); ++n) {
    EXPECT_FALSE(
        Volume::FromBytes(Bytes(file.begin(), file.begin() + static_cast<ptrdiff_t>(n)), "cut")
            .ok())
        << n;
  }
  // The last eight bytes are gzip's checksum and length, which come after all voxels.
  for (size_t n = 0; n + 10 < packed.size(); ++n) {
    EXPECT_FALSE(
        Volume::FromBytes(Bytes(packed.begin(), packed.begin() + static_cast<ptrdiff_t>(n)), "cut")
            .ok())
        << n;
  }
}

TEST(Inflate, StopsAtWhatIsWanted) {
  const Bytes bomb = Gzip(Bytes(64 << 20));
  const auto some = Inflate(bomb, 1000);
  ASSERT_TRUE(some.ok());
  EXPECT_EQ(*some, Bytes(1000));
  EXPECT_LT(some->capacity(), size_t{2} << 20);
}

TEST(Inflate, MembersAndCorruption) {
  Bytes two = Gzip({1, 2, 3});
  const Bytes second = Gzip({4, 5});
  two.insert(two.end(), second.begin(), second.end());
  EXPECT_EQ(*Inflate(two, 100), (Bytes{1, 2, 3, 4, 5}));
  Bytes bad = Gzip(Bytes(1000, 7));
  bad[12] ^= 0xFF;
  EXPECT_FALSE(Inflate(bad, 1000).ok() && Inflate(bad, 1000)->size() == 1000);
  EXPECT_TRUE(Inflate(Bytes{}, 10)->empty());
}

}  // namespace
}  // namespace galen

#include "media/image/lab.h"

#include <lcms2.h>

#include <memory>

namespace galen {
namespace {

struct CloseProfile {
  void operator()(void* profile) const { cmsCloseProfile(profile); }
};
using Profile = std::unique_ptr<void, CloseProfile>;

struct DeleteTransform {
  void operator()(void* transform) const { cmsDeleteTransform(transform); }
};

}  // namespace

Result<Image> LabToRgb(const Raster& raster) {
  const Profile lab(cmsCreateLab2Profile(nullptr)), srgb(cmsCreate_sRGBProfile());
  if (lab == nullptr || srgb == nullptr) return ResourceExhausted("no memory for colour profiles");
  constexpr uint32_t kLabBytes = COLORSPACE_SH(PT_LabV2) | CHANNELS_SH(3) | BYTES_SH(1);
  const std::unique_ptr<void, DeleteTransform> transform(
      cmsCreateTransform(lab.get(), kLabBytes, srgb.get(), TYPE_RGB_8, INTENT_PERCEPTUAL, 0));
  if (transform == nullptr) return ResourceExhausted("no memory for a colour transform");
  Image image;
  image.width = raster.width;
  image.height = raster.height;
  image.pixels.resize(raster.data.size());
  const int64_t row = 3 * raster.width;
  for (int64_t y = 0; y < raster.height; ++y) {
    cmsDoTransform(transform.get(), raster.data.data() + y * row, image.row(y),
                   static_cast<uint32_t>(raster.width));
  }
  return image;
}

}  // namespace galen

// Every image format: decoded with small limits, the second frame too, and probed; what comes out
// has the size that it claims.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "media/image/decode.h"
#include "media/image/resize.h"

using namespace galen;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const uint8_t> bytes(data, size);
  DecodeOptions options;
  options.max_pixels = 1 << 18;
  for (options.frame = 0; options.frame < 2; ++options.frame) {
    std::vector<std::string> warnings;
    const Result<Image> image = DecodeImage(bytes, options, &warnings);
    if (!image.ok()) {
      GALEN_CHECK(!image.status().message().empty());
      continue;
    }
    GALEN_CHECK(image->width > 0 && image->height > 0 && image->channels == 3);
    GALEN_CHECK(image->width * image->height <= options.max_pixels);
    GALEN_CHECK(static_cast<int64_t>(image->pixels.size()) == 3 * image->width * image->height);
    GALEN_CHECK(Resize(*image, 5, 3, Filter::kBilinear).pixels.size() == 45);
  }
  const Result<ImageInfo> info = ProbeImage(bytes);
  GALEN_CHECK(!info.ok() || (info->width > 0 && info->height > 0));
  (void)DecodeDataUrl({reinterpret_cast<const char*>(data), size}, 1 << 20).ok();
  return 0;
}

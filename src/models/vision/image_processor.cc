#include "models/vision/image_processor.h"

#include <cstring>

namespace galen {

Digest128 DigestOf(const SipKey& key, const ImageProcessor& processor, const PreparedImage& image) {
  const std::string_view version = processor.version();
  const uint64_t numbers[] = {version.size(),
                              static_cast<uint64_t>(image.pixels.width),
                              static_cast<uint64_t>(image.pixels.height),
                              static_cast<uint64_t>(image.pixels.channels),
                              static_cast<uint64_t>(image.tokens),
                              static_cast<uint64_t>(image.part)};
  std::vector<uint8_t> bytes(sizeof(numbers) + version.size() + image.pixels.pixels.size());
  uint8_t* at = bytes.data();
  std::memcpy(at, numbers, sizeof(numbers));
  std::memcpy(at += sizeof(numbers), version.data(), version.size());
  if (!image.pixels.pixels.empty()) {
    std::memcpy(at + version.size(), image.pixels.pixels.data(), image.pixels.pixels.size());
  }
  return SipHash128(key, bytes);
}

}  // namespace galen

// Single tags of a TIFF directory, without a library: Exif's orientation, and what libtiff hides.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace galen {

struct TiffForm {
  bool big_endian = false;
  bool big_tiff = false;  // 64-bit offsets
};

// The value of an integer tag of count 1 in the directory at `offset` of the structure `tiff`
// (TIFF 6.0, section 2). Where the tag appears twice, the last, as Pillow's dictionary keeps it.
// Nothing: no such tag, or the directory breaks off before it.
std::optional<uint32_t> FindTiffTag(std::string_view tiff, uint64_t offset, TiffForm form,
                                    uint32_t tag);

}  // namespace galen

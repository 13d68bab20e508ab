// Transfer syntaxes (PS3.5 annex A, PS3.6 annex A): how a data set is written and how its pixels
// are compressed.
#pragma once

#include <string_view>

#include "media/dicom/data_set_parser.h"

namespace galen::dicom {

enum class PixelCodec { kNative, kRle, kJpeg, kJpegLs, kJpeg2000, kUnsupported };

struct TransferSyntax {
  std::string_view uid;
  std::string_view name;
  PixelCodec codec = PixelCodec::kNative;
  Encoding encoding;
  bool deflated = false;
  bool encapsulated = false;
  bool always_lossy = false;  // DCT JPEG; near-lossless and JPEG 2000 streams may be exact
};

// The row for `uid`, or null when galen does not know it.
const TransferSyntax* FindTransferSyntax(std::string_view uid);
// The uncompressed syntax of an encoding, for files that name none.
const TransferSyntax& NativeSyntax(Encoding encoding);

}  // namespace galen::dicom

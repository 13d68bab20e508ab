#include "media/dicom/transfer_syntax.h"

namespace galen::dicom {
namespace {

constexpr Encoding kExplicit{true, false};

constexpr TransferSyntax Compressed(std::string_view uid, std::string_view name, PixelCodec codec,
                                    bool always_lossy = false) {
  return {uid, name, codec, kExplicit, false, true, always_lossy};
}

constexpr TransferSyntax kSyntaxes[] = {
    {"1.2.840.10008.1.2",
     "Implicit VR Little Endian",
     PixelCodec::kNative,
     {false, false},
     false,
     false},
    {"1.2.840.10008.1.2.1", "Explicit VR Little Endian", PixelCodec::kNative, kExplicit, false,
     false},
    {"1.2.840.10008.1.2.2",
     "Explicit VR Big Endian",
     PixelCodec::kNative,
     {true, true},
     false,
     false},
    {"1.2.840.10008.1.2.1.99", "Deflated Explicit VR Little Endian", PixelCodec::kNative, kExplicit,
     true, false},
    Compressed("1.2.840.10008.1.2.1.98", "Encapsulated Uncompressed", PixelCodec::kNative),
    Compressed("1.2.840.10008.1.2.5", "RLE Lossless", PixelCodec::kRle),
    Compressed("1.2.840.10008.1.2.4.50", "JPEG Baseline", PixelCodec::kJpeg, true),
    Compressed("1.2.840.10008.1.2.4.51", "JPEG Extended", PixelCodec::kJpeg, true),
    Compressed("1.2.840.10008.1.2.4.53", "JPEG Spectral Selection", PixelCodec::kJpeg, true),
    Compressed("1.2.840.10008.1.2.4.55", "JPEG Full Progression", PixelCodec::kJpeg, true),
    Compressed("1.2.840.10008.1.2.4.57", "JPEG Lossless, Process 14", PixelCodec::kJpeg),
    Compressed("1.2.840.10008.1.2.4.70", "JPEG Lossless, Process 14, Selection Value 1",
               PixelCodec::kJpeg),
    Compressed("1.2.840.10008.1.2.4.80", "JPEG-LS Lossless", PixelCodec::kJpegLs),
    Compressed("1.2.840.10008.1.2.4.81", "JPEG-LS Near-Lossless", PixelCodec::kJpegLs),
    Compressed("1.2.840.10008.1.2.4.90", "JPEG 2000 Lossless", PixelCodec::kJpeg2000),
    Compressed("1.2.840.10008.1.2.4.91", "JPEG 2000", PixelCodec::kJpeg2000),
    Compressed("1.2.840.10008.1.2.4.201", "HTJ2K Lossless", PixelCodec::kJpeg2000),
    Compressed("1.2.840.10008.1.2.4.202", "HTJ2K Lossless RPCL", PixelCodec::kJpeg2000),
    Compressed("1.2.840.10008.1.2.4.203", "HTJ2K", PixelCodec::kJpeg2000),
    // Known by name, so that the refusal can say what the file is.
    Compressed("1.2.840.10008.1.2.4.92", "JPEG 2000 Multi-component Lossless",
               PixelCodec::kUnsupported),
    Compressed("1.2.840.10008.1.2.4.93", "JPEG 2000 Multi-component", PixelCodec::kUnsupported),
    Compressed("1.2.840.10008.1.2.4.94", "JPIP Referenced (the pixels are on a server)",
               PixelCodec::kUnsupported),
    Compressed("1.2.840.10008.1.2.4.95", "JPIP Referenced Deflate (the pixels are on a server)",
               PixelCodec::kUnsupported),
    Compressed("1.2.840.10008.1.2.4.100", "MPEG-2 video, main level", PixelCodec::kUnsupported),
    Compressed("1.2.840.10008.1.2.4.101", "MPEG-2 video, high level", PixelCodec::kUnsupported),
    Compressed("1.2.840.10008.1.2.4.102", "MPEG-4 video", PixelCodec::kUnsupported),
    Compressed("1.2.840.10008.1.2.4.103", "MPEG-4 video, BD-compatible", PixelCodec::kUnsupported),
    Compressed("1.2.840.10008.1.2.4.104", "MPEG-4 video, level 4.2, 2D", PixelCodec::kUnsupported),
    Compressed("1.2.840.10008.1.2.4.105", "MPEG-4 video, level 4.2, 3D", PixelCodec::kUnsupported),
    Compressed("1.2.840.10008.1.2.4.106", "MPEG-4 stereo video", PixelCodec::kUnsupported),
    Compressed("1.2.840.10008.1.2.4.107", "HEVC video", PixelCodec::kUnsupported),
    Compressed("1.2.840.10008.1.2.4.108", "HEVC video, 10 bits", PixelCodec::kUnsupported),
    Compressed("1.2.840.10008.1.2.4.110", "JPEG XL Lossless", PixelCodec::kUnsupported),
    Compressed("1.2.840.10008.1.2.4.111", "JPEG XL, JPEG Recompression", PixelCodec::kUnsupported),
    Compressed("1.2.840.10008.1.2.4.112", "JPEG XL", PixelCodec::kUnsupported),
};

}  // namespace

const TransferSyntax* FindTransferSyntax(std::string_view uid) {
  for (const TransferSyntax& syntax : kSyntaxes) {
    if (syntax.uid == uid) return &syntax;
  }
  return nullptr;
}

const TransferSyntax& NativeSyntax(Encoding encoding) {
  if (encoding.big_endian) return kSyntaxes[2];
  return kSyntaxes[encoding.explicit_vr ? 1 : 0];
}

}  // namespace galen::dicom

#include "media/dicom/decode_frame.h"

#include "media/dicom/jpeg2000.h"
#include "media/dicom/jpeg_dcmtk.h"
#include "media/dicom/jpeg_header.h"
#include "media/dicom/jpeg_lossy8.h"
#include "media/dicom/jpeg_ls.h"
#include "media/dicom/native_pixels.h"
#include "media/dicom/rle.h"
#include "media/dicom/sample_bits.h"

namespace galen::dicom {
namespace {

SampleType TypeOf(const PixelFormat& format) {
  if (format.is_float)
    return format.bits_allocated == 32 ? SampleType::kFloat32 : SampleType::kFloat64;
  switch (format.bytes_per_sample()) {
    case 1:
      return format.is_signed ? SampleType::kInt8 : SampleType::kUint8;
    case 2:
      return format.is_signed ? SampleType::kInt16 : SampleType::kUint16;
    default:
      return format.is_signed ? SampleType::kInt32 : SampleType::kUint32;
  }
}

StoredFrame Finish(std::vector<uint8_t> bytes, const PixelFormat& format) {
  StoredFrame frame;
  frame.rows = format.rows;
  frame.columns = format.columns;
  frame.samples = format.samples;
  frame.type = TypeOf(format);
  frame.bits_stored = format.bits_stored;
  frame.photometric = format.photometric;
  frame.data = std::move(bytes);
  return frame;
}

// Stores each value in as many bytes as the image allocates.
template <typename T>
std::vector<uint8_t> Store(std::span<const T> values, int bytes_per_sample) {
  const size_t width = static_cast<size_t>(bytes_per_sample);
  std::vector<uint8_t> out(values.size() * width);
  for (size_t i = 0; i < values.size(); ++i) {
    const uint32_t bits = static_cast<uint32_t>(values[i]);
    for (size_t b = 0; b < width; ++b) out[i * width + b] = static_cast<uint8_t>(bits >> (8 * b));
  }
  return out;
}

std::vector<uint8_t> Widen(std::vector<uint8_t> bytes, int from, int to) {
  if (from == to) return bytes;
  return from == 1 ? Store<uint8_t>(bytes, to)
                   : Store<uint16_t>(
                         {reinterpret_cast<const uint16_t*>(bytes.data()), bytes.size() / 2}, to);
}

// The space that the samples of a JPEG stream are in, where it contradicts the data set: components
// named R, G, B are RGB; a JFIF marker, or an Adobe marker that says so, means YCbCr (ITU T.871;
// pydicom follows the first two).
std::string ColourOf(const JpegHeader& header, const PixelFormat& format) {
  if (header.components != 3) return format.photometric;
  if (header.rgb_ids()) return "RGB";
  const bool ybr = format.photometric.starts_with("YBR");
  if (!ybr && (header.jfif || header.adobe_transform == 1)) return "YBR_FULL";
  return format.photometric;
}

Result<StoredFrame> DecodeJpeg(std::span<const uint8_t> bytes, bool is_ls,
                               const PixelFormat& format) {
  ASSIGN_OR_RETURN(const JpegHeader header, ReadJpegHeader(bytes, format));
  const int width = header.precision <= 8 ? 1 : 2;
  std::vector<uint8_t> decoded;
  if (is_ls) {
    ASSIGN_OR_RETURN(decoded, DecodeJpegLs(bytes, header));
    if (format.is_signed) ExtendSamples(decoded, width, header.precision, 0, true);
    StoredFrame frame = Finish({}, format);
    frame.data =
        format.is_signed && width == 1
            ? Store<int8_t>({reinterpret_cast<const int8_t*>(decoded.data()), decoded.size()},
                            format.bytes_per_sample())
            : Widen(std::move(decoded), width, format.bytes_per_sample());
    frame.photometric = ColourOf(header, format);
    return frame;
  }
  if (header.process == 0xF7 || header.process > 0xC3) {
    return Unsupported("JPEG of a process that DICOM does not use (SOF marker " +
                       std::to_string(header.process) + ")");
  }
  const bool lossless = header.process == 0xC3;
  if (lossless || header.precision > 8) {
    ASSIGN_OR_RETURN(decoded, DecodeJpegWithDcmtk(bytes, header, format.is_signed));
  } else {
    ASSIGN_OR_RETURN(decoded, DecodeJpegLossy8(bytes, header));
  }
  decoded = Widen(std::move(decoded), width, format.bytes_per_sample());
  ExtendSamples(decoded, format.bytes_per_sample(), format.bits_stored, 0, format.is_signed);
  StoredFrame frame = Finish(std::move(decoded), format);
  frame.photometric = ColourOf(header, format);
  return frame;
}

Result<StoredFrame> DecodeJ2k(std::span<const uint8_t> bytes, const PixelFormat& format) {
  ASSIGN_OR_RETURN(Jpeg2000Frame decoded, DecodeJpeg2000(bytes, format));
  if ((decoded.precision + 7) / 8 > format.bytes_per_sample() || format.bits_allocated == 1) {
    return DataLoss("the JPEG 2000 frame has " + std::to_string(decoded.precision) +
                    " bits, the image allocates " + std::to_string(format.bits_allocated));
  }
  if (decoded.is_signed != format.is_signed) {
    // The code stream was written with the wrong sign: its bits are right, their meaning is the
    // data set's.
    const std::span<uint8_t> raw(reinterpret_cast<uint8_t*>(decoded.values.data()),
                                 decoded.values.size() * 4);
    ExtendSamples(raw, 4, decoded.precision, 0, format.is_signed);
  }
  StoredFrame frame = Finish(Store<int32_t>(decoded.values, format.bytes_per_sample()), format);
  if (frame.photometric == "YBR_RCT" || frame.photometric == "YBR_ICT") frame.photometric = "RGB";
  return frame;
}

}  // namespace

StoredFrame FinishNative(std::vector<uint8_t> bytes, const PixelFormat& format) {
  if (!format.is_float && format.bits_allocated > 1) {
    ExtendSamples(bytes, format.bytes_per_sample(), format.bits_stored,
                  format.high_bit + 1 - format.bits_stored, format.is_signed);
  }
  return Finish(std::move(bytes), format);
}

Result<StoredFrame> DecodeCompressed(std::span<const uint8_t> bytes, PixelCodec codec,
                                     const PixelFormat& format) {
  if (format.is_float) return Unsupported("compressed floating-point pixels");
  switch (codec) {
    case PixelCodec::kRle: {
      ASSIGN_OR_RETURN(std::vector<uint8_t> decoded, DecodeRle(bytes, format));
      return FinishNative(std::move(decoded), format);
    }
    case PixelCodec::kJpeg:
      return DecodeJpeg(bytes, false, format);
    case PixelCodec::kJpegLs:
      return DecodeJpeg(bytes, true, format);
    case PixelCodec::kJpeg2000:
      return DecodeJ2k(bytes, format);
    case PixelCodec::kNative: {
      ASSIGN_OR_RETURN(std::vector<uint8_t> decoded, DecodeNative(bytes, 0, format, false, false));
      return FinishNative(std::move(decoded), format);
    }
    case PixelCodec::kUnsupported:
      break;
  }
  return Unsupported("pixels in a compression that galen does not read");
}

}  // namespace galen::dicom

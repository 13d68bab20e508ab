#include "media/dicom/jpeg_dcmtk.h"

#include <dcmtk/config/osconfig.h>
// osconfig.h must come before the rest of DCMTK.
#include <dcmtk/dcmjpeg/djcparam.h>
#include <dcmtk/dcmjpeg/djdijg12.h>
#include <dcmtk/dcmjpeg/djdijg16.h>
#include <dcmtk/dcmjpeg/djdijg8.h>
#include <dcmtk/oflog/oflog.h>

#include <limits>
#include <memory>
#include <mutex>
#include <string>

namespace galen::dicom {
namespace {

std::unique_ptr<DJDecoder> MakeDecoder(int precision, const DJCodecParameter& parameters) {
  if (precision <= 8) return std::make_unique<DJDecompressIJG8Bit>(parameters, OFFalse);
  if (precision <= 12) return std::make_unique<DJDecompressIJG12Bit>(parameters, OFFalse);
  return std::make_unique<DJDecompressIJG16Bit>(parameters, OFFalse);
}

}  // namespace

void SilenceDcmtk() {
  static std::once_flag once;
  std::call_once(once, [] { OFLog::configure(OFLogger::OFF_LOG_LEVEL); });
}

Result<std::vector<uint8_t>> DecodeJpegWithDcmtk(std::span<const uint8_t> bytes,
                                                 const JpegHeader& header, bool is_signed) {
  SilenceDcmtk();
  const DJCodecParameter parameters(ECC_lossyYCbCr, EDC_never, EUC_never, EPC_colorByPixel);
  const std::unique_ptr<DJDecoder> decoder = MakeDecoder(header.precision, parameters);
  const int64_t size = header.rows * header.columns * header.components * decoder->bytesPerSample();
  if (size > std::numeric_limits<Uint32>::max() ||
      bytes.size() > std::numeric_limits<Uint32>::max()) {
    return Unsupported("JPEG frame of more than 4 GB");
  }
  std::vector<uint8_t> out(static_cast<size_t>(size));
  OFCondition condition = decoder->init();
  if (condition.good()) {
    condition =
        decoder->decode(const_cast<Uint8*>(bytes.data()), static_cast<Uint32>(bytes.size()),
                        out.data(), static_cast<Uint32>(size), is_signed ? OFTrue : OFFalse);
  }
  if (condition.bad()) return DataLoss(std::string("JPEG frame: ") + condition.text());
  return out;
}

}  // namespace galen::dicom

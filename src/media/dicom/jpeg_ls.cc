#include "media/dicom/jpeg_ls.h"

#include <dcmtk/config/osconfig.h>
// osconfig.h must come before the rest of DCMTK.
#include <dcmtk/dcmdata/dcdatset.h>
#include <dcmtk/dcmdata/dcdeftag.h>
#include <dcmtk/dcmdata/dcpixseq.h>
#include <dcmtk/dcmdata/dcpxitem.h>
#include <dcmtk/dcmdata/dcuid.h>
#include <dcmtk/dcmjpls/djcodecd.h>
#include <dcmtk/dcmjpls/djcparam.h>

#include <limits>
#include <string>

#include "media/dicom/jpeg_dcmtk.h"

namespace galen::dicom {
namespace {

// The decoder wants a data set around the frame; this one holds nothing but its shape.
OFCondition Describe(const JpegHeader& header, DcmDataset* data_set) {
  const Uint16 bits = static_cast<Uint16>(header.precision);
  const Uint16 allocated = bits <= 8 ? 8 : 16;
  OFCondition condition = data_set->putAndInsertUint16(DCM_Rows, static_cast<Uint16>(header.rows));
  const auto put = [&](const DcmTagKey& key, Uint16 value) {
    if (condition.good()) condition = data_set->putAndInsertUint16(key, value);
  };
  put(DCM_Columns, static_cast<Uint16>(header.columns));
  put(DCM_SamplesPerPixel, static_cast<Uint16>(header.components));
  put(DCM_BitsAllocated, allocated);
  put(DCM_BitsStored, bits);
  put(DCM_HighBit, static_cast<Uint16>(bits - 1));
  put(DCM_PixelRepresentation, 0);
  put(DCM_PlanarConfiguration, 0);
  if (condition.good()) condition = data_set->putAndInsertString(DCM_NumberOfFrames, "1");
  const char* photometric = header.components == 1 ? "MONOCHROME2" : "RGB";
  if (condition.good())
    condition = data_set->putAndInsertString(DCM_PhotometricInterpretation, photometric);
  if (condition.good())
    condition = data_set->putAndInsertString(DCM_SOPClassUID, UID_SecondaryCaptureImageStorage);
  return condition;
}

}  // namespace

Result<std::vector<uint8_t>> DecodeJpegLs(std::span<const uint8_t> bytes,
                                          const JpegHeader& header) {
  SilenceDcmtk();
  if (header.process != 0xF7) return DataLoss("the compressed frame is no JPEG-LS stream");
  const int64_t size =
      header.rows * header.columns * header.components * (header.precision <= 8 ? 1 : 2);
  // An odd count of bytes is padded in a fragment, so that a little room is needed below 4 GB.
  constexpr int64_t kMost = std::numeric_limits<Uint32>::max() - 16;
  if (size > kMost || static_cast<int64_t>(bytes.size()) > kMost)
    return Unsupported("JPEG-LS frame of more than 4 GB");
  DcmDataset data_set;
  OFCondition condition = Describe(header, &data_set);
  DcmPixelSequence sequence(DCM_PixelSequenceTag);
  for (const std::span<const uint8_t> part :
       {std::span<const uint8_t>(), bytes}) {  // the empty offset table, the frame
    auto item = std::make_unique<DcmPixelItem>(DCM_PixelItemTag);
    if (condition.good() && !part.empty()) {
      condition = item->putUint8Array(
          part.data(), static_cast<unsigned long>(part.size()));  // NOLINT: DCMTK's type
    }
    if (condition.good()) condition = sequence.insert(item.get());
    if (condition.good()) item.release();
  }
  std::vector<uint8_t> out(static_cast<size_t>(size + size % 2));
  if (condition.good()) {
    const DJLSCodecParameter parameters(EJLSUC_never, EJLSPC_colorByPixel, OFTrue, OFTrue);
    const DJLSNearLosslessDecoder decoder;
    Uint32 fragment = 1;
    OFString photometric;
    condition = decoder.decodeFrame(nullptr, &sequence, &parameters, &data_set, 0, fragment,
                                    out.data(), static_cast<Uint32>(out.size()), photometric);
  }
  if (condition.bad()) return DataLoss(std::string("JPEG-LS frame: ") + condition.text());
  out.resize(static_cast<size_t>(size));
  return out;
}

}  // namespace galen::dicom

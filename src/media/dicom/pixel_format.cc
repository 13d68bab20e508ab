#include "media/dicom/pixel_format.h"

namespace galen::dicom {
namespace {

Result<int64_t> Required(const DataSet& data_set, Tag tag, const char* name) {
  const std::optional<int64_t> value = data_set.Integer(tag, Vr('U', 'S'));
  if (!value) return DataLoss(std::string("DICOM image without ") + name);
  return *value;
}

Status CheckDepth(const PixelFormat& f) {
  const auto bad = [](const std::string& what) { return DataLoss("DICOM image with " + what); };
  if (f.is_float)
    return f.samples == 1 ? OkStatus() : bad("floating-point pixels of several samples");
  const int bits = f.bits_allocated;
  if (bits != 1 && bits != 8 && bits != 16 && bits != 32) {
    return Unsupported("DICOM image with " + std::to_string(bits) +
                       " bits allocated; galen reads 1, 8, 16 and 32");
  }
  if (f.bits_stored < 1 || f.bits_stored > bits) {
    return bad(std::to_string(f.bits_stored) + " bits stored in " + std::to_string(bits) +
               " allocated");
  }
  if (f.high_bit < f.bits_stored - 1 || f.high_bit >= bits)
    return bad("a high bit of " + std::to_string(f.high_bit));
  return OkStatus();
}

}  // namespace

const Element* FindPixels(const DataSet& data_set) {
  for (const Tag tag : {kPixelData, kFloatPixelData, kDoublePixelData}) {
    if (const Element* element = data_set.Find(tag)) return element;
  }
  return nullptr;
}

Result<PixelFormat> ReadPixelFormat(const DataSet& data_set, const DicomOptions& options,
                                    DicomWarnings* warnings) {
  const Element* pixels = FindPixels(data_set);
  if (pixels == nullptr) return NotFound("DICOM object without pixel data");
  PixelFormat f;
  ASSIGN_OR_RETURN(f.rows, Required(data_set, kRows, "Rows"));
  ASSIGN_OR_RETURN(f.columns, Required(data_set, kColumns, "Columns"));
  if (f.rows < 1 || f.columns < 1 || f.rows > 65535 || f.columns > 65535) {
    return DataLoss("DICOM image of " + std::to_string(f.columns) + " x " + std::to_string(f.rows) +
                    " pixels");
  }
  f.frames = 1;
  if (!data_set.Text(kNumberOfFrames).empty()) {
    const std::optional<int64_t> frames = data_set.Integer(kNumberOfFrames, Vr('I', 'S'));
    if (!frames || *frames < 1 || *frames > 0x7FFFFFFF) {
      return DataLoss("DICOM image whose number of frames is zero, negative or no number");
    }
    f.frames = *frames;
  }
  const int64_t samples = data_set.Integer(kSamplesPerPixel, Vr('U', 'S')).value_or(1);
  if (samples != 1 && samples != 3) {
    return Unsupported("DICOM image of " + std::to_string(samples) +
                       " samples per pixel; galen reads 1 and 3");
  }
  f.samples = static_cast<int>(samples);
  f.photometric = data_set.Text(kPhotometric);
  if (f.photometric.empty()) {
    f.photometric = f.samples == 1 ? "MONOCHROME2" : "RGB";
    warnings->push_back(
        {"no-photometric-interpretation",
         "the file does not say how samples mean grey or colour; taken to be " + f.photometric});
  }
  f.planar = f.samples > 1 && data_set.Integer(kPlanarConfiguration, Vr('U', 'S')).value_or(0) == 1;
  f.is_float = pixels->tag != kPixelData;
  if (f.is_float) {
    f.bits_allocated = f.bits_stored = pixels->tag == kFloatPixelData ? 32 : 64;
    f.high_bit = f.bits_stored - 1;
    f.is_signed = true;
  } else {
    ASSIGN_OR_RETURN(const int64_t allocated, Required(data_set, kBitsAllocated, "Bits Allocated"));
    const int64_t stored = data_set.Integer(kBitsStored, Vr('U', 'S')).value_or(allocated);
    const int64_t high = data_set.Integer(kHighBit, Vr('U', 'S')).value_or(stored - 1);
    f.bits_allocated = static_cast<int>(allocated);
    f.bits_stored = static_cast<int>(stored);
    f.high_bit = static_cast<int>(high);
    f.is_signed = data_set.Integer(kPixelRepresentation, Vr('U', 'S')).value_or(0) == 1;
  }
  RETURN_IF_ERROR(CheckDepth(f));
  if (f.frame_bytes() > options.max_frame_bytes) {  // at most 65535^2 * 3 * 8: no overflow
    return ResourceExhausted("a frame of this DICOM image takes " +
                             std::to_string(f.frame_bytes()) + " bytes, the limit is " +
                             std::to_string(options.max_frame_bytes));
  }
  return f;
}

}  // namespace galen::dicom

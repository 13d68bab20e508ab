#include "media/dicom/parsed_file.h"

#include "media/dicom/byte_order.h"

namespace galen::dicom {
namespace {

std::vector<uint64_t> ExtendedOffsets(const DataSet& data_set) {
  std::vector<uint64_t> offsets;
  const Element* element = data_set.Find(kExtendedOffsets);
  if (element == nullptr) return offsets;
  for (size_t at = 0; at + 8 <= element->value.size(); at += 8)
    offsets.push_back(Load<uint64_t>(element->value.data() + at));
  return offsets;
}

}  // namespace

const Result<FrameIndex>& ParsedFile::Fragments() const {
  std::call_once(indexed_, [this] {
    DicomWarnings ignored;  // the caller sees the missing frame itself
    index_.emplace(FrameIndex::Build(FindPixels(data_set())->value, info.format.frames,
                                     ExtendedOffsets(data_set()), &ignored));
  });
  return *index_;
}

Status ParseInto(std::span<const uint8_t> bytes, const DicomOptions& options, ParsedFile* file) {
  ASSIGN_OR_RETURN(file->part10, ParsePart10(bytes, options, &file->warnings));
  const DataSet& data_set = file->data_set();
  file->info = DescribeDataSet(data_set, *file->part10.syntax, options.keep_identity);
  const Element* pixels = FindPixels(data_set);
  if (pixels == nullptr) return OkStatus();
  ASSIGN_OR_RETURN(file->info.format, ReadPixelFormat(data_set, options, &file->warnings));
  file->info.has_pixels = true;
  DescribePadding(data_set, &file->info);
  if (!file->part10.syntax->encapsulated && pixels->undefined_length) {
    return DataLoss("the pixel data is compressed, the transfer syntax (" +
                    std::string(file->part10.syntax->name) + ") is not");
  }
  if (pixels->truncated)
    file->warnings.push_back({"truncated-pixel-data", "the file is cut off inside the pixel data"});
  if (file->info.burned_in == "YES") {
    file->warnings.push_back(
        {"burned-in-annotation",
         "the object says that text is burned into the pixels; it may name the patient"});
  }
  if (!file->info.overlays.empty()) {
    file->warnings.push_back({"overlay", "the image has overlays, which are not drawn"});
  }
  if (file->info.format.high_bit != file->info.format.bits_stored - 1) {
    file->warnings.push_back({"high-bit", "the samples are not stored in the lowest bits"});
  }
  return OkStatus();
}

}  // namespace galen::dicom

#include "media/dicom/frame_values.h"

#include <cstring>
#include <utility>

#include "media/dicom/parsed_file.h"

namespace galen {
namespace {

template <typename T>
std::vector<uint8_t> BytesOf(const std::vector<T>& values) {
  std::vector<uint8_t> bytes(values.size() * sizeof(T));
  if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

bool IsSmall(SampleType type) {
  return type == SampleType::kUint8 || type == SampleType::kInt8 || type == SampleType::kUint16 ||
         type == SampleType::kInt16;
}

void SetGrey(StoredFrame frame, const dicom::ModalityTransform& modality, FrameValues* values) {
  if (modality.table) {
    values->type = SampleType::kUint16;
    values->data = BytesOf(dicom::MapSamples<uint16_t>(
        frame, [&](double stored) { return modality.table->At(stored); }));
  } else if (IsSmall(frame.type)) {
    values->type = frame.type;
    values->slope = modality.slope;
    values->intercept = modality.intercept;
    values->data = std::move(frame.data);
  } else {
    values->type = SampleType::kFloat32;
    values->data = BytesOf(dicom::MapSamples<float>(
        frame, [&](double stored) { return static_cast<float>(modality(stored)); }));
  }
}

}  // namespace

int64_t FrameValues::bytes_per_pixel() const {
  if (channels == 3) return 3;
  if (type == SampleType::kFloat32) return 4;
  return type == SampleType::kUint8 || type == SampleType::kInt8 ? 1 : 2;
}

Result<FrameValues> ReadFrameValues(const DicomFile& file, int64_t i) {
  ASSIGN_OR_RETURN(StoredFrame frame, file.ReadFrame(i));
  const dicom::DataSet& data_set = file.parsed().data_set();
  FrameValues values;
  values.rows = frame.rows;
  values.columns = frame.columns;
  if (frame.samples == 3 || frame.photometric == "PALETTE COLOR") {
    RenderReport report;
    ASSIGN_OR_RETURN(Image image, dicom::RenderFrame(frame, data_set, i, {}, &report));
    values.channels = 3;
    values.data = std::move(image.pixels);
    values.warnings = std::move(report.warnings);
    return values;
  }
  RETURN_IF_ERROR(dicom::CheckGrey(frame, data_set, &values.warnings));
  dicom::GreyTransforms found = dicom::ReadGreyTransforms(frame, data_set, i, &values.warnings);
  values.unit = file.PhysicalUnit(i);
  // CT values are Hounsfield units unless the file says otherwise (PS3.3 C.8.2.1.1.2).
  if (values.unit.empty() && file.info().modality == "CT") values.unit = "HU";
  values.inverted = dicom::IsInverted(frame, data_set, &values.warnings);
  values.range = dicom::DefaultRange(frame, data_set, found.modality);
  values.tables = std::move(found.voi.tables);
  values.windows = std::move(found.voi.windows);
  SetGrey(std::move(frame), found.modality, &values);
  return values;
}

}  // namespace galen

// What a program needs of a frame to draw it as galen does: the values, and the ways from them to
// grey.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "media/dicom/dicom_file.h"
#include "media/dicom/render.h"

namespace galen {

struct FrameValues {
  int64_t rows = 0, columns = 0;
  int channels = 1;  // 1 grey, 3 RGB
  // Grey: kUint8, kInt8, kUint16 or kInt16 as stored (kUint16 after a modality table), else
  // kFloat32, the physical values. RGB: kUint8.
  SampleType type = SampleType::kUint8;
  std::vector<uint8_t> data;  // [rows, columns, channels], host byte order

  // Of grey alone. A physical value is value * slope + intercept, in double precision.
  double slope = 1, intercept = 0;
  std::string unit;
  bool inverted = false;  // greatest is black
  // The picture that Render makes is the first table's, else the first window's, else that of the
  // range.
  std::vector<dicom::LookupTable> tables;  // of physical values
  std::vector<DicomWindow> windows;
  dicom::GreyRange range;
  DicomWarnings warnings;

  int64_t bytes_per_pixel() const;
};

Result<FrameValues> ReadFrameValues(const DicomFile& file, int64_t i);

}  // namespace galen

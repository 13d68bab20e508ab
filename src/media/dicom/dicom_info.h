// What a DICOM object says about itself, identity apart.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "media/dicom/data_set.h"
#include "media/dicom/identity.h"
#include "media/dicom/pixel_format.h"

namespace galen {

// A bit plane over the image (PS3.3 C.9.2). Reported, not drawn.
struct DicomOverlay {
  int group = 0;  // 0x6000 .. 0x601E
  int64_t rows = 0;
  int64_t columns = 0;
  int64_t first_row = 1;  // place of its first pixel in the image, from 1
  int64_t first_column = 1;
  std::string type;       // G graphics, R region of interest
  bool embedded = false;  // in unused bits of the pixels (retired)
};

struct DicomInfo {
  std::string sop_class;        // UID
  std::string transfer_syntax;  // UID
  std::string transfer_syntax_name;
  std::string modality;  // CT, MR, DX, SM, ...
  std::string body_part;
  std::string view_position;
  std::string laterality;
  std::vector<std::string> image_type;
  std::optional<int64_t> series_number, acquisition_number, instance_number;

  bool has_pixels = false;
  dicom::PixelFormat format;  // when has_pixels
  std::optional<int64_t> padding_low,
      padding_high;  // stored values that are no part of the picture
  std::vector<DicomOverlay> overlays;
  std::string burned_in;              // YES, NO, or empty where the object does not say
  std::string recognizable_features;  // YES, NO or empty: a face can be told from the data
  bool lossy = false;                 // compressed with loss at some time, now or earlier
  std::vector<double> lossy_ratios;

  std::string document_type;      // media type of an encapsulated document, empty without one
  bool identity_removed = false;  // the object says that it was de-identified
  DicomIdentity identity;
};

namespace dicom {

struct TransferSyntax;

// Everything but the pixel format.
DicomInfo DescribeDataSet(const DataSet& data_set, const TransferSyntax& syntax,
                          bool keep_identity);
// Padding values need the sign of the pixels.
void DescribePadding(const DataSet& data_set, DicomInfo* info);

}  // namespace dicom
}  // namespace galen

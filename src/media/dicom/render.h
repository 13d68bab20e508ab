// From stored values to the 8-bit picture, and what was done on the way.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/status.h"
#include "media/dicom/grey_transform.h"
#include "media/dicom/options.h"
#include "media/dicom/stored_frame.h"
#include "media/image/image.h"

namespace galen {

// Which of the file's alternatives to use for grey images. The default is the first VOI table, else
// the first window, else, for images of at most 8 bits, their full stored range, else the least and
// greatest value of the frame, padding apart.
struct RenderOptions {
  std::optional<DicomWindow> window;  // instead of what the file has, in physical units
  int64_t voi_index = 0;              // which table or window of several
  bool prefer_window = false;         // the window where the file has tables too
};

struct RenderReport {
  std::string
      voi;  // "table 1 of 2", "window 1 of 3", "given window", "stored range", "frame range"
  std::optional<DicomWindow> window;  // when a window was used, also for "frame range"
  bool inverted = false;              // MONOCHROME1, or an inverse presentation shape
  std::string colour;                 // "grey", "RGB", "YBR to RGB", "palette"
  DicomWarnings warnings;
};

namespace dicom {

// Renders a decoded frame. `data_set` and the frame's index give the transformations.
Result<Image> RenderFrame(const StoredFrame& frame, const DataSet& data_set, int64_t i,
                          const RenderOptions& options, RenderReport* report);

bool IsSigned(const StoredFrame& frame);

struct GreyTransforms {
  ModalityTransform modality;
  VoiTransforms voi;
};
GreyTransforms ReadGreyTransforms(const StoredFrame& frame, const DataSet& data_set, int64_t i,
                                  DicomWarnings* warnings);

// The physical values that become black and white where the file has neither table nor window.
struct GreyRange {
  std::string name;  // "stored range" or "frame range"
  double low = 0, high = 0;
};
GreyRange DefaultRange(const StoredFrame& frame, const DataSet& data_set,
                       const ModalityTransform& modality);

// MONOCHROME1, or an inverse presentation shape; warns where the two disagree.
bool IsInverted(const StoredFrame& frame, const DataSet& data_set, DicomWarnings* warnings);

// kUnsupported unless the frame is MONOCHROME1 or 2. Warns of what the object would add to its grey
// values and galen does not.
Status CheckGrey(const StoredFrame& frame, const DataSet& data_set, DicomWarnings* warnings);

// Least and greatest physical value of a frame, padding apart; false when every pixel is padding or
// none is finite.
bool PhysicalRange(const StoredFrame& frame, const ModalityTransform& modality,
                   std::optional<int64_t> padding_low, std::optional<int64_t> padding_high,
                   double* low, double* high);

}  // namespace dicom
}  // namespace galen

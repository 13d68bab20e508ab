// The grey-scale pipeline of PS3.3 C.11 and PS3.4 N.2.1.1: stored values -> modality LUT -> VOI LUT
// or window -> shape.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "media/dicom/lookup_table.h"
#include "media/dicom/options.h"
#include "media/dicom/pixel_format.h"
#include "media/dicom/stored_frame.h"

namespace galen {

enum class WindowFunction { kLinear, kLinearExact, kSigmoid };

// A window of values (PS3.3 C.11.2.1.2): what of the value range becomes black to white.
struct DicomWindow {
  double center = 0;
  double width = 1;
  WindowFunction function = WindowFunction::kLinear;

  // Where x lies between black (0) and white (1). kLinear: C.11.2.1.2.1 with its half-unit offsets;
  // kLinearExact: C.11.2.1.3.2; kSigmoid: C.11.2.1.3.1.
  double Fraction(double x) const;
};

namespace dicom {

struct ModalityTransform {
  std::optional<LookupTable>
      table;  // wins over slope and intercept, which must not be there beside it
  double slope = 1;
  double intercept = 0;
  std::string unit;  // Rescale Type: HU, OD, US (unspecified) ...

  double operator()(double stored) const {
    return table ? table->At(stored) : stored * slope + intercept;
  }
};

struct VoiTransforms {
  std::vector<LookupTable> tables;
  std::vector<DicomWindow> windows;
};

// From the top level of the data set, or from the item of a functional group. Values that are no
// numbers are dropped with a warning, widths that no window may have too.
ModalityTransform ReadModality(const DataSet& data_set, bool is_signed, DicomWarnings* warnings);
VoiTransforms ReadVoi(const DataSet& data_set, bool is_signed, DicomWarnings* warnings);

// Applies fn to every value of the frame; one table look-up a pixel where the samples have at most
// 16 bits.
template <typename Out, typename Fn>
std::vector<Out> MapSamples(const StoredFrame& frame, const Fn& fn);

}  // namespace dicom
}  // namespace galen

#include "media/dicom/map_samples.inc"

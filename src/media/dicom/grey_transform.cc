#include "media/dicom/grey_transform.h"

#include <cmath>

namespace galen {

double DicomWindow::Fraction(double x) const {
  if (function == WindowFunction::kSigmoid)
    return 1.0 / (1.0 + std::exp(-4.0 * (x - center) / width));
  const bool exact = function == WindowFunction::kLinearExact;
  const double c = exact ? center : center - 0.5;
  const double w = exact ? width : width - 1.0;
  if (x <= c - w / 2) return 0;
  if (x > c + w / 2) return 1;
  return (x - c) / w + 0.5;
}

namespace dicom {
namespace {

WindowFunction FunctionNamed(const std::string& name, DicomWarnings* warnings) {
  if (name == "SIGMOID") return WindowFunction::kSigmoid;
  if (name == "LINEAR_EXACT") return WindowFunction::kLinearExact;
  if (!name.empty() && name != "LINEAR") {
    warnings->push_back(
        {"unknown-voi-function",
         "the window has a function that the standard does not name; LINEAR is used"});
  }
  return WindowFunction::kLinear;
}

}  // namespace

ModalityTransform ReadModality(const DataSet& data_set, bool is_signed, DicomWarnings* warnings) {
  ModalityTransform modality;
  if (const DataSet* item = data_set.Item(kModalityLuts)) {
    Result<LookupTable> table = ReadLookupTable(*item, is_signed);
    if (table.ok()) {
      modality.table = *std::move(table);
      return modality;
    }
    warnings->push_back(
        {"bad-modality-lut", "the modality table is ignored: " + table.status().message()});
  }
  modality.unit = data_set.Text(kRescaleType);
  const bool stated = data_set.Has(kRescaleSlope) && data_set.Has(kRescaleIntercept);
  if (!stated) return modality;
  const std::optional<double> slope = data_set.Number(kRescaleSlope, Vr('D', 'S'));
  const std::optional<double> intercept = data_set.Number(kRescaleIntercept, Vr('D', 'S'));
  if (!slope || !intercept || !std::isfinite(*slope) || !std::isfinite(*intercept) || *slope == 0) {
    warnings->push_back(
        {"bad-rescale",
         "rescale slope or intercept is no usable number; stored values are used as they are"});
    return modality;
  }
  modality.slope = *slope;
  modality.intercept = *intercept;
  return modality;
}

VoiTransforms ReadVoi(const DataSet& data_set, bool is_signed, DicomWarnings* warnings) {
  VoiTransforms voi;
  for (const DataSet& item : data_set.Items(kVoiLuts)) {
    Result<LookupTable> table = ReadLookupTable(item, is_signed);
    if (table.ok()) {
      voi.tables.push_back(*std::move(table));
    } else {
      warnings->push_back({"bad-voi-lut", "a VOI table is ignored: " + table.status().message()});
    }
  }
  const std::vector<double> centers = data_set.Numbers(kWindowCenter, Vr('D', 'S'));
  const std::vector<double> widths = data_set.Numbers(kWindowWidth, Vr('D', 'S'));
  if (centers.size() != widths.size()) {
    warnings->push_back(
        {"bad-window",
         "window centres and widths differ in number; the pairs that exist are used"});
  }
  const WindowFunction function = centers.empty()
                                      ? WindowFunction::kLinear
                                      : FunctionNamed(data_set.Text(kVoiFunction), warnings);
  for (size_t i = 0; i < std::min(centers.size(), widths.size()); ++i) {
    const DicomWindow window{centers[i], widths[i], function};
    const bool usable = function == WindowFunction::kLinear ? window.width >= 1 : window.width > 0;
    if (usable && std::isfinite(window.center) && std::isfinite(window.width)) {
      voi.windows.push_back(window);
    } else {
      warnings->push_back({"bad-window", "a window whose centre or width cannot be is ignored"});
    }
  }
  return voi;
}

}  // namespace dicom
}  // namespace galen

#include "media/dicom/series_checks.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace galen::dicom {
namespace {

constexpr double kSamePlace = 0.01;    // millimetres, or as a share of the step
constexpr double kGap = 1.5;           // steps
constexpr double kUneven = 0.1;        // of a step
constexpr double kSameSpacing = 1e-3;  // relative
constexpr double kTilt = 0.035;        // sine of two degrees

double Location(const std::vector<SliceHeader>& sorted, size_t i) {
  return *sorted[i].slice.location;
}

std::string Millimetres(double x) {
  std::string text = std::to_string(x);
  return text.substr(0, text.find('.') + 3) + " mm";
}

double Median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

std::vector<size_t> StartsAbove(const std::vector<SliceHeader>& sorted, double tolerance) {
  std::vector<size_t> starts = {0};
  for (size_t i = 1; i < sorted.size(); ++i) {
    if (Location(sorted, i) - Location(sorted, starts.back()) > tolerance) starts.push_back(i);
  }
  starts.push_back(sorted.size());
  return starts;
}

std::vector<double> Steps(const std::vector<SliceHeader>& sorted,
                          const std::vector<size_t>& starts) {
  std::vector<double> steps;
  for (size_t i = 1; i + 1 < starts.size(); ++i)
    steps.push_back(Location(sorted, starts[i]) - Location(sorted, starts[i - 1]));
  return steps;
}

}  // namespace

Places FindPlaces(const std::vector<SliceHeader>& sorted) {
  Places places;
  places.starts = StartsAbove(sorted, kSamePlace);
  std::vector<double> steps = Steps(sorted, places.starts);
  if (steps.empty()) return places;
  // Coordinates are rounded in the file: what is close for this step is one place.
  places.starts = StartsAbove(sorted, std::max(kSamePlace, kSamePlace * Median(steps)));
  steps = Steps(sorted, places.starts);
  if (!steps.empty()) places.step = Median(steps);
  return places;
}

void CheckSteps(const std::vector<SliceHeader>& sorted, const Places& places,
                DicomWarnings* warnings) {
  if (!places.step || places.starts.size() < 4) return;
  const double step = *places.step;
  int64_t missing = 0;
  int64_t gaps = 0;
  double uneven = 0;
  for (const double s : Steps(sorted, places.starts)) {
    if (s > kGap * step) {
      ++gaps;
      missing += static_cast<int64_t>(std::min(std::round(s / step), 1e6)) - 1;
    } else {
      uneven = std::max(uneven, std::abs(s - step));
    }
  }
  if (gaps > 0) {
    warnings->push_back({"missing-slices", std::to_string(gaps) + " gaps between slices, as if " +
                                               std::to_string(missing) + " slices of " +
                                               Millimetres(step) + " were missing"});
  }
  if (uneven > kUneven * step) {
    warnings->push_back({"uneven-spacing", "slices are " + Millimetres(step) +
                                               " apart in the median, but some differ by " +
                                               Millimetres(uneven)});
  }
  const SliceHeader& first = sorted.front();
  const SliceHeader& last = sorted.back();
  double length = 0;
  for (size_t k = 0; k < 3; ++k) {
    const double d = (*last.geometry.position)[k] - (*first.geometry.position)[k];
    length += d * d;
  }
  const double along = *last.slice.location - *first.slice.location;
  if (length - along * along > kTilt * kTilt * length) {
    warnings->push_back({"tilted-gantry",
                         "slices are shifted sideways from one to the next; the stack is oblique"});
  }
}

void CheckInstances(const std::vector<SliceHeader>& sorted, const DicomSeries& series,
                    DicomWarnings* warnings) {
  if (sorted.size() > 1 &&
      (series.modality == "CT" || series.modality == "MR" || series.modality == "PT")) {
    warnings->push_back(
        {"no-positions",
         "slices lack a usable position or orientation; sorted by " + series.order});
  }
  if (series.order != "instance number" || sorted.size() < 2) return;
  const int64_t span = *sorted.back().slice.instance_number - *sorted.front().slice.instance_number;
  int64_t distinct = 1;
  for (size_t i = 1; i < sorted.size(); ++i) {
    distinct += *sorted[i].slice.instance_number != *sorted[i - 1].slice.instance_number;
  }
  if (span + 1 > distinct) {
    warnings->push_back({"missing-instances", "the instance numbers skip " +
                                                  std::to_string(span + 1 - distinct) + " values"});
  }
}

void CheckShapes(const std::vector<SliceHeader>& headers, DicomWarnings* warnings) {
  const SliceHeader& first = headers.front();
  bool size = false;
  bool spacing = false;
  for (const SliceHeader& header : headers) {
    size = size || header.rows != first.rows || header.columns != first.columns;
    const auto& a = header.geometry.spacing;
    const auto& b = first.geometry.spacing;
    spacing = spacing || a.has_value() != b.has_value();
    for (size_t k = 0; a && b && k < 2; ++k)
      spacing = spacing || std::abs((*a)[k] - (*b)[k]) > kSameSpacing * (*b)[k];
  }
  if (size) warnings->push_back({"mixed-size", "slices differ in rows or columns"});
  if (spacing) warnings->push_back({"mixed-spacing", "slices differ in pixel spacing"});
}

}  // namespace galen::dicom

#include "media/dicom/frame_groups.h"

#include <algorithm>
#include <cmath>

namespace galen {

std::optional<std::array<double, 3>> DicomGeometry::Normal() const {
  if (!orientation) return std::nullopt;
  const std::array<double, 6>& o = *orientation;
  return std::array<double, 3>{o[1] * o[5] - o[2] * o[4], o[2] * o[3] - o[0] * o[5],
                               o[0] * o[4] - o[1] * o[3]};
}

namespace dicom {
namespace {

constexpr uint16_t kDecimal = Vr('D', 'S');
// Writers round direction cosines to a few digits.
constexpr double kUnitTolerance = 0.01;

// Nothing that is imaged lies kilometres away; beyond, arithmetic with places would overflow.
constexpr double kLargest = 1e6;

bool AllUsable(const std::vector<double>& values) {
  return std::all_of(values.begin(), values.end(),
                     [](double x) { return std::abs(x) <= kLargest; });  // false for NaN
}

double Dot(const double* a, const double* b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

bool IsOrientation(const std::vector<double>& v) {
  return v.size() == 6 && AllUsable(v) && std::abs(Dot(&v[0], &v[0]) - 1) < kUnitTolerance &&
         std::abs(Dot(&v[3], &v[3]) - 1) < kUnitTolerance &&
         std::abs(Dot(&v[0], &v[3])) < kUnitTolerance;
}

std::optional<double> Positive(const DataSet& data_set, Tag tag, const char* what,
                               DicomWarnings* warnings) {
  if (data_set.Text(tag).empty()) return std::nullopt;
  const std::optional<double> value = data_set.Number(tag, kDecimal);
  // Spacing between slices may be negative in nuclear medicine (PS3.3 C.8.4.15); its size is what
  // is meant here.
  const double size = value ? std::abs(*value) : 0;
  if (size > 0 && size <= kLargest) return size;
  warnings->push_back(
      {"bad-spacing", std::string(what) + " is no positive number and was ignored"});
  return std::nullopt;
}

void ReadSpacing(const DataSet& measures, const DataSet& top, DicomGeometry* geometry,
                 DicomWarnings* warnings) {
  struct Source {
    const DataSet& data_set;
    Tag tag;
    const char* name;
  };
  for (const Source& source : {Source{measures, kPixelSpacing, "PixelSpacing"},
                               Source{top, kImagerPixelSpacing, "ImagerPixelSpacing"},
                               Source{top, kScannedPixelSpacing, "NominalScannedPixelSpacing"}}) {
    if (source.data_set.RawText(source.tag).empty()) continue;
    const std::vector<double> v = source.data_set.Numbers(source.tag, kDecimal);
    if (v.size() == 2 && AllUsable(v) && v[0] > 0 && v[1] > 0) {
      geometry->spacing = {v[0], v[1]};
      geometry->spacing_source = source.name;
      return;
    }
    warnings->push_back(
        {"bad-spacing", std::string(source.name) + " is not two positive numbers and was ignored"});
  }
}

}  // namespace

const DataSet* FindGroup(const DataSet& data_set, int64_t i, Tag sequence) {
  const std::span<const DataSet> frames = data_set.Items(kPerFrameGroups);
  if (i >= 0 && static_cast<size_t>(i) < frames.size()) {
    if (const DataSet* item = frames[static_cast<size_t>(i)].Item(sequence)) return item;
  }
  const DataSet* shared = data_set.Item(kSharedGroups);
  return shared == nullptr ? nullptr : shared->Item(sequence);
}

const DataSet& GroupOrTop(const DataSet& data_set, int64_t i, Tag sequence) {
  const DataSet* group = FindGroup(data_set, i, sequence);
  return group == nullptr ? data_set : *group;
}

DicomGeometry ReadGeometry(const DataSet& data_set, int64_t i, DicomWarnings* warnings) {
  DicomGeometry geometry;
  const DataSet& place = GroupOrTop(data_set, i, kPlanePositions);
  if (place.Has(kImagePosition)) {
    const std::vector<double> v = place.Numbers(kImagePosition, kDecimal);
    if (v.size() == 3 && AllUsable(v)) {
      geometry.position = {v[0], v[1], v[2]};
    } else {
      warnings->push_back(
          {"bad-position", "the image position is not three numbers and was ignored"});
    }
  }
  const DataSet& plane = GroupOrTop(data_set, i, kPlaneOrientations);
  if (plane.Has(kImageOrientation)) {
    const std::vector<double> v = plane.Numbers(kImageOrientation, kDecimal);
    if (IsOrientation(v)) {
      geometry.orientation.emplace();
      std::copy(v.begin(), v.end(), geometry.orientation->begin());
    } else {
      warnings->push_back(
          {"bad-orientation",
           "the image orientation is not two perpendicular unit vectors and was ignored"});
    }
  }
  const DataSet& measures = GroupOrTop(data_set, i, kPixelMeasures);
  ReadSpacing(measures, data_set, &geometry, warnings);
  geometry.thickness = Positive(measures, kSliceThickness, "SliceThickness", warnings);
  geometry.spacing_between_slices =
      Positive(measures, kSpacingBetweenSlices, "SpacingBetweenSlices", warnings);
  if (const DataSet* content = FindGroup(data_set, i, kFrameContents)) {
    geometry.temporal_position = content->Integer(kTemporalPositionIndex, Vr('U', 'L'));
  } else {
    geometry.temporal_position = data_set.Integer(kTemporalPosition, Vr('I', 'S'));
  }
  return geometry;
}

}  // namespace dicom
}  // namespace galen

#include "media/dicom/series_order.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <tuple>

#include "media/dicom/series_checks.h"

namespace galen::dicom {
namespace {

constexpr double kSameDirection = 0.999;  // cosine: 2.5 degrees
constexpr int64_t kNone = std::numeric_limits<int64_t>::max();

bool SameDirections(const std::array<double, 6>& a, const std::array<double, 6>& b) {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2] > kSameDirection &&
         a[3] * b[3] + a[4] * b[4] + a[5] * b[5] > kSameDirection;
}

// Drops slices that are the same object twice, as a disc copied beside a download leaves them.
void DropDuplicates(std::vector<SliceHeader>* headers, DicomWarnings* warnings) {
  std::vector<SliceHeader> kept;
  std::map<std::tuple<uint64_t, uint64_t, int64_t>, bool> seen;
  for (SliceHeader& header : *headers) {
    if (seen.emplace(std::tuple(header.instance.high, header.instance.low, header.slice.frame),
                     true)
            .second) {
      kept.push_back(std::move(header));
    }
  }
  if (kept.size() < headers->size()) {
    warnings->push_back({"duplicate-instance",
                         std::to_string(headers->size() - kept.size()) +
                             " slices are copies of others (same instance) and were left out"});
  }
  *headers = std::move(kept);
}

void SortByInstance(std::vector<SliceHeader>* headers, DicomSeries* series) {
  const bool all = std::all_of(headers->begin(), headers->end(), [](const SliceHeader& h) {
    return h.slice.instance_number.has_value();
  });
  std::stable_sort(
      headers->begin(), headers->end(), [](const SliceHeader& a, const SliceHeader& b) {
        return std::tuple(a.slice.instance_number.value_or(kNone), a.slice.file, a.slice.frame) <
               std::tuple(b.slice.instance_number.value_or(kNone), b.slice.file, b.slice.frame);
      });
  series->order = all ? "instance number" : "order of the files";
}

// Orientation groups in the order of their first instance; slices inside of a group sorted along
// its normal.
std::vector<std::vector<SliceHeader>> GroupByOrientation(std::vector<SliceHeader> headers) {
  std::vector<std::vector<SliceHeader>> groups;
  for (SliceHeader& header : headers) {
    auto group = std::find_if(groups.begin(), groups.end(), [&](const std::vector<SliceHeader>& g) {
      return SameDirections(*g[0].geometry.orientation, *header.geometry.orientation);
    });
    if (group == groups.end()) group = groups.emplace(groups.end());
    // All of a group are measured along one normal: tiny differences in direction must not reorder
    // them.
    const std::array<double, 3> normal =
        *(group->empty() ? header : group->front()).geometry.Normal();
    const std::array<double, 3>& p = *header.geometry.position;
    header.slice.location = normal[0] * p[0] + normal[1] * p[1] + normal[2] * p[2];
    group->push_back(std::move(header));
  }
  for (std::vector<SliceHeader>& group : groups) {
    std::stable_sort(group.begin(), group.end(), [](const SliceHeader& a, const SliceHeader& b) {
      return *a.slice.location < *b.slice.location;
    });
  }
  return groups;
}

// Slices at one place, repeated at every place equally often, are time points (or echoes, or
// b-values): the k-th of each place, by temporal position, acquisition and instance number, makes
// volume k.
int64_t AssignTimePoints(const std::vector<size_t>& starts, std::vector<SliceHeader>* group) {
  const size_t per_place = starts[1] - starts[0];
  for (size_t i = 0; i + 1 < starts.size(); ++i) {
    if (starts[i + 1] - starts[i] != per_place) return 1;
  }
  if (per_place == 1) return 1;
  for (size_t i = 0; i + 1 < starts.size(); ++i) {
    const auto first = group->begin() + static_cast<std::ptrdiff_t>(starts[i]);
    const auto last = group->begin() + static_cast<std::ptrdiff_t>(starts[i + 1]);
    std::stable_sort(first, last, [](const SliceHeader& a, const SliceHeader& b) {
      return std::tuple(a.geometry.temporal_position.value_or(kNone),
                        a.acquisition_number.value_or(kNone),
                        a.slice.instance_number.value_or(kNone), a.slice.frame) <
             std::tuple(b.geometry.temporal_position.value_or(kNone),
                        b.acquisition_number.value_or(kNone),
                        b.slice.instance_number.value_or(kNone), b.slice.frame);
    });
    for (auto it = first; it != last; ++it) it->slice.time_point = it - first;
  }
  std::stable_sort(group->begin(), group->end(), [](const SliceHeader& a, const SliceHeader& b) {
    return a.slice.time_point < b.slice.time_point;
  });
  return static_cast<int64_t>(per_place);
}

std::vector<SliceHeader> SortByPosition(std::vector<SliceHeader> headers, DicomSeries* series) {
  series->order = "position along the normal";
  std::vector<std::vector<SliceHeader>> groups = GroupByOrientation(std::move(headers));
  series->normal = groups[0][0].geometry.Normal();
  if (groups.size() > 1) {
    series->warnings.push_back(
        {"mixed-orientation", "the series has " + std::to_string(groups.size()) +
                                  " orientations; each is sorted by itself, one after the other"});
  }
  std::vector<SliceHeader> sorted;
  for (size_t g = 0; g < groups.size(); ++g) {
    std::vector<SliceHeader>& group = groups[g];
    const Places places = FindPlaces(group);
    if (g == 0) series->slice_spacing = places.step;
    CheckSteps(group, places, &series->warnings);
    const int64_t points = AssignTimePoints(places.starts, &group);
    series->time_points = std::max(series->time_points, points);
    if (points > 1) {
      series->warnings.push_back(
          {"several-time-points", std::to_string(points) +
                                      " slices at each place: taken as time points, "
                                      "one volume after the other"});
    } else if (places.starts.size() - 1 < group.size()) {
      series->warnings.push_back(
          {"duplicate-position", std::to_string(group.size() - (places.starts.size() - 1)) +
                                     " slices lie where another one lies"});
    }
    sorted.insert(sorted.end(), std::make_move_iterator(group.begin()),
                  std::make_move_iterator(group.end()));
  }
  return sorted;
}

}  // namespace

void OrderSeries(std::vector<SliceHeader> headers, DicomSeries* series) {
  if (headers.empty()) return;
  DropDuplicates(&headers, &series->warnings);
  SortByInstance(&headers, series);
  const auto all = [&](auto has) { return std::all_of(headers.begin(), headers.end(), has); };
  const bool tiled = all([](const SliceHeader& h) { return h.level_columns > 0; });
  const bool placed =
      all([](const SliceHeader& h) { return h.geometry.position && h.geometry.orientation; });
  if (tiled) {
    std::stable_sort(headers.begin(), headers.end(),
                     [](const SliceHeader& a, const SliceHeader& b) {
                       return a.level_columns > b.level_columns;
                     });
    series->order = "size of the level";
  } else if (placed) {
    headers = SortByPosition(std::move(headers), series);
  } else {
    CheckInstances(headers, *series, &series->warnings);
  }
  if (!tiled) CheckShapes(headers, &series->warnings);
  for (SliceHeader& header : headers) series->slices.push_back(header.slice);
}

}  // namespace galen::dicom

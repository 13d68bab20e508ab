// Series of slices.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <iterator>
#include <memory>
#include <mutex>
#include <new>

#include "base/threads.h"
#include "media/document/page_range.h"
#include "recipes/sources.h"
#include "recipes/values.h"

namespace galen {
namespace {

// Values that a percentile looks at: more are thinned out evenly.
constexpr size_t kMostSamples = size_t{1} << 22;
constexpr float kAirInHounsfield = -500;

std::string WindowText(const std::vector<std::array<double, 2>>& windows) {
  static constexpr const char* kChannels[] = {"R ", "G ", "B "};
  std::string text;
  for (size_t i = 0; i < windows.size(); ++i) {
    char range[96];
    std::snprintf(range, sizeof(range), "%g..%g", windows[i][0], windows[i][1]);
    text += std::string(i > 0 ? ", " : "") + (windows.size() == 3 ? kChannels[i] : "") + range;
  }
  return text;
}

// Calls fn(k) for k = 0 .. n - 1, several at a time. Returns the first error; what is left over
// then is not called.
Status ForEach(size_t n, const std::function<Status(size_t)>& fn) {
  ThreadPool pool(
      static_cast<int>(std::min<size_t>(n, static_cast<size_t>(AvailableProcessors()))));
  WorkQueue queue(static_cast<int64_t>(n), 1);
  std::mutex mutex;
  Status first;
  pool.Run([&](int) {
    int64_t begin, end;
    while (queue.Next(&begin, &end)) {
      Status status;
      try {
        status = fn(static_cast<size_t>(begin));
      } catch (const std::bad_alloc&) {
        status = ResourceExhausted("out of memory");
      }
      if (status.ok()) continue;
      const std::lock_guard<std::mutex> lock(mutex);
      if (first.ok()) first = std::move(status);
      return;
    }
  });
  return first;
}

std::vector<std::array<double, 2>> PercentileWindows(const std::vector<SliceStack::Slice>& slices,
                                                     const std::array<double, 2>& percentiles) {
  size_t total = 0;
  for (const auto& slice : slices) total += slice.values.size();
  const size_t step = total / kMostSamples + 1;
  std::vector<float> samples;
  for (const auto& slice : slices) {
    for (size_t i = 0; i < slice.values.size(); i += step) samples.push_back(slice.values[i]);
  }
  return {PercentileWindow(&samples, percentiles)};
}

void SetPixels(const SliceStack::Slice& slice, const std::vector<std::array<double, 2>>& windows,
               SeenImage* seen) {
  seen->image = WindowsToRgb(slice.values, slice.width, slice.height, windows);
  seen->to_source.source_width = slice.width;
  seen->to_source.source_height = slice.height;
}

void CheckFit(const Recipe& recipe, const SliceStack& stack, MediaInput* input) {
  if (!stack.modality.empty() && !recipe.modalities.empty() &&
      stack.modality != recipe.modalities[0]) {
    input->warnings.push_back("the recipe '" + recipe.name + "' is made for " +
                              recipe.modalities[0] + "; this series is " + stack.modality);
  }
  if (!recipe.unit.empty() && stack.unit != recipe.unit) {
    input->warnings.push_back("the windows are in " + recipe.unit +
                              "; the unit of these values is " +
                              (stack.unit.empty() ? "not stated" : stack.unit));
  }
}

// Which of n slices are shown: of those asked for, as many as may be.
Result<std::vector<int64_t>> IndicesOf(int64_t n, int64_t most, const MediaOptions& options) {
  if (options.slices.empty()) return SpreadIndices(n, most);
  Result<std::vector<int64_t>> asked = ParsePageRange(options.slices, n, n);
  if (!asked.ok()) return asked.status().WithContext("slices");
  std::vector<int64_t> indices;
  for (const int64_t k : SpreadIndices(static_cast<int64_t>(asked->size()), most))
    indices.push_back((*asked)[static_cast<size_t>(k)] - 1);
  return indices;
}

}  // namespace

bool LooksLikeCt(std::span<const float> values) {
  return std::any_of(values.begin(), values.end(), [](float v) { return v <= kAirInHounsfield; });
}

Result<SliceStack> OpenVolumeStack(const std::string& path, const MediaOptions& options) {
  ASSIGN_OR_RETURN(Volume opened, Volume::Open(path, options.volume));
  auto volume = std::make_shared<const Volume>(std::move(opened));
  const Plane plane = options.plane;
  const int64_t count = volume->num_slices(plane), frame = options.frame;
  if (frame < 0 || frame >= volume->frames()) {
    return InvalidArgument(path + " has frames 0 to " + std::to_string(volume->frames() - 1));
  }
  SliceStack stack;
  stack.count = count;
  // From head to foot, from front to back, from right to left.
  stack.read = [volume, plane, count, frame](int64_t i) -> Result<SliceStack::Slice> {
    ASSIGN_OR_RETURN(VolumeSlice slice, volume->Slice(plane, count - 1 - i, frame));
    return SliceStack::Slice{slice.width, slice.height, std::move(slice.values)};
  };
  stack.name = [path, count](int64_t i) {
    return path + " slice " + std::to_string(i + 1) + " of " + std::to_string(count);
  };
  for (const std::string& warning : volume->warnings())
    stack.warnings.push_back(path + ": " + warning);
  if (volume->frames() > 1) {
    stack.warnings.push_back(path + ": frame " + std::to_string(frame + 1) + " of " +
                             std::to_string(volume->frames()) + " is shown");
  }
  const auto& mm = volume->spacing_mm();
  stack.facts.emplace_back("spacing",
                           Millimetres({mm[0], mm[1], mm[2]}) + " (right, anterior, superior)");
  stack.facts.emplace_back("stored", volume->stored_orientation());
  static constexpr const char* kOrders[] = {
      "head to foot; patient's right on the left, front on top",
      "front to back; patient's right on the left, head on top",
      "right to left; front on the left, head on top"};
  stack.facts.emplace_back("order",
                           std::string(PlaneName(plane)) + ", " + kOrders[static_cast<int>(plane)]);
  // NIfTI does not name the modality.
  ASSIGN_OR_RETURN(const SliceStack::Slice middle, stack.read(count / 2));
  if (LooksLikeCt(middle.values)) {
    stack.modality = "CT";
    stack.unit = "HU";
    stack.warnings.push_back(
        path + ": NIfTI names no modality; values at or below -500 were taken for CT in HU");
  }
  return stack;
}

Status AddSeries(const MediaFile& file, const Recipe& recipe, const MediaOptions& options,
                 MediaInput* input) {
  if (file.kind != MediaKind::kVolume && file.kind != MediaKind::kDicom) {
    return InvalidArgument("the recipe '" + recipe.name + "' takes a series of slices; " +
                           file.path + " is a " + std::string(MediaKindName(file.kind)));
  }
  ASSIGN_OR_RETURN(const SliceStack stack, file.kind == MediaKind::kVolume
                                               ? OpenVolumeStack(file.path, options)
                                               : OpenDicomStack(file.path, options));
  if (stack.count < 1) return NotFound(file.path + " has no slices");
  input->warnings.insert(input->warnings.end(), stack.warnings.begin(), stack.warnings.end());
  CheckFit(recipe, stack, input);
  const int64_t most = options.max_images > 0 ? options.max_images : recipe.max_images;
  ASSIGN_OR_RETURN(const std::vector<int64_t> indices, IndicesOf(stack.count, most, options));
  std::vector<SeenImage> images(indices.size());
  std::vector<std::array<double, 2>> windows = recipe.windows;
  const bool percentiles = recipe.percentiles && !options.window;
  if (options.window) {
    const auto& [centre, width] = *options.window;
    windows = {{centre - width / 2, centre + width / 2}};
  }
  std::vector<SliceStack::Slice> slices(percentiles ? indices.size() : 0);
  std::atomic<int64_t> pixels{0};
  RETURN_IF_ERROR(ForEach(indices.size(), [&](size_t k) -> Status {
    ASSIGN_OR_RETURN(SliceStack::Slice slice, stack.read(indices[k]));
    if ((pixels += slice.width * slice.height) > options.max_all_pixels)
      return TooManyPixels(options);
    images[k].source = stack.name(indices[k]);
    images[k].recipe = recipe.Id();
    if (percentiles) {
      slices[k] = std::move(slice);
    } else {
      SetPixels(slice, windows, &images[k]);
    }
    return OkStatus();
  }));
  if (percentiles) {
    windows = PercentileWindows(slices, *recipe.percentiles);
    for (size_t k = 0; k < slices.size(); ++k) SetPixels(slices[k], windows, &images[k]);
  }
  std::move(images.begin(), images.end(), std::back_inserter(input->images));
  input->facts.insert(input->facts.end(), stack.facts.begin(), stack.facts.end());
  input->facts.emplace_back("windows",
                            WindowText(windows) + (stack.unit.empty() ? "" : " " + stack.unit));
  input->facts.emplace_back("slices",
                            std::to_string(indices.size()) + " of " + std::to_string(stack.count));
  return OkStatus();
}

}  // namespace galen

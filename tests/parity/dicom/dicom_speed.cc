// Time of a CT series: headers read and sorted, then each slice decoded, put through three windows
// into RGB (soft tissue, lung, brain) and resized to 896 x 896. usage: dicom_speed FOLDER
// [threads]; make_series.py makes a folder.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <numeric>

#include "media/dicom/dicom_set.h"
#include "media/image/resize.h"

using namespace galen;

namespace {

constexpr double kWindows[3][2] = {
    {-1024, 1024}, {-135, 215}, {0, 80}};  // the CT recipe of MedGemma 1.5

Image Windowed(const std::vector<float>& values, int64_t rows, int64_t columns) {
  Image image;
  image.width = columns;
  image.height = rows;
  image.pixels.resize(values.size() * 3);
  for (size_t p = 0; p < values.size(); ++p) {
    for (size_t c = 0; c < 3; ++c) {
      const float low = static_cast<float>(kWindows[c][0]);
      const float scale = 255.0F / static_cast<float>(kWindows[c][1] - kWindows[c][0]);
      const float x = (values[p] - low) * scale;
      image.pixels[3 * p + c] = static_cast<uint8_t>(x <= 0 ? 0 : x >= 255 ? 255 : x + 0.5F);
    }
  }
  return image;
}

double Seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  DicomSetOptions options;
  options.threads = argc > 2 ? std::atoi(argv[2]) : 0;
  const double start = Seconds();
  const Result<DicomSet> set = ReadDicomSet(argv[1], options);
  if (!set.ok() || set->studies.empty() || set->studies[0].series.empty()) {
    std::fprintf(stderr, "%s\n", set.ok() ? "no series" : set.status().message().c_str());
    return 1;
  }
  const DicomSeries& series = set->studies[0].series[0];
  const double sorted = Seconds();
  std::vector<int64_t> all(series.slices.size());
  std::iota(all.begin(), all.end(), 0);
  std::vector<Image> images(all.size());
  const auto one = [&](int64_t k, const DicomFile& file, const DicomSlice& slice) -> Status {
    ASSIGN_OR_RETURN(const std::vector<float> values, file.ReadPhysical(slice.frame));
    const Image windowed = Windowed(values, file.info().format.rows, file.info().format.columns);
    images[static_cast<size_t>(k)] = Resize(windowed, 896, 896, Filter::kBilinear);
    return OkStatus();
  };
  const Status status = ForEachSlice(*set, series, all, options.threads, one);
  if (!status.ok()) {
    std::fprintf(stderr, "%s\n", status.message().c_str());
    return 1;
  }
  const double end = Seconds();
  const double count = static_cast<double>(all.size());
  std::printf("%zu slices: headers and order %.3f s, pixels %.3f s, %.1f slices/s together\n",
              all.size(), sorted - start, end - sorted, count / (end - start));
  return 0;
}

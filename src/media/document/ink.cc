#include "media/document/ink.h"

#include <algorithm>

namespace galen {
namespace {

// Half the side of the square whose mean brightness a pixel is compared with. Wider than strokes of
// headings, narrower than the shadows of a photographed page.
constexpr int64_t kReach = 20;
// Ink is darker than this share of the mean, and by at least so many of 255 steps.
constexpr double kShare = 0.85;
constexpr double kLeastContrast = 24;

constexpr size_t kMaxRuns = 4'000'000;  // more are a picture or noise

// A run of ink in a row.
struct Run {
  int64_t y, x0, x1;
  size_t parent;
};

size_t Root(std::vector<Run>* runs, size_t i) {
  while ((*runs)[i].parent != i) {
    (*runs)[i].parent = (*runs)[(*runs)[i].parent].parent;
    i = (*runs)[i].parent;
  }
  return i;
}

// Marks with `flag` in `flags` the places of ink that belong to runs of at least `longest` along
// the rows (or columns) of the map, and with 4 * flag where the ink there is thin across, too.
constexpr uint8_t kAlongRow = 1, kAlongColumn = 2, kThin = 4;

void MarkLongRuns(const InkMap& map, bool rows, int64_t longest, std::vector<uint8_t>* flags) {
  constexpr int64_t kThickest = 6;
  const int64_t lines = rows ? map.height : map.width, length = rows ? map.width : map.height;
  const int64_t step = rows ? 1 : map.width, across = rows ? map.width : 1;
  const uint8_t* ink = map.ink.data();
  for (int64_t line = 0; line < lines; ++line) {
    const int64_t base = line * across;
    for (int64_t i = 0; i < length;) {
      if (!ink[base + i * step]) {
        ++i;
        continue;
      }
      int64_t end = i;
      while (end < length && ink[base + end * step]) ++end;
      for (int64_t j = i; end - i >= longest && j < end; ++j) {
        const int64_t at = base + j * step;
        int64_t thickness = 1;
        for (int64_t n = line - 1;
             n >= 0 && thickness <= kThickest && ink[at - (line - n) * across]; --n)
          ++thickness;
        for (int64_t n = line + 1;
             n < lines && thickness <= kThickest && ink[at + (n - line) * across]; ++n)
          ++thickness;
        uint8_t& flag = (*flags)[static_cast<size_t>(at)];
        flag |= rows ? kAlongRow : kAlongColumn;
        if (thickness <= kThickest) flag |= kThin;
      }
      i = end;
    }
  }
}

}  // namespace

std::vector<uint8_t> Brightness(const Image& page) {
  const auto count = static_cast<size_t>(page.width * page.height);
  if (page.channels == 1) return page.pixels;
  std::vector<uint8_t> gray(count);
  for (size_t i = 0; i < count; ++i) {
    const uint8_t* p = page.pixels.data() + 3 * i;
    gray[i] = static_cast<uint8_t>((p[0] * 299 + p[1] * 587 + p[2] * 114 + 500) / 1000);
  }
  return gray;
}

InkMap FindInk(const std::vector<uint8_t>& gray, int64_t width, int64_t height) {
  InkMap map{width, height, std::vector<uint8_t>(gray.size(), 0)};
  // Sums of columns over the rows of the square, moved down row by row.
  std::vector<int64_t> columns(static_cast<size_t>(width), 0);
  const auto add_row = [&](int64_t y, int64_t sign) {
    const uint8_t* from = gray.data() + y * width;
    for (int64_t x = 0; x < width; ++x) columns[static_cast<size_t>(x)] += sign * from[x];
  };
  for (int64_t y = 0; y < std::min(kReach, height); ++y) add_row(y, 1);
  for (int64_t y = 0; y < height; ++y) {
    if (y + kReach < height) add_row(y + kReach, 1);
    if (y - kReach - 1 >= 0) add_row(y - kReach - 1, -1);
    const int64_t rows = std::min(y + kReach, height - 1) - std::max<int64_t>(y - kReach, 0) + 1;
    int64_t sum = 0;
    for (int64_t x = 0; x < std::min(kReach, width); ++x) sum += columns[static_cast<size_t>(x)];
    const uint8_t* from = gray.data() + y * width;
    uint8_t* to = map.row(y);
    for (int64_t x = 0; x < width; ++x) {
      if (x + kReach < width) sum += columns[static_cast<size_t>(x + kReach)];
      if (x - kReach - 1 >= 0) sum -= columns[static_cast<size_t>(x - kReach - 1)];
      const int64_t cols = std::min(x + kReach, width - 1) - std::max<int64_t>(x - kReach, 0) + 1;
      const double mean = static_cast<double>(sum) / static_cast<double>(rows * cols);
      to[x] = from[x] < mean * kShare && from[x] < mean - kLeastContrast ? 1 : 0;
    }
  }
  return map;
}

void RemoveRules(InkMap* map, int64_t longest) {
  std::vector<uint8_t> flags(map->ink.size(), 0);
  MarkLongRuns(*map, true, longest, &flags);
  MarkLongRuns(*map, false, longest, &flags);
  // Where two rules cross, neither is thin; the same goes for the middle of a dark area.
  for (size_t i = 0; i < flags.size(); ++i) {
    if ((flags[i] & kThin) != 0 || flags[i] == (kAlongRow | kAlongColumn)) map->ink[i] = 0;
  }
}

std::vector<PixelBox> InkPieces(const InkMap& map) {
  std::vector<Run> runs;
  size_t above = 0;  // the first run of the row before
  for (int64_t y = 0; y < map.height; ++y) {
    const uint8_t* row = map.row(y);
    const size_t first = runs.size();
    size_t touching = above;
    for (int64_t x = 0; x < map.width;) {
      if (!row[x]) {
        ++x;
        continue;
      }
      Run run{y, x, x, runs.size()};
      while (run.x1 < map.width && row[run.x1]) ++run.x1;
      x = run.x1;
      if (runs.size() >= kMaxRuns) return {};
      runs.push_back(run);
      while (touching < first && runs[touching].x1 < run.x0) ++touching;
      for (size_t i = touching; i < first && runs[i].x0 <= run.x1; ++i)
        runs[Root(&runs, i)].parent = Root(&runs, runs.size() - 1);
    }
    above = first;
  }
  std::vector<PixelBox> boxes(runs.size());
  std::vector<bool> begun(runs.size(), false);
  for (size_t i = 0; i < runs.size(); ++i) {
    const size_t root = Root(&runs, i);
    PixelBox& box = boxes[root];
    const Run& run = runs[i];
    if (!begun[root]) {
      box = {run.x0, run.y, run.x1, run.y + 1};
      begun[root] = true;
      continue;
    }
    box = {std::min(box.left, run.x0), std::min(box.top, run.y), std::max(box.right, run.x1),
           std::max(box.bottom, run.y + 1)};
  }
  std::vector<PixelBox> found;
  for (size_t i = 0; i < boxes.size(); ++i) {
    if (begun[i]) found.push_back(boxes[i]);
  }
  return found;
}

}  // namespace galen

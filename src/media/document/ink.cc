#include "media/document/ink.h"

#include <algorithm>
#include <numeric>

namespace galen {
namespace {

// Half the side of the square whose mean brightness a pixel is compared with. Wider than strokes of
// headings, narrower than the shadows of a photographed page.
constexpr int64_t kReach = 20;
// Ink is darker than this share of the mean, and by at least so many of 255 steps.
constexpr double kShare = 0.85;
constexpr double kLeastContrast = 24;

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

// Where a run of ink along a line of the map (row or column) is long, and most of it is thin:
// `thickness(i)` is the extent across at place i.
template <class At, class Thickness, class Clear>
void ClearLongRuns(int64_t length, int64_t longest, const At& at, const Thickness& thickness,
                   const Clear& clear) {
  constexpr int64_t kThickest = 6;
  for (int64_t i = 0; i < length;) {
    if (!at(i)) {
      ++i;
      continue;
    }
    int64_t end = i;
    while (end < length && at(end)) ++end;
    if (end - i >= longest) {
      for (int64_t j = i; j < end; ++j) {
        if (thickness(j) <= kThickest) clear(j);
      }
    }
    i = end;
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
  const InkMap before = *map;
  const auto extent = [&](int64_t x, int64_t y, int64_t dx, int64_t dy) {
    int64_t n = 1;
    for (int64_t sign : {-1, 1}) {
      for (int64_t i = 1;; ++i, ++n) {
        const int64_t u = x + sign * i * dx, v = y + sign * i * dy;
        if (u < 0 || v < 0 || u >= before.width || v >= before.height || !before.row(v)[u]) break;
      }
    }
    return n;
  };
  for (int64_t y = 0; y < map->height; ++y) {
    ClearLongRuns(
        map->width, longest, [&](int64_t x) { return before.row(y)[x] != 0; },
        [&](int64_t x) { return extent(x, y, 0, 1); }, [&](int64_t x) { map->row(y)[x] = 0; });
  }
  for (int64_t x = 0; x < map->width; ++x) {
    ClearLongRuns(
        map->height, longest, [&](int64_t y) { return before.row(y)[x] != 0; },
        [&](int64_t y) { return extent(x, y, 1, 0); }, [&](int64_t y) { map->row(y)[x] = 0; });
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

#include "media/image/resample_passes.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

namespace galen {
namespace {

// Rows [first, first + count) of the image through the columns' weights.
Image PassColumns(const Image& image, int64_t first, int64_t count, const FixedWeights& weights,
                  const ResampleKernels& kernels) {
  Image out;
  out.width = weights.targets();
  out.height = count;
  out.channels = image.channels;
  out.pixels.resize(out.width * out.height * out.channels);
  const int64_t row_bytes = image.width * image.channels;
  // Rows at the end of the buffer are copied, so that kernels may read beyond them.
  const int64_t safe_rows = image.height - (kReadSlack + row_bytes - 1) / row_bytes;
  std::vector<uint8_t> copies;
  for (int64_t y = 0; y < count; y += kernels.rows) {
    const int64_t rows = std::min(kernels.rows, count - y);
    std::array<const uint8_t*, kMaxRows> in{};
    std::array<uint8_t*, kMaxRows> to{};
    for (int64_t r = 0; r < rows; ++r) {
      in[r] = image.row(first + y + r);
      to[r] = out.row(y + r);
      if (first + y + r < safe_rows) continue;
      copies.resize(kernels.rows * (row_bytes + kReadSlack));
      uint8_t* copy = copies.data() + r * (row_bytes + kReadSlack);
      std::memcpy(copy, in[r], row_bytes);
      in[r] = copy;
    }
    kernels.horizontal(in.data(), to.data(), rows, image.channels, weights);
  }
  return out;
}

Image PassRows(const Image& image, const FixedWeights& weights, const ResampleKernels& kernels) {
  Image out;
  out.width = image.width;
  out.height = weights.targets();
  out.channels = image.channels;
  const int64_t bytes = out.width * out.channels;
  out.pixels.resize(bytes * out.height);
  for (int64_t y = 0; y < out.height; ++y) {
    kernels.vertical(image.pixels.data(), bytes, out.row(y), bytes, weights, y);
  }
  return out;
}

}  // namespace

Image RunPasses(const Image& image, const ResamplePasses& passes, const ResampleKernels& kernels) {
  if (!passes.columns) return passes.rows ? PassRows(image, *passes.rows, kernels) : image;
  if (!passes.rows) return PassColumns(image, 0, image.height, *passes.columns, kernels);
  if (passes.rows_first) {
    const Image low = PassRows(image, *passes.rows, kernels);
    return PassColumns(low, 0, low.height, *passes.columns, kernels);
  }
  // Only the rows that the second pass uses.
  FixedWeights rows = *passes.rows;
  const int32_t first = rows.first.front();
  const int64_t count = rows.end() - first;
  for (int32_t& start : rows.first) start -= first;
  return PassRows(PassColumns(image, first, count, *passes.columns, kernels), rows, kernels);
}

}  // namespace galen

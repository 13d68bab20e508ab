#include "media/image/torch_resize.h"

#include <algorithm>
#include <cmath>

#include "base/status.h"
#include "media/image/resample_kernels.h"
#include "media/image/resample_passes.h"
#include "media/image/resample_weights.h"

namespace galen {
namespace {

double TorchCubic(double x) {
  constexpr double kA = -0.5;
  x = std::abs(x);
  if (x < 1.0) return ((kA + 2) * x - (kA + 3)) * x * x + 1;
  if (x < 2.0) return ((kA * x - 5 * kA) * x + 8 * kA) * x - 4 * kA;
  return 0.0;
}

// The most fractional bits (at most 22) with which the largest weight stays below 2^15.
int FractionBits(const ResampleWeights& weights) {
  const double largest = *std::ranges::max_element(weights.value);
  int bits = 0;
  while (bits < 22 && static_cast<int>(0.5 + largest * (1 << (bits + 1))) < (1 << 15)) ++bits;
  return bits;
}

FixedWeights Weights(int64_t sources, int64_t targets, const FilterFunction& filter) {
  const ResampleWeights weights = ScaledWeights(
      sources, 0.0, static_cast<double>(sources) / static_cast<double>(targets), targets, filter);
  return ToFixed(weights, FractionBits(weights));
}

}  // namespace

Image ResizeTorch(const Image& image, int64_t width, int64_t height, Filter filter) {
  GALEN_CHECK(width > 0 && height > 0 && image.width > 0 && image.height > 0);
  GALEN_CHECK(filter == Filter::kBilinear || filter == Filter::kBicubic);
  const FilterFunction function =
      filter == Filter::kBilinear ? FilterFunction{Triangle, 1.0} : FilterFunction{TorchCubic, 2.0};
  ResamplePasses passes;
  if (width != image.width) passes.columns = Weights(image.width, width, function);
  if (height != image.height) passes.rows = Weights(image.height, height, function);
  return RunPasses(image, passes, ChooseResampleKernels());
}

}  // namespace galen

#include "models/layer_checker.h"

#include <algorithm>
#include <cmath>

#include "models/golden_inputs.h"

namespace galen {
namespace {

// Of one layer: norm, projection, head norm, rotation, scores, softmax, sum, projection, norm,
// addition, and about as many in the MLP.
constexpr int kLayerRoundings = 18;
constexpr int kLayerProducts = 7;  // products of one layer in sequence

// Both programs round, the partial sums of a product grow to the result, four standard deviations:
// see parity_bounds_test.h. In bf16 the inputs of each product are off by 2^-9 /
// sqrt(3) each, relative; five deviations.
double Limit(int layers, Compute compute, int longest_sum) {
  const double product = std::sqrt(longest_sum / 6.0) * 0x1p-24;
  const double fp32 = 2 * 4 * product * std::sqrt(1.0 + kLayerRoundings * layers);
  if (compute == Compute::kFp32) return fp32;
  return 5 * 0x1p-9 * std::sqrt(2.0 / 3.0) * std::sqrt(kLayerProducts * (layers + 1.0));
}

double RelativeError(const Tensor& x, const std::vector<float>& wanted) {
  double squares = 0, largest = 0;
  for (size_t i = 0; i < wanted.size(); ++i) {
    squares += static_cast<double>(wanted[i]) * wanted[i];
    const double d = std::fabs(static_cast<double>(x.f32()[i]) - wanted[i]);
    if (!(d <= largest)) largest = d;  // NaN stays
  }
  return largest / std::sqrt(squares / static_cast<double>(std::max<size_t>(wanted.size(), 1)));
}

}  // namespace

void LayerChecker::Check(std::string_view layer, const Tensor& x) {
  const std::string key = "expected." + std::string(layer);
  if (!file_.Has(key) || !status_.ok()) return;
  const Result<std::vector<float>> wanted = GoldenFloats(file_, key);
  if (!wanted.ok()) {
    status_ = wanted.status();
  } else if (static_cast<int64_t>(wanted->size()) != x.num_elements()) {
    status_ = DataLoss(file_.path() + ": " + key + " has another size than the model's");
  } else {
    const int depth = static_cast<int>(layers_.size());
    layers_.push_back(
        {std::string(layer), RelativeError(x, *wanted), Limit(depth, compute_, longest_sum_)});
  }
}

Result<std::vector<LayerCheck>> LayerChecker::Take() {
  RETURN_IF_ERROR(status_);
  if (layers_.empty()) return DataLoss(file_.path() + ": no expected activations");
  return std::move(layers_);
}

}  // namespace galen

// The definition of the row kernels of encoders: layer normalisation and activations. Sums over a
// row in double, as in rows.cc.
#include <cmath>

#include "kernels/kernel_table.h"

namespace galen {
namespace {

struct Moments {
  double mean;
  double inverse;  // 1 / sqrt(variance + eps)
};

Moments MomentsOf(const float* x, float eps, int64_t cols) {
  double sum = 0, squares = 0;
  for (int64_t j = 0; j < cols; ++j) sum += x[j];
  const double mean = sum / static_cast<double>(cols);
  for (int64_t j = 0; j < cols; ++j) squares += (x[j] - mean) * (x[j] - mean);
  return {mean, 1.0 / std::sqrt(squares / static_cast<double>(cols) + eps)};
}

void LayerNorm(const float* x, const float* w, const float* b, float eps, int64_t rows,
               int64_t cols, float* y) {
  for (int64_t r = 0; r < rows; ++r, x += cols, y += cols) {
    const Moments m = MomentsOf(x, eps, cols);
    for (int64_t j = 0; j < cols; ++j) {
      y[j] = static_cast<float>((x[j] - m.mean) * m.inverse) * w[j] + b[j];
    }
  }
}

// With z = (x - mean) s, g = w dy: dx = s (g - mean(g) - z mean(g z)), dw = dy z, db = dy.
void LayerNormBackward(const float* x, const float* w, float eps, const float* dy, int64_t rows,
                       int64_t cols, float* dx, float* dw, float* db) {
  for (int64_t r = 0; r < rows; ++r, x += cols, dy += cols, dx += cols) {
    const Moments m = MomentsOf(x, eps, cols);
    double sum = 0, dot = 0;
    for (int64_t j = 0; j < cols; ++j) {
      const double g = static_cast<double>(w[j]) * dy[j];
      sum += g;
      dot += g * (x[j] - m.mean) * m.inverse;
    }
    sum /= static_cast<double>(cols);
    dot /= static_cast<double>(cols);
    for (int64_t j = 0; j < cols; ++j) {
      const double z = (x[j] - m.mean) * m.inverse;
      dx[j] += static_cast<float>(m.inverse * (static_cast<double>(w[j]) * dy[j] - sum - z * dot));
      if (dw != nullptr) dw[j] += static_cast<float>(dy[j] * z);
      if (db != nullptr) db[j] += dy[j];
    }
  }
}

constexpr double kRootHalf = 0.70710678118654752;  // 1 / sqrt(2)
constexpr double kInverseRootTwoPi =
    0.39894228040143268;                                  // density of the normal distribution at 0
constexpr double kTwoRootTwoOverPi = 1.5957691216057308;  // see rows.cc
constexpr double kGeluCubic = 0.044715;
constexpr double kQuickGelu = 1.702;  // Hendrycks and Gimpel, arXiv:1606.08415; CLIP's quick_gelu

struct ValueAndSlope {
  double value;
  double slope;
};

// x sigmoid(z) for z with the slope dz.
ValueAndSlope Gated(double x, double z, double dz) {
  const double s = 1.0 / (1.0 + std::exp(-z));
  return {x * s, s + x * dz * s * (1.0 - s)};
}

ValueAndSlope Evaluate(ActivationKind kind, double x) {
  switch (kind) {
    case ActivationKind::kGeluTanh:
      return Gated(x, kTwoRootTwoOverPi * x * (1.0 + kGeluCubic * x * x),
                   kTwoRootTwoOverPi * (1.0 + 3.0 * kGeluCubic * x * x));
    case ActivationKind::kGelu: {
      const double below = 0.5 * std::erfc(-x * kRootHalf);
      return {x * below, below + x * kInverseRootTwoPi * std::exp(-0.5 * x * x)};
    }
    case ActivationKind::kQuickGelu:
      return Gated(x, kQuickGelu * x, kQuickGelu);
    case ActivationKind::kSilu:
      return Gated(x, x, 1.0);
    case ActivationKind::kRelu:
      return x <= 0.0 ? ValueAndSlope{0.0, 0.0} : ValueAndSlope{x, 1.0};
  }
  return {x, 1.0};
}

void Activation(ActivationKind kind, const float* x, int64_t n, float* y) {
  for (int64_t i = 0; i < n; ++i) y[i] = static_cast<float>(Evaluate(kind, x[i]).value);
}

void ActivationBackward(ActivationKind kind, const float* x, const float* dy, int64_t n,
                        float* dx) {
  for (int64_t i = 0; i < n; ++i) {
    dx[i] += static_cast<float>(dy[i] * Evaluate(kind, x[i]).slope);
  }
}

}  // namespace

void AddRefEncoderRows(KernelTable* table) {
  table->layer_norm = LayerNorm;
  table->layer_norm_backward = LayerNormBackward;
  table->activation = Activation;
  table->activation_backward = ActivationBackward;
}

}  // namespace galen

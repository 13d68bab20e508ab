// The definition of the row kernels, in plain C++. Sums over a row are taken in double, so that a
// test against this file measures the error of the faster version alone.
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/kernel_table.h"

namespace galen {
namespace {

float InverseRms(const float* x, float eps, int64_t cols) {
  double sum = 0;
  for (int64_t j = 0; j < cols; ++j) sum += static_cast<double>(x[j]) * x[j];
  return static_cast<float>(1.0 / std::sqrt(sum / static_cast<double>(cols) + eps));
}

void RmsNorm(const float* x, const float* w, float eps, int64_t rows, int64_t cols, float* y) {
  for (int64_t r = 0; r < rows; ++r, x += cols, y += cols) {
    const float inverse = InverseRms(x, eps, cols);
    for (int64_t j = 0; j < cols; ++j) y[j] = x[j] * inverse * w[j];
  }
}

// With s = 1 / rms: dx_j = s * (w_j dy_j - x_j * s^2 / n * sum_i w_i dy_i x_i), dw_j = dy_j * x_j *
// s.
void RmsNormBackward(const float* x, const float* w, float eps, const float* dy, int64_t rows,
                     int64_t cols, float* dx, float* dw) {
  for (int64_t r = 0; r < rows; ++r, x += cols, dy += cols, dx += cols) {
    const float inverse = InverseRms(x, eps, cols);
    double dot = 0;
    for (int64_t j = 0; j < cols; ++j) dot += static_cast<double>(w[j]) * dy[j] * x[j];
    const float c = static_cast<float>(dot * inverse * inverse / static_cast<double>(cols));
    for (int64_t j = 0; j < cols; ++j) dx[j] += inverse * (w[j] * dy[j] - x[j] * c);
    for (int64_t j = 0; j < cols && dw != nullptr; ++j) dw[j] += dy[j] * x[j] * inverse;
  }
}

void Rope(const float* x, const float* cos_sin, int64_t rows, int64_t heads, int64_t head_dim,
          bool inverse, float* y) {
  const int64_t half = head_dim / 2;
  for (int64_t r = 0; r < rows; ++r, cos_sin += head_dim) {
    for (int64_t h = 0; h < heads; ++h, x += head_dim, y += head_dim) {
      for (int64_t i = 0; i < half; ++i) {
        const float c = cos_sin[i];
        const float s = inverse ? -cos_sin[half + i] : cos_sin[half + i];
        const float a = x[i];
        const float b = x[half + i];
        y[i] = a * c - b * s;
        y[half + i] = b * c + a * s;
      }
    }
  }
}

// Both gates are g * sigmoid(z(g)). GELU's tanh form, 0.5 g (1 + tanh(u)), is g * sigmoid(2u),
// which keeps its relative accuracy for negative g. u = sqrt(2 / pi) * (g + 0.044715 g^3),
// Hendrycks and Gimpel, arXiv:1606.08415.
constexpr float kTwoRootTwoOverPi = 1.5957691216057308f;
constexpr float kGeluCubic = 0.044715f;

float Sigmoid(float z) { return 1.0f / (1.0f + std::exp(-z)); }

float GateArgument(GateKind kind, float g) {
  return kind == GateKind::kSilu ? g : kTwoRootTwoOverPi * g * (1.0f + kGeluCubic * g * g);
}

float GateArgumentSlope(GateKind kind, float g) {
  return kind == GateKind::kSilu ? 1.0f : kTwoRootTwoOverPi * (1.0f + 3.0f * kGeluCubic * g * g);
}

void GateMul(GateKind kind, const float* gate, const float* up, int64_t n, float* y) {
  for (int64_t i = 0; i < n; ++i) y[i] = gate[i] * Sigmoid(GateArgument(kind, gate[i])) * up[i];
}

void GateMulBackward(GateKind kind, const float* gate, const float* up, const float* dy, int64_t n,
                     float* dgate, float* dup) {
  for (int64_t i = 0; i < n; ++i) {
    const float g = gate[i];
    const float s = Sigmoid(GateArgument(kind, g));
    dup[i] += dy[i] * (g * s);
    dgate[i] += dy[i] * up[i] * (s + g * GateArgumentSlope(kind, g) * (s * (1.0f - s)));
  }
}

void Add(const float* a, const float* b, int64_t n, float* y) {
  for (int64_t i = 0; i < n; ++i) y[i] = a[i] + b[i];
}

void Scale(const float* x, float factor, int64_t n, float* y) {
  for (int64_t i = 0; i < n; ++i) y[i] = x[i] * factor;
}

void LogSumExp(const float* x, int64_t rows, int64_t cols, float* lse) {
  for (int64_t r = 0; r < rows; ++r, x += cols) {
    float largest = -std::numeric_limits<float>::infinity();
    for (int64_t j = 0; j < cols; ++j) largest = std::max(largest, x[j]);
    if (std::isinf(largest)) {  // infinite values: the difference below would be NaN
      bool nan = false;
      for (int64_t j = 0; j < cols; ++j) nan = nan || std::isnan(x[j]);
      lse[r] = nan ? std::numeric_limits<float>::quiet_NaN() : largest;
      continue;
    }
    double sum = 0;
    for (int64_t j = 0; j < cols; ++j) sum += std::exp(x[j] - largest);
    lse[r] = largest + static_cast<float>(std::log(sum));
  }
}

void ScaledSoftmax(const float* x, float lse, float factor, int64_t n, float* y) {
  for (int64_t i = 0; i < n; ++i) y[i] = factor * std::exp(x[i] - lse);
}

int32_t Argmax(const float* x, int64_t n) {
  int64_t best = -1;
  for (int64_t i = 0; i < n; ++i) {
    if (!std::isnan(x[i]) && (best < 0 || x[i] > x[best])) best = i;
  }
  return static_cast<int32_t>(std::max<int64_t>(best, 0));
}

}  // namespace

void AddRefRows(KernelTable* table) {
  table->rms_norm = RmsNorm;
  table->rms_norm_backward = RmsNormBackward;
  table->rope = Rope;
  table->gate_mul = GateMul;
  table->gate_mul_backward = GateMulBackward;
  table->add = Add;
  table->scale = Scale;
  table->log_sum_exp = LogSumExp;
  table->scaled_softmax = ScaledSoftmax;
  table->argmax = Argmax;
}

}  // namespace galen

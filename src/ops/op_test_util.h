// A context for op tests, and the finite-difference check of gradients.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "kernels/kernel_cases.h"
#include "ops/ops.h"
#include "ops/tape.h"

namespace galen {

// Everything an op needs, for one instruction set and number of workers.
class TestContext {
 public:
  explicit TestContext(Isa isa, int workers = 2)
      : pool_(workers), arena_(*Arena::Create(int64_t{1} << 30)) {
    ctx.kernels = &KernelsFor(isa);
    ctx.pool = &pool_;
    ctx.arena = &arena_;
    ctx.compute = Compute::kFp32;
  }
  ExecContext ctx;

 private:
  ThreadPool pool_;
  Arena arena_;
};

inline Tensor Wrap(std::vector<float>& values, std::initializer_list<int64_t> shape) {
  Tensor t = MakeTensor(values.data(), shape);
  GALEN_CHECK(t.num_elements() == static_cast<int64_t>(values.size()));
  return t;
}

inline std::vector<float> Values(const Tensor& t) { return {t.f32(), t.f32() + t.num_elements()}; }

inline Weight Dense(std::vector<float>& values, int64_t rows, int64_t cols, float* grad) {
  return {{reinterpret_cast<const uint8_t*>(values.data()), DType::kF32, WeightLayout::kRows, rows,
           cols},
          grad};
}

// Something to differentiate by: the values of an input tensor (grad null), or of a parameter with
// its gradient.
struct Variable {
  std::string name;
  std::vector<float>* values;
  std::vector<float>* grad = nullptr;
};

// Steps for the check of gradients.
inline constexpr double kLinear = 0.5;  // of functions that are linear in each variable
inline constexpr double kCurved = 1.0 / 16;

// Checks the gradient of L = sum_i r_i y_i (r random, summed in double) for every element of the
// variables, against
//   D = (8 (L(+h) - L(-h)) - (L(+2h) - L(-2h))) / 12h.
// L is wrong by the rounding of those y_i that the step changes: each is taken to be off by less
// than 16 units of 2^-24 of max(|y_i|, 1), independently. What D leaves out of the Taylor series is
// some h^2 of what the second-order quotient leaves out, which is seen by comparing the two. The
// gradient itself is a sum of terms of order 1, off by 16 such units too. Steps are powers of two
// and the linear ops take large ones.
inline void CheckGradients(ExecContext& ctx, const std::function<Tensor(ExecContext&)>& forward,
                           std::vector<Variable> variables, double h) {
  Tape tape;
  GradMap grads(ctx.arena);
  const int64_t mark = ctx.arena->mark();
  for (Variable& v : variables) {
    if (v.grad == nullptr) tape.Watch(MakeTensor(v.values->data(), {1}));
    if (v.grad != nullptr) v.grad->assign(v.values->size(), 0.0f);
  }
  ctx.tape = &tape;
  const Tensor y = forward(ctx);
  ctx.tape = nullptr;
  std::vector<float> r = cases::Uniform(y.num_elements(), 77);
  std::vector<float> dy = r;  // which the pass back may change
  grads.Set(y, dy.data());
  tape.Run(ctx, grads);
  std::vector<std::vector<float>> analytic;
  for (Variable& v : variables) {
    const int64_t n = static_cast<int64_t>(v.values->size());
    const float* g =
        v.grad != nullptr ? v.grad->data() : grads.Find(MakeTensor(v.values->data(), {n}));
    ASSERT_NE(g, nullptr) << v.name;
    analytic.emplace_back(g, g + n);
  }
  const auto evaluate = [&](float* at, float value) {
    const float before = *at;
    *at = value;
    const ArenaScope scope(ctx.arena);
    std::vector<float> values = Values(forward(ctx));
    *at = before;
    return values;
  };
  for (size_t v = 0; v < variables.size(); ++v) {
    for (size_t i = 0; i < variables[v].values->size(); ++i) {
      float* at = &(*variables[v].values)[i];
      const float x = *at;
      const float step = static_cast<float>(h);
      const float points[4] = {x + step, x - step, x + 2 * step, x - 2 * step};
      std::vector<float> y4[4];
      for (int p = 0; p < 4; ++p) y4[p] = evaluate(at, points[p]);
      // The steps as they were rounded.
      const double near = static_cast<double>(points[0]) - points[1],
                   far = static_cast<double>(points[2]) - points[3];
      double near_sum = 0, far_sum = 0, noise = 0;
      for (size_t j = 0; j < r.size(); ++j) {
        near_sum += r[j] * (static_cast<double>(y4[0][j]) - y4[1][j]);
        far_sum += r[j] * (static_cast<double>(y4[2][j]) - y4[3][j]);
        if (r.size() > 1 && y4[0][j] == y4[1][j] && y4[2][j] == y4[3][j])
          continue;  // does not depend on it
        const double size = r[j] * std::max(1.0f, std::fabs(y4[0][j]));
        noise += size * size;
      }
      const double second = near_sum / near;
      const double fourth = (4 * second - far_sum / far) / 3;
      const double rounding = 16 * 0x1p-24 * std::sqrt(noise) * 1.5 / h;
      const double truncation = std::fabs(fourth - second) / 16;
      ASSERT_NEAR(analytic[v][i], fourth,
                  rounding + truncation + 16 * 0x1p-24 * std::max(1.0, std::fabs(fourth)))
          << variables[v].name << "[" << i << "]";
    }
  }
  ctx.arena->Rewind(mark);
}

class OpsTest : public ::testing::TestWithParam<Isa> {
 protected:
  TestContext context{GetParam()};
  ExecContext& ctx = context.ctx;
};

inline std::string IsaTestName(const ::testing::TestParamInfo<Isa>& info) {
  return std::string(IsaName(info.param));
}

}  // namespace galen

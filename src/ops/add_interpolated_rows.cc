#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "ops/ops.h"
#include "ops/parallel.h"
#include "ops/tape.h"

namespace galen {
namespace {

// The four source rows of one target position along one axis.
struct Taps {
  std::array<int64_t, 4> index;
  std::array<float, 4> weight;
};

// PyTorch's interpolate(mode="bicubic", align_corners=False): cubic convolution with a = -0.75,
// borders repeated, not antialiased (ATen/native/UpSample.h).
std::vector<Taps> CubicTaps(int64_t from, int64_t to) {
  constexpr float a = -0.75f;
  const auto near = [](float x) { return ((a + 2) * x - (a + 3)) * x * x + 1; };
  const auto far = [](float x) { return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a; };
  const float scale = static_cast<float>(from) / static_cast<float>(to);
  std::vector<Taps> all(static_cast<size_t>(to));
  for (int64_t i = 0; i < to; ++i) {
    const float at = scale * (static_cast<float>(i) + 0.5f) - 0.5f;
    const float floor = std::floor(at), t = at - floor;
    Taps& taps = all[static_cast<size_t>(i)];
    taps.weight = {far(t + 1), near(t), near(1 - t), far(2 - t)};
    for (int64_t j = 0; j < 4; ++j) {
      taps.index[static_cast<size_t>(j)] =
          std::clamp<int64_t>(static_cast<int64_t>(floor) - 1 + j, 0, from - 1);
    }
  }
  return all;
}

// Calls fn(table row, weight) for the 16 rows that make up row r of the target grid.
template <typename Fn>
void ForTaps(const std::vector<Taps>& y, const std::vector<Taps>& x, int64_t r, int64_t width,
             const GridSize& from, Fn&& fn) {
  const Taps &down = y[static_cast<size_t>(r / width)], &along = x[static_cast<size_t>(r % width)];
  for (size_t i = 0; i < 4; ++i) {
    for (size_t j = 0; j < 4; ++j) {
      fn(down.index[i] * from.width + along.index[j], down.weight[i] * along.weight[j]);
    }
  }
}

struct SavedAddInterpolated {
  Tensor x, y;
  VectorParam table;
  GridSize from, to;
  bool need_x;
};

void BackwardAddInterpolated(ExecContext& ctx, const SavedAddInterpolated& saved, GradMap& grads) {
  const float* dy = grads.Find(saved.y);
  if (dy == nullptr) return;
  const int64_t n = saved.x.num_elements(), cols = saved.x.cols();
  if (saved.need_x) {
    float* dx = grads.Accumulator(saved.x);
    ForElements(ctx, n, [&](int64_t begin, int64_t end) {
      ctx.kernels->add(dx + begin, dy + begin, end - begin, dx + begin);
    });
  }
  if (saved.table.grad == nullptr) return;
  const std::vector<Taps> down = CubicTaps(saved.from.height, saved.to.height);
  const std::vector<Taps> along = CubicTaps(saved.from.width, saved.to.width);
  const int64_t period = saved.to.height * saved.to.width;
  for (int64_t r = 0; r < saved.x.rows(); ++r, dy += cols) {  // one thread: rows share sources
    ForTaps(down, along, r % period, saved.to.width, saved.from, [&](int64_t row, float weight) {
      float* grad = saved.table.grad + row * cols;
      for (int64_t j = 0; j < cols; ++j) grad[j] += weight * dy[j];
    });
  }
}

}  // namespace

Tensor AddInterpolatedRows(ExecContext& ctx, const Tensor& x, const VectorParam& table,
                           GridSize from, GridSize to) {
  const int64_t cols = x.cols(), period = to.height * to.width;
  GALEN_CHECK(from.height > 0 && from.width > 0 && period > 0);
  GALEN_CHECK(table.n == from.height * from.width * cols && x.rows() % period == 0);
  const std::vector<Taps> down = CubicTaps(from.height, to.height),
                          along = CubicTaps(from.width, to.width);
  Tensor y = x;
  y.data = ctx.arena->NewTensor({x.num_elements()}).data;
  ForPieces(ctx, period, 16 * cols, [&](int64_t begin, int64_t end) {
    std::vector<float> sum(static_cast<size_t>(cols));
    for (int64_t r = begin; r < end; ++r) {
      std::fill(sum.begin(), sum.end(), 0.0f);
      ForTaps(down, along, r, to.width, from, [&](int64_t row, float weight) {
        const float* source = table.data + row * cols;
        for (int64_t j = 0; j < cols; ++j) sum[static_cast<size_t>(j)] += weight * source[j];
      });
      for (int64_t at = r; at < x.rows(); at += period) {
        ctx.kernels->add(x.f32() + at * cols, sum.data(), cols, y.f32() + at * cols);
      }
    }
  });
  if (ctx.tape == nullptr) return y;
  const bool need_x = ctx.tape->Needs(x);
  if (need_x || table.grad != nullptr) {
    ctx.tape->Record<BackwardAddInterpolated>(
        ctx.arena, SavedAddInterpolated{x, y, table, from, to, need_x}, {y});
  }
  return y;
}

}  // namespace galen

#include <algorithm>
#include <vector>

#include "ops/ops.h"
#include "ops/tape.h"

namespace galen {
namespace {

struct Replaced {
  RowSource source;
  bool differentiable;
};

struct SavedReplace {
  Tensor x;
  const Replaced* parts;
  int64_t num_parts;
};

// x was changed in place, so result and input share one gradient: what reached the replaced rows
// goes to their sources, and what made x gets zero there.
void BackwardReplace(ExecContext& ctx, const SavedReplace& saved, GradMap& grads) {
  float* dx = grads.Find(saved.x);
  if (dx == nullptr) return;
  const int64_t cols = saved.x.cols();
  for (int64_t i = 0; i < saved.num_parts; ++i) {
    const RowSource& source = saved.parts[i].source;
    const int64_t n = source.count * cols;
    float* rows = dx + source.row * cols;
    if (saved.parts[i].differentiable) {
      float* dvalues = grads.Accumulator(source.values) + source.first * cols;
      ctx.kernels->add(dvalues, rows, n, dvalues);
    }
    std::fill_n(rows, n, 0.0f);
  }
}

}  // namespace

Tensor ReplaceRows(ExecContext& ctx, const Tensor& x, std::span<const RowSource> sources) {
  if (sources.empty()) return x;
  bool record = ctx.tape != nullptr && ctx.tape->Needs(x);
  std::vector<Replaced> parts;
  for (const RowSource& source : sources) {
    GALEN_CHECK(source.values.cols() == x.cols() && source.count >= 0);
    GALEN_CHECK(source.row >= 0 && source.row + source.count <= x.rows());
    GALEN_CHECK(source.first >= 0 && source.first + source.count <= source.values.rows());
    std::copy_n(source.values.f32() + source.first * x.cols(), source.count * x.cols(),
                x.row(source.row));
    parts.push_back({source, ctx.tape != nullptr && ctx.tape->Needs(source.values)});
    record |= parts.back().differentiable;
  }
  if (record) {
    const std::span<const Replaced> all = parts;
    ctx.tape->Record<BackwardReplace>(
        ctx.arena, SavedReplace{x, SaveValues(ctx.arena, all), static_cast<int64_t>(all.size())},
        {x});
  }
  return x;
}

}  // namespace galen

#include <algorithm>
#include <cmath>

#include "ops/ops.h"

namespace galen {

// The RMSNorm whose scale is 1 / sqrt(cols), since |x| = sqrt(cols * mean(x^2)).
Tensor NormalizeRows(ExecContext& ctx, const Tensor& x) {
  constexpr float kEps = 1e-24f;  // of the square; torch.nn.functional.normalize: 1e-12 of the norm
  const int64_t cols = x.cols();
  float* scale = ctx.arena->NewTensor({cols}).f32();
  std::fill_n(scale, cols, 1.0f / std::sqrt(static_cast<float>(cols)));
  return RmsNorm(ctx, x, VectorParam{scale, cols}, kEps / static_cast<float>(cols));
}

}  // namespace galen

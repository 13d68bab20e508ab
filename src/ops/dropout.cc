#include "ops/lora_ops.h"
#include "ops/parallel.h"
#include "ops/tape.h"

namespace galen {
namespace {

struct SavedDropout {
  Tensor x, y;
  float rate;
  uint64_t key;
};

// SplitMix64's finaliser.
uint64_t Mix(uint64_t x) {
  x += 0x9E3779B97F4A7C15ull;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
  return x ^ (x >> 31);
}

// Calls fn(i, factor) for elements [begin, end), begin a multiple of 4: sixteen random bits each.
template <typename Fn>
void ForMask(uint64_t key, float rate, int64_t begin, int64_t end, Fn&& fn) {
  const auto threshold = static_cast<uint64_t>(rate * 65536.0f + 0.5f);
  const float kept = 1.0f / (1.0f - rate);
  for (int64_t i = begin; i < end; i += 4) {
    uint64_t bits = Mix(key + static_cast<uint64_t>(i));
    for (int64_t j = i; j < std::min(i + 4, end); ++j, bits >>= 16) {
      fn(j, (bits & 0xFFFF) < threshold ? 0.0f : kept);
    }
  }
}

void BackwardDropout(ExecContext& ctx, const SavedDropout& saved, GradMap& grads) {
  const float* dy = grads.Find(saved.y);
  if (dy == nullptr) return;
  float* dx = grads.Accumulator(saved.x);
  ForElements(ctx, saved.x.num_elements(), [&](int64_t begin, int64_t end) {
    ForMask(saved.key, saved.rate, begin, end,
            [&](int64_t i, float factor) { dx[i] += dy[i] * factor; });
  });
}

}  // namespace

Tensor Dropout(ExecContext& ctx, const Tensor& x, float rate, uint64_t stream) {
  GALEN_CHECK(ctx.dropout_key != 0 && rate >= 0 && rate < 1);
  const uint64_t key = Mix(ctx.dropout_key ^ Mix(stream));
  const Tensor y = ctx.arena->NewTensor({x.rows(), x.cols()});
  const float* from = x.f32();
  float* to = y.f32();
  ForElements(ctx, x.num_elements(), [&](int64_t begin, int64_t end) {
    ForMask(key, rate, begin, end, [&](int64_t i, float factor) { to[i] = from[i] * factor; });
  });
  if (ctx.tape != nullptr && ctx.tape->Needs(x)) {
    ctx.tape->Record<BackwardDropout>(ctx.arena, SavedDropout{x, y, rate, key}, {y});
  }
  return y;
}

}  // namespace galen

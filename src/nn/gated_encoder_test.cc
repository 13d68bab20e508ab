// Qwen2.5-VL's block: gradients, and the fused form against the composed one.
#include "nn/gated_encoder.h"

#include <cmath>
#include <memory>

#include "ops/op_test_util.h"

namespace galen {
namespace {

using cases::Uniform;

constexpr int64_t kHidden = 32, kHeads = 2, kHeadDim = 16, kInner = 52;
constexpr float kGatedEps = 1e-6f;

// Weights in one format and layout, with the gradients of dense ones.
class GatedLayer {
 public:
  GatedLayer(const KernelTable& kernels, DType dtype, WeightLayout layout, bool train) {
    norm_ = Uniform(kHidden, 1);
    uint64_t seed = 10;
    const auto set = [&](LinearLayer* to, int64_t rows, int64_t cols) {
      weights_.push_back(
          std::make_unique<cases::TestWeight>(cases::MakeWeight(dtype, rows, cols, ++seed)));
      packed_.push_back(std::make_unique<cases::PackedWeight>(kernels, layout, *weights_.back()));
      biases_.push_back(std::make_unique<std::vector<float>>(Uniform(rows, ++seed)));
      gradients_.push_back(std::make_unique<std::vector<float>>(rows * cols, 0.0f));
      *to = {{packed_.back()->view(), train ? gradients_.back()->data() : nullptr},
             {biases_.back()->data(), rows, nullptr}};
    };
    layer.norm1 = layer.norm2 = {norm_.data(), kHidden};
    for (LinearLayer* l : {&layer.q_proj, &layer.k_proj, &layer.v_proj}) {
      set(l, kHeads * kHeadDim, kHidden);
    }
    set(&layer.out_proj, kHidden, kHeads * kHeadDim);
    set(&layer.mlp.gate_proj, kInner, kHidden);
    set(&layer.mlp.up_proj, kInner, kHidden);
    set(&layer.mlp.down_proj, kHidden, kInner);
  }
  GatedEncoderLayer layer;

 private:
  std::vector<float> norm_;
  std::vector<std::unique_ptr<cases::TestWeight>> weights_;
  std::vector<std::unique_ptr<cases::PackedWeight>> packed_;
  std::vector<std::unique_ptr<std::vector<float>>> biases_, gradients_;
};

const EncoderAttentionShape kShape{kHeads, kHeadDim, 0.25f};

class GatedEncoderTest : public OpsTest {
 protected:
  std::vector<float> CosSin(int64_t tokens) {
    std::vector<float> table;
    for (int64_t t = 0; t < tokens; ++t) {
      for (int64_t i = 0; i < kHeadDim; ++i) {
        const double angle = static_cast<double>(t) / (1 + static_cast<double>(i % (kHeadDim / 2)));
        table.push_back(static_cast<float>(i < kHeadDim / 2 ? std::cos(angle) : std::sin(angle)));
      }
    }
    return table;
  }
};
INSTANTIATE_TEST_SUITE_P(AllIsas, GatedEncoderTest, ::testing::ValuesIn(SupportedIsas()),
                         IsaTestName);

TEST_P(GatedEncoderTest, Gradients) {
  const int64_t tokens = 5;
  GatedLayer test(*ctx.kernels, DType::kF32, WeightLayout::kRows, true);
  std::vector<float> x = Uniform(tokens * kHidden, 3), table = CosSin(tokens);
  const std::vector<int32_t> bounds = {0, 3, 5};
  const auto forward = [&](ExecContext& c) {
    // A block without a tape consumes its input.
    const Tensor in = Add(c, Wrap(x, {tokens, kHidden}), Wrap(x, {tokens, kHidden}));
    return GatedEncoderBlock(c, test.layer, kShape, bounds, Wrap(table, {tokens, kHeadDim}), 0.1f,
                             in);
  };
  // Weights of order 1 make scores steep: a step of 1/16 would leave the range of the series.
  CheckGradients(ctx, forward, {{"x", &x}}, 1.0 / 256);
}

TEST_P(GatedEncoderTest, Bf16IsNearFp32) {
  const int64_t tokens = 150;
  GatedLayer test(*ctx.kernels, DType::kBF16, ctx.kernels->weight_layout, false);
  std::vector<float> table = CosSin(tokens);
  const std::vector<float> values = Uniform(tokens * kHidden, 3, 2.0f);
  const std::vector<int32_t> bounds = {0, 64, 64, 150};
  std::vector<float> results[2];
  for (Compute compute : {Compute::kFp32, Compute::kBf16}) {
    ctx.compute = compute;
    const ArenaScope scope(ctx.arena);
    const Tensor x = ctx.arena->NewTensor({tokens, kHidden});
    std::copy(values.begin(), values.end(), x.f32());
    const Tensor y = GatedEncoderBlock(ctx, test.layer, kShape, bounds,
                                       Wrap(table, {tokens, kHeadDim}), kGatedEps, x);
    EXPECT_EQ(y.data, x.data);
    results[compute == Compute::kBf16] = Values(y);
  }
  double error = 0, size = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    const double d = results[1][i] - results[0][i];
    error += d * d;
    size += double{results[0][i]} * results[0][i];
  }
  // Operands are off by 2^-9 of themselves at most; seven products and a gate multiply what they
  // get.
  EXPECT_LT(std::sqrt(error / size), 0x1p-7);
}

}  // namespace
}  // namespace galen

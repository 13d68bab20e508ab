// Tiny checkpoints of each family against transformers: activations after every layer, logits, loss
// and gradients. Fixtures: tests/parity/models/make_tiny.py.
#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

#include "models/parity_bounds_test.h"
#include "models/tiny_models_test.h"
#include "ops/ops.h"
#include "ops/tape.h"

namespace galen {
namespace {

class ModelParity : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    auto expected = OpenCheckpoint(TinyFolder(GetParam()) + "/expected.safetensors");
    ASSERT_TRUE(expected.ok()) << expected.status().message();
    expected_ = *expected;
    auto arena = Arena::Create(int64_t{256} << 20);
    ASSERT_TRUE(arena.ok());
    arena_ = std::move(*arena);
  }

  ExecContext Context(const KernelTable& kernels) {
    ExecContext ctx;
    ctx.kernels = &kernels;
    ctx.pool = &pool_;
    ctx.arena = &arena_;
    ctx.compute = Compute::kFp32;
    return ctx;
  }

  std::shared_ptr<const Checkpoint> expected_;
  ThreadPool pool_{2};
  Arena arena_;
};

TEST_P(ModelParity, EveryLayer) {
  const TinyBatch inputs(*expected_);
  for (const Isa isa : SupportedIsas()) {
    for (const WeightUse use : {WeightUse::kInference, WeightUse::kMapped, WeightUse::kTrained}) {
      SCOPED_TRACE(std::string(IsaName(isa)) + ", use " + std::to_string(static_cast<int>(use)));
      const KernelTable& kernels = KernelsFor(isa);
      auto tiny = OpenTiny(TinyFolder(GetParam()), use, kernels, pool_);
      ASSERT_TRUE(tiny.ok()) << tiny.status().message();
      const ModelConfig& config = tiny->model->config();
      int seen = 0;
      const std::function<void(std::string_view, const Tensor&)> observer =
          [&](std::string_view name, const Tensor& x) {
            // Inputs of products within a layer, which calibration looks at.
            if (name.starts_with("attention.") || name.starts_with("mlp.")) return;
            const std::vector<float> wanted = ReadFloats(*expected_, std::string(name));
            ASSERT_EQ(static_cast<int64_t>(wanted.size()), x.num_elements()) << name;
            const Distance d = Compare({x.f32(), wanted.size()}, wanted);
            // embed_tokens first, then the layers in order, then norm.
            EXPECT_LE(d.largest, d.rms * Bound(1 + kLayerRoundings * seen)) << name;
            ++seen;
          };
      ExecContext ctx = Context(kernels);
      ctx.observer = &observer;
      arena_.Rewind(0);
      const Tensor logits = tiny->model->Forward(ctx, inputs.batch());
      EXPECT_EQ(seen, config.num_hidden_layers + 2);
      const std::vector<float> wanted = ReadFloats(*expected_, "logits");
      ASSERT_EQ(static_cast<int64_t>(wanted.size()), logits.num_elements());
      const Distance d = Compare({logits.f32(), wanted.size()}, wanted);
      EXPECT_LE(d.largest, d.rms * Bound(kLayerRoundings * (seen + 1)));
    }
  }
}

TEST_P(ModelParity, LossAndGradients) {
  if (!expected_->Has("grad.norm.weight"))
    GTEST_SKIP() << "no gradients were recorded for this checkpoint";
  const TinyBatch inputs(*expected_);
  const std::vector<int32_t> targets = inputs.targets();
  for (const Isa isa : SupportedIsas()) {
    SCOPED_TRACE(IsaName(isa));
    const KernelTable& kernels = KernelsFor(isa);
    auto tiny = OpenTiny(TinyFolder(GetParam()), WeightUse::kTrained, kernels, pool_);
    ASSERT_TRUE(tiny.ok()) << tiny.status().message();
    ExecContext ctx = Context(kernels);
    arena_.Rewind(0);
    Tape tape;
    ctx.tape = &tape;
    const Tensor logits = tiny->model->Forward(ctx, inputs.batch());
    const Tensor loss = CrossEntropy(ctx, logits, targets);
    const std::vector<float> wanted_loss = ReadFloats(*expected_, "loss");
    const int depth =
        kLayerRoundings * static_cast<int>(tiny->model->config().num_hidden_layers + 3);
    EXPECT_NEAR(*loss.f32(), wanted_loss[0], wanted_loss[0] * Bound(depth));
    GradMap grads(&arena_);
    tape.Backward(ctx, loss, grads);
    for (const ParamSpec& spec : tiny->specs) {
      const std::vector<float> wanted = ReadFloats(*expected_, "grad." + spec.name);
      const float* grad = spec.is_vector() ? spec.vector->grad : spec.matrix->grad;
      ASSERT_NE(grad, nullptr);
      const Distance d = Compare({grad, wanted.size()}, wanted);
      // Back through the same roundings, and sums over the tokens that partly cancel: largest
      // relative to the whole tensor.
      EXPECT_GT(d.rms, 0.0f) << spec.name;
      EXPECT_LE(d.largest, d.rms * Bound(3 * depth)) << spec.name;
    }
  }
}

// Files that llama.cpp's converter wrote.
TEST_P(ModelParity, Gguf) {
  const TinyBatch inputs(*expected_);
  int files = 0;
  for (const std::string kind : {"f32", "f16", "q8_0"}) {
    const std::string path = TinyFolder(GetParam()) + "/" + kind + ".gguf";
    if (!FileExists(path)) continue;
    ++files;
    auto expected = OpenCheckpoint(TinyFolder(GetParam()) + "/expected_gguf.safetensors");
    ASSERT_TRUE(expected.ok()) << expected.status().message();
    const std::vector<float> wanted = ReadFloats(**expected, kind);
    const int64_t rows = static_cast<int64_t>(inputs.tokens.size());
    const int64_t wanted_cols = static_cast<int64_t>(wanted.size()) / rows;
    for (const Isa isa : SupportedIsas()) {
      for (const WeightUse use : {WeightUse::kInference, WeightUse::kMapped}) {
        SCOPED_TRACE(kind + ", " + std::string(IsaName(isa)) + ", use " +
                     std::to_string(static_cast<int>(use)));
        const KernelTable& kernels = KernelsFor(isa);
        auto tiny = OpenTiny(path, use, kernels, pool_);
        ASSERT_TRUE(tiny.ok()) << tiny.status().message();
        ExecContext ctx = Context(kernels);
        arena_.Rewind(0);
        const Tensor logits = tiny->model->Forward(ctx, inputs.batch());
        // The converter leaves rows without a token out.
        ASSERT_LE(logits.cols(), wanted_cols);
        const int depth =
            kLayerRoundings * static_cast<int>(tiny->model->config().num_hidden_layers + 3);
        for (int64_t row = 0; row < rows; ++row) {
          const Distance d =
              Compare({logits.row(row), static_cast<size_t>(logits.cols())},
                      {wanted.data() + row * wanted_cols, static_cast<size_t>(logits.cols())});
          ASSERT_LE(d.largest, d.rms * Bound(depth)) << "row " << row;
        }
      }
    }
  }
  if (files == 0) GTEST_SKIP() << "no GGUF files of this checkpoint";
}

INSTANTIATE_TEST_SUITE_P(Tiny, ModelParity,
                         testing::Values("gemma3", "gemma3-multimodal", "llama", "llama-bias",
                                         "mistral", "qwen2", "qwen2-full"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace galen

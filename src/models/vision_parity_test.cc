// Tiny checkpoints with images against transformers: activations of tower, projector and decoder,
// logits, gradients, files of llama.cpp's converter and Ollama's layout. Fixtures:
// tests/parity/models/make_vision.py.
#include <algorithm>
#include <functional>
#include <set>

#include "models/golden_inputs.h"
#include "models/parity_bounds_test.h"
#include "models/tiny_models_test.h"
#include "ops/ops.h"
#include "ops/tape.h"

namespace galen {
namespace {

// Roundings in sequence before the first decoder layer: the tower's layers, its norms and products.
constexpr int kTowerRoundings = 4 * kLayerRoundings;

class VisionParity : public testing::TestWithParam<std::string> {
 protected:
  static constexpr int32_t kSoftToken = 8;  // FIRST + 4 in make_vision.py

  void SetUp() override {
    auto expected = OpenCheckpoint(TinyFolder(GetParam()) + "/expected.safetensors");
    ASSERT_TRUE(expected.ok()) << expected.status().message();
    expected_ = *expected;
    auto arena = Arena::Create(int64_t{1} << 31);
    ASSERT_TRUE(arena.ok());
    arena_ = std::move(*arena);
  }

  std::string Path(const std::string& file = "") const {
    return TinyFolder(GetParam()) + (file.empty() ? "" : "/" + file);
  }

  Result<TinyModel> Open(const std::string& path, const std::string& mmproj, WeightUse use,
                         const KernelTable& kernels) {
    OpenModelOptions options;
    options.use = use;
    options.kernels = &kernels;
    options.pool = &pool_;
    options.images = true;
    options.read.mmproj = mmproj;
    TinyModel tiny;
    ASSIGN_OR_RETURN(static_cast<LoadedModel&>(tiny), OpenModel(path, options));
    tiny.specs = tiny.model->Params();
    return tiny;
  }

  ExecContext Context(const KernelTable& kernels) {
    ExecContext ctx;
    ctx.kernels = &kernels;
    ctx.pool = &pool_;
    ctx.arena = &arena_;
    ctx.compute = Compute::kFp32;
    return ctx;
  }

  // Image i of the fixture, its upper left `side` pixels.
  PreparedImage ImageOf(const TinyModel& tiny, int64_t i, int64_t side) {
    auto image = GoldenImage(*expected_, i, side, tiny.files.vision, *tiny.files.image_processor);
    GALEN_CHECK(image.ok());
    return *std::move(image);
  }
  std::vector<PreparedImage> ImagesInOrder(const TinyModel& tiny) {
    std::vector<PreparedImage> images;
    for (const int32_t i : ReadInts(*expected_, "image_order")) {
      images.push_back(ImageOf(tiny, i, tiny.files.vision.image_size));
    }
    return images;
  }
  GoldenInputs Inputs() {
    auto inputs = GoldenInputs::Read(*expected_, kSoftToken, true);
    GALEN_CHECK(inputs.ok());
    return *std::move(inputs);
  }
  Tensor Encode(ExecContext& ctx, const TinyModel& tiny, std::span<const PreparedImage> images) {
    return EncodeImages(ctx, *tiny.tower, *tiny.files.image_processor, images);
  }

  void ExpectNear(const Tensor& x, const std::string& name, int roundings) {
    const std::vector<float> wanted = ReadFloats(*expected_, name);
    ASSERT_EQ(static_cast<int64_t>(wanted.size()), x.num_elements()) << name;
    const Distance d = Compare({x.f32(), wanted.size()}, wanted);
    EXPECT_LE(d.largest, d.rms * Bound(roundings)) << name;
  }

  std::shared_ptr<const Checkpoint> expected_;
  ThreadPool pool_{2};
  Arena arena_;
};

// What Gemma3ImageProcessorPil makes of the images, in the order of a convolution's kernel.
TEST_P(VisionParity, PatchesAreThePixelValuesToTheBit) {
  if (!expected_->Has("pixel_values")) GTEST_SKIP() << "no pixel values were recorded";
  auto tiny = Open(Path(), "", WeightUse::kMapped, KernelsFor(Isa::kRef));
  ASSERT_TRUE(tiny.ok()) << tiny.status().message();
  const VisionConfig& c = tiny->files.vision;
  const TensorInfo& images = **expected_->Find("images");
  const std::vector<float> pixels = ReadFloats(*expected_, "pixel_values");
  const int64_t side = c.image_size, patch = c.patch_size;
  std::vector<float> patches(static_cast<size_t>(side * side * 3));
  for (int64_t i = 0; i < images.shape[0]; ++i) {
    tiny->files.image_processor->FillPatches(ImageOf(*tiny, i, side), patches.data());
    const float* at = patches.data();
    for (int64_t py = 0; py < side; py += patch) {
      for (int64_t px = 0; px < side; px += patch) {
        for (int64_t channel = 0; channel < 3; ++channel) {
          for (int64_t y = py; y < py + patch; ++y) {
            for (int64_t x = px; x < px + patch; ++x, ++at) {
              ASSERT_EQ(*at, pixels[((i * 3 + channel) * side + y) * side + x])
                  << i << " " << y << " " << x;
            }
          }
        }
      }
    }
  }
}

TEST_P(VisionParity, EveryLayer) {
  for (const Isa isa : SupportedIsas()) {
    for (const WeightUse use : {WeightUse::kInference, WeightUse::kMapped, WeightUse::kTrained}) {
      SCOPED_TRACE(std::string(IsaName(isa)) + ", use " + std::to_string(static_cast<int>(use)));
      const KernelTable& kernels = KernelsFor(isa);
      auto tiny = Open(Path(), "", use, kernels);
      ASSERT_TRUE(tiny.ok()) << tiny.status().message();
      std::set<std::string> seen;
      int depth = 1;
      const std::function<void(std::string_view, const Tensor&)> observer =
          [&](std::string_view name, const Tensor& x) {
            if (!expected_->Has(name)) return;
            ExpectNear(x, std::string(name), depth);
            depth += kLayerRoundings;
            seen.insert(std::string(name));
          };
      ExecContext ctx = Context(kernels);
      ctx.observer = &observer;
      arena_.Rewind(0);
      const Tensor images = Encode(ctx, *tiny, ImagesInOrder(*tiny));
      GoldenInputs inputs = Inputs();
      const Tensor logits = tiny->model->Forward(ctx, inputs.batch(images));
      ExpectNear(logits, "logits", depth);
      // embeddings, two layers, last norm, projector; embed_tokens, seven layers, norm.
      EXPECT_EQ(seen.size(), 14u);
    }
  }
}

TEST_P(VisionParity, LossAndGradients) {
  if (!expected_->Has("grad.norm.weight")) GTEST_SKIP() << "no gradients were recorded";
  GoldenInputs inputs = Inputs();
  // Next tokens; not counted: placeholders, and the last of each sequence.
  std::vector<int32_t> targets(inputs.tokens().begin() + 1, inputs.tokens().end());
  targets.push_back(-100);
  for (int32_t& target : targets) target = target == kSoftToken ? -100 : target;
  for (const SequenceSpan& span : inputs.batch({}).spans)
    targets[static_cast<size_t>(span.end - 1)] = -100;
  for (const Isa isa : SupportedIsas()) {
    SCOPED_TRACE(IsaName(isa));
    const KernelTable& kernels = KernelsFor(isa);
    auto tiny = Open(Path(), "", WeightUse::kTrained, kernels);
    ASSERT_TRUE(tiny.ok()) << tiny.status().message();
    std::vector<ParamSpec> specs = tiny->specs;
    for (ParamSpec& spec : tiny->tower->Params()) specs.push_back(spec);
    ExecContext ctx = Context(kernels);
    arena_.Rewind(0);
    Tape tape;
    ctx.tape = &tape;
    const Tensor images = Encode(ctx, *tiny, ImagesInOrder(*tiny));
    const Tensor logits = tiny->model->Forward(ctx, inputs.batch(images));
    const Tensor loss = CrossEntropy(ctx, logits, targets);
    const int depth = kTowerRoundings + kLayerRoundings * 10;
    const std::vector<float> wanted_loss = ReadFloats(*expected_, "loss");
    EXPECT_NEAR(*loss.f32(), wanted_loss[0], wanted_loss[0] * Bound(depth));
    GradMap grads(&arena_);
    tape.Backward(ctx, loss, grads);
    for (const ParamSpec& spec : specs) {
      const std::vector<float> wanted = ReadFloats(*expected_, "grad." + spec.name);
      const float* grad = spec.is_vector() ? spec.vector->grad : spec.matrix->grad;
      ASSERT_NE(grad, nullptr);
      std::vector<float> mine(grad, grad + wanted.size());
      if (spec.transposed) {
        for (size_t i = 0; i < mine.size(); ++i) {
          mine[i] = grad[static_cast<int64_t>(i) % spec.rows * spec.cols +
                         static_cast<int64_t>(i) / spec.rows];
        }
      }
      const Distance d = Compare(mine, wanted);
      // The softmax does not change with a constant that all keys add: the gradient of their bias
      // is zero but for rounding.
      if (spec.name.ends_with("k_proj.bias")) {
        EXPECT_LE(d.largest, 1e-5f) << spec.name;
        continue;
      }
      EXPECT_GT(d.rms, 0.0f) << spec.name;
      EXPECT_LE(d.largest, d.rms * Bound(3 * depth)) << spec.name;
    }
  }
}

// Images of half the side: positions interpolated, a quarter of the tokens.
TEST_P(VisionParity, HalfSizeImages) {
  if (!expected_->Has("half.projected")) GTEST_SKIP() << "the grid of this checkpoint is odd";
  for (const Isa isa : SupportedIsas()) {
    SCOPED_TRACE(IsaName(isa));
    auto tiny = Open(Path(), "", WeightUse::kInference, KernelsFor(isa));
    ASSERT_TRUE(tiny.ok()) << tiny.status().message();
    const std::function<void(std::string_view, const Tensor&)> observer = [&](std::string_view name,
                                                                              const Tensor& x) {
      if (name == "vision.post_layernorm") ExpectNear(x, "half.post_layernorm", kTowerRoundings);
    };
    ExecContext ctx = Context(KernelsFor(isa));
    ctx.observer = &observer;
    arena_.Rewind(0);
    std::vector<PreparedImage> images;
    for (int64_t i = 0; i < 8; ++i) {
      images.push_back(ImageOf(*tiny, i, tiny->files.vision.image_size / 2));
    }
    ExpectNear(Encode(ctx, *tiny, images), "half.projected", kTowerRoundings);
  }
}

// llama.cpp's two files, the older generation of its projector files, and Ollama's single file.
TEST_P(VisionParity, Gguf) {
  if (!FileExists(Path("q8_0.gguf"))) GTEST_SKIP() << "no GGUF files of this checkpoint";
  auto gguf = OpenCheckpoint(Path("expected_gguf.safetensors"));
  ASSERT_TRUE(gguf.ok());
  const std::vector<float> wanted = ReadFloats(**gguf, "logits");
  const std::pair<const char*, const char*> files[] = {
      {"q8_0.gguf", "mmproj-f16.gguf"}, {"q8_0.gguf", "mmproj-old.gguf"}, {"ollama.gguf", ""}};
  for (const Isa isa : SupportedIsas()) {
    for (const auto& [text, mmproj] : files) {
      SCOPED_TRACE(std::string(IsaName(isa)) + " " + text + " " + mmproj);
      auto tiny = Open(Path(text), *mmproj == 0 ? "" : Path(mmproj), WeightUse::kInference,
                       KernelsFor(isa));
      ASSERT_TRUE(tiny.ok()) << tiny.status().message();
      ExecContext ctx = Context(KernelsFor(isa));
      arena_.Rewind(0);
      const Tensor images = Encode(ctx, *tiny, ImagesInOrder(*tiny));
      GoldenInputs inputs = Inputs();
      const Tensor logits = tiny->model->Forward(ctx, inputs.batch(images));
      const int64_t vocab = logits.cols(),
                    theirs = static_cast<int64_t>(wanted.size()) / logits.rows();
      ASSERT_LE(vocab, theirs);  // rows without a token are left out
      std::vector<float> mine(logits.f32(), logits.f32() + logits.num_elements()), reference;
      for (int64_t row = 0; row < logits.rows(); ++row) {
        reference.insert(reference.end(), wanted.begin() + row * theirs,
                         wanted.begin() + row * theirs + vocab);
      }
      const Distance d = Compare(mine, reference);
      EXPECT_LE(d.largest, d.rms * Bound(kTowerRoundings + kLayerRoundings * 10));
    }
  }
}

// More than 4,096 image tokens in one sequence.
TEST_P(VisionParity, LongSequences) {
  if (!expected_->Has("long.tokens")) GTEST_SKIP() << "no long sequence was recorded";
  auto tiny = Open(Path(), "", WeightUse::kInference, KernelsFor(*ChooseIsa()));
  ASSERT_TRUE(tiny.ok()) << tiny.status().message();
  ExecContext ctx = Context(KernelsFor(*ChooseIsa()));
  std::vector<PreparedImage> images;
  for (int64_t i = 0; i < 8; ++i) {
    images.push_back(ImageOf(*tiny, i, tiny->files.vision.image_size));
  }
  const Tensor rows = Encode(ctx, *tiny, images);
  const std::vector<int32_t> tokens = ReadInts(*expected_, "long.tokens");
  const std::vector<int32_t> order = ReadInts(*expected_, "long.image_order");
  const auto size = static_cast<int64_t>(tokens.size());
  std::vector<int32_t> positions, look_ahead(tokens.size(), -1), logit_rows;
  std::vector<RowSource> sources;
  const int64_t count = tiny->files.vision.tokens_per_image;
  for (int64_t t = 0; t < size; ++t) positions.push_back(static_cast<int32_t>(t));
  for (int64_t t = 0; t < size; ++t) {
    if (tokens[t] != kSoftToken) continue;
    sources.push_back({rows, order[sources.size()] * count, t, count});
    for (int64_t i = 0; i < count; ++i) look_ahead[t + i] = static_cast<int32_t>(t + count - 1);
    t += count - 1;
  }
  ASSERT_GT(static_cast<int64_t>(sources.size()) * count, 4096);
  for (int64_t t = size - 8; t < size; ++t) logit_rows.push_back(static_cast<int32_t>(t));
  const SequenceSpan span{0, size, 0, nullptr};
  Batch batch;
  batch.tokens = tokens;
  batch.positions = positions;
  batch.spans = {&span, 1};
  batch.embeddings = sources;
  batch.look_ahead = look_ahead.data();
  batch.logit_rows = logit_rows;
  // Sums over thousands of keys instead of some ten.
  ExpectNear(tiny->model->Forward(ctx, batch), "long.logits",
             4 * (kTowerRoundings + kLayerRoundings * 10));
}

INSTANTIATE_TEST_SUITE_P(Tiny, VisionParity, testing::Values("gemma3-vision", "gemma3-vision-old"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace galen

// A tiny Qwen2.5-VL against transformers: sizes, pixels, tower, three positions, decoder,
// gradients. Fixtures: tests/parity/models/make_qwen2_5_vl.py.
#include <functional>
#include <set>

#include "models/parity_bounds_test.h"
#include "models/qwen2_5_vl/image_grid.h"
#include "models/tiny_models_test.h"
#include "ops/ops.h"
#include "ops/tape.h"

namespace galen {
namespace {

constexpr int32_t kImageToken = 90;
constexpr int kTowerRoundings = 5 * kLayerRoundings;

class Qwen2_5VLParity : public testing::Test {
 protected:
  void SetUp() override {
    auto expected = OpenCheckpoint(folder_ + "/expected.safetensors");
    ASSERT_TRUE(expected.ok()) << expected.status().message();
    expected_ = *expected;
    auto arena = Arena::Create(int64_t{1} << 30);
    ASSERT_TRUE(arena.ok());
    arena_ = std::move(*arena);
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

  // The images of the fixture, prepared.
  std::vector<PreparedImage> Prepare(const ImageProcessor& processor) {
    std::vector<PreparedImage> prepared;
    for (int i = 0; i < 3; ++i) {
      const TensorInfo& t = **expected_->Find("image." + std::to_string(i));
      Image image;
      image.height = t.shape[0];
      image.width = t.shape[1];
      image.pixels.assign(t.bytes.begin(), t.bytes.end());
      auto views = processor.Prepare(image, {});
      GALEN_CHECK(views.ok() && views->size() == 1);
      prepared.push_back(std::move((*views)[0]));
    }
    return prepared;
  }

  Tensor Patches(const TinyModel& tiny, std::span<const PreparedImage> images) {
    int64_t rows = 0;
    for (const PreparedImage& image : images) rows += image.grid.patches();
    const Tensor patches = arena_.NewTensor({rows, tiny.files.vision.patch_values()});
    int64_t row = 0;
    for (const PreparedImage& image : images) {
      tiny.files.image_processor->FillPatches(image, patches.row(row));
      row += image.grid.patches();
    }
    return patches;
  }

  Tensor Logits(ExecContext& ctx, const TinyModel& tiny, const Tensor& rows) {
    tokens_ = ReadInts(*expected_, "tokens");
    positions_ = ReadInts(*expected_, "positions");
    const auto n = static_cast<int64_t>(tokens_.size());
    sources_.clear(), logit_rows_.clear();
    int64_t used = 0;
    for (int64_t t = 0; t < n; ++t) logit_rows_.push_back(static_cast<int32_t>(t));
    for (int64_t t = 0; t < n; ++t) {
      int64_t end = t;
      while (end < n && tokens_[end] == kImageToken) ++end;
      if (end == t) continue;
      sources_.push_back({rows, used, t, end - t});
      used += end - t;
      t = end;
    }
    GALEN_CHECK(used == rows.rows());
    span_ = {0, n, 0, nullptr};
    const std::span<const int32_t> all = positions_;
    Batch batch;
    batch.tokens = tokens_;
    batch.positions = all.subspan(0, n);
    batch.row_positions = all.subspan(n, n);
    batch.column_positions = all.subspan(2 * n, n);
    batch.spans = {&span_, 1};
    batch.embeddings = sources_;
    batch.logit_rows = logit_rows_;
    return tiny.model->Forward(ctx, batch);
  }

  Tensor Encode(ExecContext& ctx, const TinyModel& tiny) {
    const std::vector<PreparedImage> images = Prepare(*tiny.files.image_processor);
    std::vector<ImageGrid> grids;
    for (const PreparedImage& image : images) grids.push_back(image.grid);
    return tiny.tower->Forward(ctx, {Patches(tiny, images), grids});
  }

  ExecContext Context(const KernelTable& kernels) {
    ExecContext ctx;
    ctx.kernels = &kernels;
    ctx.pool = &pool_;
    ctx.arena = &arena_;
    ctx.compute = Compute::kFp32;
    arena_.Rewind(0);
    return ctx;
  }

  void ExpectNear(const Tensor& x, const std::vector<float>& wanted, const std::string& name,
                  int roundings) {
    ASSERT_EQ(static_cast<int64_t>(wanted.size()), x.num_elements()) << name;
    const Distance d = Compare({x.f32(), wanted.size()}, wanted);
    EXPECT_LE(d.largest, d.rms * Bound(roundings)) << name;
  }

  const std::string folder_ = TinyFolder("qwen2_5_vl");
  std::shared_ptr<const Checkpoint> expected_;
  ThreadPool pool_{2};
  Arena arena_;
  std::vector<int32_t> tokens_, positions_, logit_rows_;
  std::vector<RowSource> sources_;
  SequenceSpan span_;
};

TEST_F(Qwen2_5VLParity, PatchesAreThePixelValuesToTheBit) {
  auto tiny = Open(folder_, "", WeightUse::kMapped, KernelsFor(Isa::kRef));
  ASSERT_TRUE(tiny.ok()) << tiny.status().message();
  const std::vector<PreparedImage> images = Prepare(*tiny->files.image_processor);
  const std::vector<int32_t> grids = ReadInts(*expected_, "grids");
  for (size_t i = 0; i < images.size(); ++i) {
    EXPECT_EQ(images[i].grid.height, grids[3 * i + 1]);
    EXPECT_EQ(images[i].grid.width, grids[3 * i + 2]);
  }
  const Tensor patches = Patches(*tiny, images);
  // The reference repeats each channel for two frames.
  const std::vector<float> wanted = ReadFloats(*expected_, "pixel_values");
  ASSERT_EQ(static_cast<int64_t>(wanted.size()), 2 * patches.num_elements());
  const int64_t plane = patches.cols() / 3;
  for (int64_t row = 0; row < patches.rows(); ++row) {
    for (int64_t i = 0; i < 6 * plane; ++i) {
      ASSERT_EQ(wanted[row * 6 * plane + i], patches.row(row)[i / (2 * plane) * plane + i % plane])
          << row << " " << i;
    }
  }
}

TEST_F(Qwen2_5VLParity, EveryLayer) {
  for (const Isa isa : SupportedIsas()) {
    for (const WeightUse use : {WeightUse::kInference, WeightUse::kMapped, WeightUse::kTrained}) {
      SCOPED_TRACE(std::string(IsaName(isa)) + ", use " + std::to_string(static_cast<int>(use)));
      auto tiny = Open(folder_, "", use, KernelsFor(isa));
      ASSERT_TRUE(tiny.ok()) << tiny.status().message();
      std::set<std::string> seen;
      int depth = 1;
      const std::function<void(std::string_view, const Tensor&)> observer =
          [&](std::string_view name, const Tensor& x) {
            std::string key(name.starts_with("vision.") ? name.substr(7) : name);
            if (key == "projected") key = "merger";
            if (!expected_->Has(key)) return;
            ExpectNear(x, ReadFloats(*expected_, key), key, depth);
            depth += kLayerRoundings;
            seen.insert(key);
          };
      ExecContext ctx = Context(KernelsFor(isa));
      ctx.observer = &observer;
      const Tensor rows = Encode(ctx, *tiny);
      ExpectNear(Logits(ctx, *tiny, rows), ReadFloats(*expected_, "logits"), "logits", depth);
      EXPECT_EQ(seen.size(), 4u + 1 + 3 + 1);  // blocks, merger, layers, norm
    }
  }
}

TEST_F(Qwen2_5VLParity, LossAndGradients) {
  for (const Isa isa : SupportedIsas()) {
    SCOPED_TRACE(IsaName(isa));
    auto tiny = Open(folder_, "", WeightUse::kTrained, KernelsFor(isa));
    ASSERT_TRUE(tiny.ok()) << tiny.status().message();
    ExecContext ctx = Context(KernelsFor(isa));
    Tape tape;
    ctx.tape = &tape;
    const Tensor logits = Logits(ctx, *tiny, Encode(ctx, *tiny));
    std::vector<int32_t> targets(tokens_.begin() + 1, tokens_.end());
    targets.push_back(-100);
    for (int32_t& target : targets) target = target == kImageToken ? -100 : target;
    const Tensor loss = CrossEntropy(ctx, logits, targets);
    const int depth = kTowerRoundings + kLayerRoundings * 6;
    const std::vector<float> wanted_loss = ReadFloats(*expected_, "loss");
    EXPECT_NEAR(*loss.f32(), wanted_loss[0], wanted_loss[0] * Bound(depth));
    GradMap grads(&arena_);
    tape.Backward(ctx, loss, grads);
    std::vector<ParamSpec> specs = tiny->specs;
    for (ParamSpec& spec : tiny->tower->Params()) specs.push_back(spec);
    for (const ParamSpec& spec : specs) {
      if (spec.name.empty()) continue;  // GGUF's form of the patch embedding
      std::string name = spec.name;
      const auto replace = [&name](std::string_view from, std::string_view to) {
        if (name.starts_with(from)) name.replace(0, from.size(), to);
      };
      replace("vision_tower.encoder.layers.", "visual.blocks.");
      replace("vision_tower.", "visual.");
      const std::vector<float> all = ReadFloats(*expected_, "grad." + name);
      const size_t size = all.size() / static_cast<size_t>(spec.hf_slices);
      const std::span<const float> wanted(all.data() + size * static_cast<size_t>(spec.hf_slice),
                                          size);
      const float* grad = spec.is_vector() ? spec.vector->grad : spec.matrix->grad;
      ASSERT_NE(grad, nullptr) << spec.name;
      const Distance d = Compare({grad, size}, wanted);
      // The softmax does not change with a constant that all keys add; here the rotation makes the
      // bias of keys matter, but little.
      EXPECT_LE(d.largest, d.rms * Bound(3 * depth) + 1e-6f) << spec.name;
    }
  }
}

TEST_F(Qwen2_5VLParity, Gguf) {
  if (!FileExists(folder_ + "/text.gguf")) GTEST_SKIP() << "no GGUF files of this checkpoint";
  auto gguf = OpenCheckpoint(folder_ + "/expected_gguf.safetensors");
  ASSERT_TRUE(gguf.ok());
  for (const Isa isa : SupportedIsas()) {
    auto tiny = Open(folder_ + "/text.gguf", folder_ + "/mmproj.gguf", WeightUse::kInference,
                     KernelsFor(isa));
    ASSERT_TRUE(tiny.ok()) << tiny.status().message();
    ExecContext ctx = Context(KernelsFor(isa));
    const Tensor rows = Encode(ctx, *tiny);
    ExpectNear(rows, ReadFloats(**gguf, "merger"), "merger", kTowerRoundings);
  }
}

TEST(Qwen2_5VLGrid, SizesAsTheReferenceRoundsThem) {
  const auto size = [](int64_t h, int64_t w) {
    const auto s = SmartResize(h, w, 28, 3136, 1003520);
    return s.ok() ? std::pair(s->height, s->width) : std::pair<int64_t, int64_t>(0, 0);
  };
  // transformers 5.23, smart_resize.
  EXPECT_EQ(size(42, 70), std::pair(int64_t{56}, int64_t{56}));  // 1.5 and 2.5 go to 2
  EXPECT_EQ(size(1, 1), std::pair(int64_t{56}, int64_t{56}));
  EXPECT_EQ(size(3000, 4000), std::pair(int64_t{840}, int64_t{1148}));
  EXPECT_EQ(size(10, 2000), std::pair(int64_t{28}, int64_t{812}));
  EXPECT_EQ(size(10, 2001), std::pair(int64_t{0}, int64_t{0}));  // beyond 200 : 1
}

TEST(Qwen2_5VLGrid, BorderWindowsAreSmallerAndNoneIsEmpty) {
  const ImageGrid grid{10, 16};  // 5 x 8 cells
  const WindowOrder order = OrderWindows({&grid, 1}, 2, 4);
  EXPECT_EQ(order.window_bounds, (std::vector<int32_t>{0, 64, 128, 144, 160}));
  EXPECT_EQ(order.image_bounds, (std::vector<int32_t>{0, 160}));
  EXPECT_EQ(order.cells[4], 8);  // second row of the first window
}

}  // namespace
}  // namespace galen

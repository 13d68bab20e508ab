#include "train/train_images.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "media/image/png_writer.h"
#include "train/frozen_images.h"
#include "train/step_runner.h"
#include "train/train_memory.h"

namespace galen {
namespace {

class TrainImagesTest : public testing::Test {
 protected:
  void SetUp() override {
    auto files =
        ReadModel(std::string(GALEN_SOURCE_DIR) + "/tests/parity/models/tiny/gemma3-vision");
    ASSERT_TRUE(files.ok()) << files.status().message();
    files_ = *std::move(files);
    std::string pattern = testing::TempDir() + "/galen_images_XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  static Image Noise(int64_t width, int64_t height, uint32_t seed) {
    Image image{width, height, 3, std::vector<uint8_t>(static_cast<size_t>(width * height * 3))};
    for (uint8_t& p : image.pixels)
      p = static_cast<uint8_t>((seed = seed * 1664525 + 1013904223) >> 24);
    return image;
  }
  std::string Write(const std::string& name, const Image& image) {
    const std::string path = folder_ + "/" + name;
    const auto png = EncodePng(image);
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(png->data()),
               static_cast<std::streamsize>(png->size()));
    return path;
  }
  TrainImages Make(const std::string& fit) {
    TrainOptions options;
    options.image_fit = fit;
    return *TrainImages::Create(files_, options);
  }
  FrozenImagesSetup Setup(const TrainImages& images) {
    FrozenImagesSetup setup;
    setup.files = &files_;
    setup.images = &images;
    setup.path = folder_ + "/vectors.bin";
    setup.available = int64_t{1} << 30;
    setup.kernels = kernels_;
    setup.pool = &pool_;
    return setup;
  }

  ModelFiles files_;  // 28 x 28 pixels, patches of 7, 2 x 2 of them a token
  std::string folder_;
  ThreadPool pool_{2};
  const KernelTable* kernels_ = &KernelsFor(*ChooseIsa());
};

TEST_F(TrainImagesTest, PartsKeepTheirPixelsAndFitThePatches) {
  const TrainImages images = Make("part");
  const auto strip = images.Read(Write("strip.png", Noise(28, 14, 1)));
  ASSERT_TRUE(strip.ok()) << strip.status().message();
  ASSERT_EQ(strip->size(), 1u);
  EXPECT_EQ((*strip)[0].grid.height, 2);
  EXPECT_EQ((*strip)[0].grid.width, 4);
  EXPECT_EQ((*strip)[0].tokens, 2);
  EXPECT_EQ((*strip)[0].pixels.pixels, Noise(28, 14, 1).pixels);
  for (const auto& [width, height] : {std::pair{28, 15}, {28, 7}, {42, 14}}) {
    const auto bad = images.Read(Write("bad.png", Noise(width, height, 1)));
    ASSERT_FALSE(bad.ok());
    EXPECT_NE(bad.status().message().find("multiples"), std::string::npos);
  }
  bool seen[2] = {};
  for (uint64_t key = 0; key < 64; ++key) {
    const GridCorner corner = images.Corner((*strip)[0], key);
    EXPECT_EQ(corner.left, 0);
    ASSERT_TRUE(corner.top == 0 || corner.top == 2);
    seen[corner.top / 2] = true;
  }
  EXPECT_TRUE(seen[0] && seen[1]);
}

TEST_F(TrainImagesTest, StripsKeepTheirPixelsAndThePagesCorner) {
  const TrainImages images = Make("strip");
  const auto strip = images.Read(Write("strip.png", Noise(28, 14, 1)));
  ASSERT_TRUE(strip.ok()) << strip.status().message();
  EXPECT_EQ((*strip)[0].pixels.pixels, Noise(28, 14, 1).pixels);
  for (uint64_t key = 0; key < 16; ++key) {
    const GridCorner corner = images.Corner((*strip)[0], key);
    EXPECT_EQ(corner.left, 0);
    EXPECT_EQ(corner.top, 0);
  }
}

TEST_F(TrainImagesTest, ErrorsDoNotNameTheFile) {
  const auto none = Make("page").Read(folder_ + "/jane-doe.png");
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.status().message().find("jane"), std::string::npos) << none.status().message();
}

// The tower on parts of pages: a whole page at the corner is the page, and images of a batch do not
// see each other.
TEST_F(TrainImagesTest, APartTakesThePositionsOfItsPlace) {
  auto loaded = OpenTower(files_, WeightUse::kInference, *kernels_, pool_, nullptr);
  ASSERT_TRUE(loaded.ok()) << loaded.status().message();
  const int64_t values = loaded->tower->config().patch_values();
  auto arena = Arena::Create(int64_t{64} << 20);
  ExecContext ctx;
  ctx.kernels = kernels_;
  ctx.pool = &pool_;
  ctx.arena = &*arena;
  ctx.compute = Compute::kFp32;
  ctx.batch_invariant = true;
  const ImageGrid page = {4, 4}, strip = {2, 4};
  const Tensor patches = arena->NewTensor({24, values});
  for (int64_t i = 0; i < patches.num_elements(); ++i)
    patches.f32()[i] = static_cast<float>(i * 37 % 101) / 50 - 1;
  const auto forward = [&](int64_t row, std::vector<ImageGrid> grids,
                           std::vector<GridCorner> corners) {
    int64_t n = 0;
    for (const ImageGrid& g : grids) n += g.patches();
    return loaded->tower->Forward(ctx, {patches.Rows(row, n), grids, corners});
  };
  const Tensor whole = forward(0, {page}, {});
  const Tensor placed = forward(0, {page}, {{0, 0}});
  const Tensor both = forward(0, {page, strip}, {{0, 0}, {2, 0}});
  const Tensor low = forward(16, {strip}, {{2, 0}});
  const Tensor high = forward(16, {strip}, {{0, 0}});
  ASSERT_EQ(whole.rows(), 4);
  ASSERT_EQ(both.rows(), 6);
  const auto same = [](const Tensor& a, int64_t row, const Tensor& b) {
    return std::memcmp(a.row(row), b.data, static_cast<size_t>(b.num_elements()) * 4) == 0;
  };
  EXPECT_TRUE(same(placed, 0, whole));
  EXPECT_TRUE(same(both, 0, whole));
  EXPECT_TRUE(same(both, 4, low));
  EXPECT_FALSE(same(high, 0, low));
}

TEST_F(TrainImagesTest, VectorsOfAFrozenTowerAreMadeOnce) {
  TrainImages images = Make("part");
  std::vector<std::string> paths;
  for (int i = 0; i < 5; ++i) {  // two sizes in turn: each is a pass of its own
    const std::string name = "part" + std::to_string(i) + ".png";
    paths.push_back(Write(name, Noise(i % 2 == 0 ? 14 : 28, 14, static_cast<uint32_t>(i))));
    images.Remember(paths.back(), *images.Read(paths.back()));
  }
  FrozenImagesSetup setup = Setup(images);
  auto made = FrozenImages::Make(setup);
  ASSERT_TRUE(made.ok()) << made.status().message();
  EXPECT_EQ(made->made(), 5);
  std::vector<float> first(static_cast<size_t>(2 * made->cols())), again(first.size());
  ASSERT_TRUE(made->Read(paths[3], 0, first.data()).ok());
  auto known = FrozenImages::Make(setup);
  ASSERT_TRUE(known.ok());
  EXPECT_EQ(known->made(), 0);
  ASSERT_TRUE(known->Read(paths[3], 0, again.data()).ok());
  EXPECT_EQ(first, again);
  // With another image all is made anew; a run that was stopped goes on where it was.
  Write("part1.png", Noise(28, 14, 99));
  setup.progress = [](int64_t done, int64_t) { return done < 2; };
  EXPECT_FALSE(FrozenImages::Make(setup).ok());
  setup.progress = nullptr;
  auto anew = FrozenImages::Make(setup);
  ASSERT_TRUE(anew.ok());
  EXPECT_EQ(anew->made(), 3);
  ASSERT_TRUE(anew->Read(paths[3], 0, again.data()).ok());
  EXPECT_EQ(first, again);
  setup.available = 1000;
  setup.compute = Compute::kFp32;
  const auto small = FrozenImages::Make(setup);
  ASSERT_FALSE(small.ok());
  EXPECT_NE(small.status().message().find("tower needs"), std::string::npos);
  setup.available = int64_t{1} << 30;
  std::filesystem::remove(paths[4]);
  EXPECT_FALSE(FrozenImages::Make(setup).ok());
}

// The plan bounds what a step takes (the arena would throw).
TEST_F(TrainImagesTest, PlanHoldsAStepWithTheTower) {
  OpenModelOptions open;
  open.images = true;
  open.use = WeightUse::kTrained;
  open.kernels = kernels_;
  open.pool = &pool_;
  auto loaded = OpenModel(files_.checkpoint->path(), open);
  ASSERT_TRUE(loaded.ok()) << loaded.status().message();
  TrainImages images = Make("page");
  const auto views = images.Read(Write("page.png", Noise(30, 30, 1)));
  ASSERT_TRUE(views.ok());
  for (const int64_t count : {1, 7}) {
    for (const bool recompute : {false, true}) {
      EncodedChat chat;
      FlatBatch batch;
      for (int64_t i = 0; i < 12; ++i) chat.tokens.push_back(static_cast<int32_t>(20 + i));
      chat.labels = chat.tokens;
      chat.places.push_back({{3, 4, 0, 0}, {}});
      for (int64_t i = 0; i < count; ++i) {
        batch.Add(chat, true);
        batch.views.push_back((*views)[0]);
      }
      StepShape shape;
      shape.tokens = static_cast<int64_t>(batch.tokens.size());
      shape.labels = static_cast<int64_t>(batch.targets.size());
      shape.sequences = shape.views = count;
      shape.patches = 16 * count;
      shape.recompute = recompute;
      const int64_t plan =
          Together(TrainArena(loaded->model->config(), *kernels_, pool_.size(), shape),
                   TowerTrainArena(files_.vision, *kernels_, pool_.size(), shape))
              .total();
      StepRunnerOptions options;
      options.kernels = kernels_;
      options.pool = &pool_;
      options.recompute = recompute;
      options.tower = loaded->tower.get();
      options.processor = files_.image_processor.get();
      auto runner = StepRunner::Create(*loaded->model, options, plan);
      ASSERT_TRUE(runner.ok());
      EXPECT_GT(runner->Loss(batch, 1.0, true), 0.0);
      EXPECT_LE(runner->arena_high_water(), plan);
      int64_t exact = 0;
      const double loss = runner->Loss(batch, 1.0, false);
      EXPECT_NEAR(runner->Evaluate(batch, &exact), loss, 0x1p-7 * loss);  // bf16 in other places
      EXPECT_EQ(exact, 0);
    }
  }
}

}  // namespace
}  // namespace galen

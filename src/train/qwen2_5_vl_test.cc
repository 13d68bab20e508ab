// Training of Qwen2.5-VL with images: names of modules, positions, sizes, frozen vectors, memory.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "media/image/png_writer.h"
#include "train/adapter_set.h"
#include "train/frozen_images.h"
#include "train/made_data.h"
#include "train/peft_names.h"
#include "train/step_runner.h"
#include "train/train_images.h"
#include "train/train_memory.h"

namespace galen {
namespace {

class Qwen2_5VLTrain : public testing::Test {
 protected:
  void SetUp() override {
    auto files = ReadModel(std::string(GALEN_SOURCE_DIR) + "/tests/parity/models/tiny/qwen2_5_vl");
    ASSERT_TRUE(files.ok()) << files.status().message();
    files_ = *std::move(files);
    ASSERT_TRUE(files_.vision_status.ok());
    std::string pattern = testing::TempDir() + "/galen_qwen_XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  // A file of noise.
  std::string Write(int64_t width, int64_t height) {
    Image image{width, height, 3, std::vector<uint8_t>(static_cast<size_t>(width * height * 3))};
    auto seed = static_cast<uint32_t>(width * 1000 + height);
    for (uint8_t& p : image.pixels)
      p = static_cast<uint8_t>((seed = seed * 1664525 + 1013904223) >> 24);
    const std::string path = folder_ + "/" + std::to_string(width) + "x" + std::to_string(height);
    const auto png = EncodePng(image);
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(png->data()),
               static_cast<std::streamsize>(png->size()));
    return path;
  }
  PreparedImage View(const TrainImages& images, int64_t width, int64_t height) {
    return (*images.Read(Write(width, height)))[0];
  }
  // Text, then each view with some text behind it.
  static EncodedChat Chat(const std::vector<PreparedImage>& views, int32_t first_token) {
    EncodedChat chat;
    const auto say = [&](int n) {
      for (int i = 0; i < n; ++i) {
        chat.tokens.push_back(first_token + static_cast<int32_t>(chat.tokens.size() % 40));
        chat.labels.push_back(chat.tokens.back());
      }
    };
    say(3);
    for (size_t i = 0; i < views.size(); ++i) {
      chat.places.push_back(
          {{static_cast<int64_t>(chat.tokens.size()), views[i].tokens, i, 0}, views[i].token_grid});
      chat.tokens.resize(chat.tokens.size() + static_cast<size_t>(views[i].tokens), 90);
      chat.labels.resize(chat.tokens.size(), kNotLabelled);
      say(4);
    }
    return chat;
  }
  static void Add(const EncodedChat& chat, const std::vector<PreparedImage>& views, FlatBatch* b) {
    b->Add(chat);
    b->views.insert(b->views.end(), views.begin(), views.end());
  }
  Result<LoadedModel> Open(WeightUse use) {
    OpenModelOptions open;
    open.images = true;
    open.use = use;
    open.kernels = kernels_;
    open.pool = &pool_;
    return OpenModel(files_.checkpoint->path(), open);
  }
  StepRunnerOptions Runner(const LoadedModel& loaded) {
    StepRunnerOptions options;
    options.kernels = kernels_;
    options.pool = &pool_;
    options.tower = loaded.tower.get();
    options.processor = files_.image_processor.get();
    return options;
  }

  ModelFiles files_;  // patches of 4 x 4 pixels, 2 x 2 of them a token, windows of 2 x 2 tokens
  std::string folder_;
  ThreadPool pool_{2};
  const KernelTable* kernels_ = &KernelsFor(*ChooseIsa());
};

TEST_F(Qwen2_5VLTrain, ModulesHaveTransformersNames) {
  const auto model = files_.architecture->make(files_.config);
  const auto tower = files_.architecture->vision->make_tower(files_.vision);
  std::vector<std::string> names;
  for (const ParamSpec& spec : model->Params()) names.push_back(PeftModulePath(files_, spec));
  for (const ParamSpec& spec : tower->Params()) {
    if (!spec.name.empty()) names.push_back(PeftModulePath(files_, spec));
  }
  for (const char* name :
       {"model.language_model.layers.1.mlp.up_proj", "lm_head", "model.language_model.embed_tokens",
        "model.visual.blocks.3.attn.qkv", "model.visual.blocks.0.mlp.down_proj",
        "model.visual.merger.mlp.0", "model.visual.merger.ln_q", "model.visual.patch_embed.proj"}) {
    EXPECT_NE(std::find(names.begin(), names.end(), name), names.end()) << name;
  }
}

// Three weights of ours are one module of PEFT's: one A, the rows of one B.
TEST_F(Qwen2_5VLTrain, FusedLayersShareAnAdapter) {
  auto loaded = Open(WeightUse::kInference);
  ASSERT_TRUE(loaded.ok()) << loaded.status().message();
  LoraOptions options;
  options.r = 2;
  options.target_modules = {"blocks.0.attn.qkv"};
  AdapterSet set;
  const auto chosen = set.Choose(
      options, *loaded->model, loaded->tower.get(),
      [&](const ParamSpec& spec) { return PeftModulePath(files_, spec); }, WholeParams());
  ASSERT_TRUE(chosen.ok()) << chosen.message();
  ASSERT_EQ(set.params().size(), 2u);
  EXPECT_EQ(set.params()[0].shape, (std::vector<int64_t>{2, 24}));
  EXPECT_EQ(set.params()[1].shape, (std::vector<int64_t>{72, 2}));
  ASSERT_TRUE(set.Attach(*kernels_, pool_, 1).ok());
  std::vector<const LoraTerm*> terms;
  for (const ParamSpec& spec : loaded->tower->Params()) {
    if (spec.layer != nullptr && spec.matrix != nullptr && spec.layer->lora != nullptr) {
      terms.push_back(&spec.layer->lora->terms[0]);
    }
  }
  ASSERT_EQ(terms.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(terms[i]->a.view.data, terms[0]->a.view.data);
    EXPECT_EQ(reinterpret_cast<const float*>(terms[i]->b.view.data),
              set.params()[1].value + 24 * 2 * i);
    EXPECT_EQ(terms[i]->b.grad, set.params()[1].grad + 24 * 2 * i);
  }
}

TEST_F(Qwen2_5VLTrain, PositionsRestartWithEachExample) {
  const auto images = TrainImages::Create(files_, TrainOptions());
  ASSERT_TRUE(images.ok()) << images.status().message();
  const std::vector<PreparedImage> views = {View(*images, 40, 24), View(*images, 16, 32)};
  ASSERT_EQ(views[0].token_grid.height, 3);
  ASSERT_EQ(views[0].token_grid.width, 5);
  FlatBatch batch;
  Add(Chat(views, 10), views, &batch);
  Add(Chat({}, 10), {}, &batch);
  Add(Chat({views[1]}, 10), {views[1]}, &batch);
  ASSERT_TRUE(batch.rotated);
  const auto expect = [&](int64_t row, int32_t time, int32_t y, int32_t x) {
    const auto at = static_cast<size_t>(row);
    EXPECT_EQ(batch.positions[at], time) << row;
    EXPECT_EQ(batch.row_positions[at], y) << row;
    EXPECT_EQ(batch.column_positions[at], x) << row;
  };
  expect(2, 2, 2, 2);
  expect(3, 3, 3, 3);      // the first token of 3 x 5
  expect(17, 3, 5, 7);     // the last
  expect(18, 8, 8, 8);     // text goes on at the larger side
  expect(22, 12, 12, 12);  // 4 x 2
  expect(29, 12, 15, 13);
  expect(30, 16, 16, 16);
  const int64_t second = batch.spans[1].begin, third = batch.spans[2].begin;
  expect(second, 0, 0, 0);
  expect(second + 2, 2, 2, 2);
  expect(third, 0, 0, 0);
  expect(third + 3, 3, 3, 3);
  expect(third + 10, 3, 6, 4);
  // Without images nothing is said beside the plain positions.
  FlatBatch text;
  text.Add(Chat({}, 10));
  EXPECT_TRUE(text.batch().row_positions.empty());
}

// The plan bounds what a step takes (the arena would throw), and examples of a pass do not see each
// other.
TEST_F(Qwen2_5VLTrain, PlanHoldsAStepAndExamplesStayApart) {
  auto loaded = Open(WeightUse::kTrained);
  ASSERT_TRUE(loaded.ok()) << loaded.status().message();
  const auto images = TrainImages::Create(files_, TrainOptions());
  ASSERT_TRUE(images.ok());
  const std::vector<std::vector<PreparedImage>> examples = {
      {View(*images, 40, 23)},
      {},
      {View(*images, 9, 70), View(*images, 32, 31)},
      {View(*images, 16, 16)}};
  for (const bool recompute : {false, true}) {
    double apart = 0, norm_apart = 0;
    for (const bool together : {false, true}) {
      std::vector<FlatBatch> batches(together ? 1 : examples.size());
      for (size_t i = 0; i < examples.size(); ++i) {
        Add(Chat(examples[i], 10 + static_cast<int32_t>(i)), examples[i],
            &batches[together ? 0 : i]);
      }
      double loss = 0;
      for (const FlatBatch& batch : batches) {
        StepShape shape;
        shape.tokens = static_cast<int64_t>(batch.tokens.size());
        shape.labels = static_cast<int64_t>(batch.targets.size());
        shape.sequences = static_cast<int64_t>(batch.spans.size());
        shape.views = static_cast<int64_t>(batch.views.size());
        for (const PreparedImage& view : batch.views) shape.patches += view.grid.patches();
        shape.recompute = recompute;
        const int64_t plan =
            Together(TrainArena(loaded->model->config(), *kernels_, pool_.size(), shape),
                     TowerTrainArena(files_.vision, *kernels_, pool_.size(), shape))
                .total();
        StepRunnerOptions options = Runner(*loaded);
        options.recompute = recompute;
        options.compute = Compute::kFp32;
        auto runner = StepRunner::Create(*loaded->model, options, plan);
        ASSERT_TRUE(runner.ok());
        loss += runner->Loss(batch, 1.0, true);
        EXPECT_LE(runner->arena_high_water(), plan);
      }
      double norm = 0;
      for (const ParamSpec& spec : loaded->tower->Params()) {
        float* grad = spec.is_vector() ? spec.vector->grad : spec.matrix->grad;
        const int64_t n = spec.rows * std::max<int64_t>(spec.cols, 1);
        if (grad == nullptr) continue;
        for (int64_t i = 0; i < n; ++i) norm += static_cast<double>(grad[i]) * grad[i];
        std::fill(grad, grad + n, 0.0f);
      }
      EXPECT_GT(norm, 0.0);
      if (together) {
        EXPECT_NEAR(loss, apart, 1e-6 * apart);
        EXPECT_NEAR(norm, norm_apart, 1e-4 * norm_apart);
      }
      apart = loss;
      norm_apart = norm;
    }
  }
}

// Vectors of a frozen tower are those of the tower, whatever other images there are.
TEST_F(Qwen2_5VLTrain, FrozenVectorsAreTheTowers) {
  auto loaded = Open(WeightUse::kInference);
  ASSERT_TRUE(loaded.ok()) << loaded.status().message();
  auto images = TrainImages::Create(files_, TrainOptions());
  ASSERT_TRUE(images.ok());
  std::vector<std::string> paths;
  for (const auto& [width, height] : {std::pair{40, 23}, {40, 24}, {9, 70}, {32, 31}}) {
    paths.push_back(Write(width, height));
    images->Remember(paths.back(), *images->Read(paths.back()));
  }
  EXPECT_EQ(images->most_tokens(), 16);
  FrozenImagesSetup setup;
  setup.files = &files_;
  setup.images = &*images;
  setup.path = folder_ + "/vectors.bin";
  setup.available = int64_t{1} << 30;
  setup.kernels = kernels_;
  setup.pool = &pool_;
  const auto made = FrozenImages::Make(setup);
  ASSERT_TRUE(made.ok()) << made.status().message();
  auto arena = Arena::Create(int64_t{64} << 20);
  TrainPass pass;
  pass.kernels = kernels_;
  pass.pool = &pool_;
  for (const std::string& path : paths) {
    const PreparedImage view = (*images->Read(path))[0];
    ExecContext ctx = NewPass(pass, &*arena);
    ImageBatch batch;
    batch.patches = arena->NewTensor({view.grid.patches(), files_.vision.patch_values()});
    images->processor().FillPatches(view, batch.patches.f32());
    batch.grids = {&view.grid, 1};
    const Tensor want = loaded->tower->Forward(ctx, batch);
    std::vector<float> got(static_cast<size_t>(view.tokens * made->cols()));
    ASSERT_EQ(want.rows(), view.tokens);
    ASSERT_TRUE(made->Read(path, 0, got.data()).ok());
    EXPECT_EQ(std::memcmp(got.data(), want.data, got.size() * sizeof(float)), 0) << path;
  }
}

TEST_F(Qwen2_5VLTrain, SizesOfImages) {
  TrainOptions options;
  options.max_pixels = 512;
  const auto small = TrainImages::Create(files_, options);
  ASSERT_TRUE(small.ok());
  EXPECT_LE(View(*small, 64, 64).tokens, 8);
  options.min_pixels = 1000;
  EXPECT_EQ(TrainImages::Create(files_, options).status().code(), StatusCode::kInvalidArgument);
  options = TrainOptions();
  options.image_fit = "strip";
  EXPECT_FALSE(TrainImages::CheckOptions(files_, options).ok());
  // Made data leaves room for an answer, and keeps to the limits.
  options = TrainOptions();
  options.max_seq_length = 24;
  auto made = MadeData::Create(files_, options, true);
  ASSERT_TRUE(made.ok()) << made.status().message();
  EXPECT_EQ(made->image_tokens(), 16);
  options.image_tokens = 4;
  options.max_seq_length = 100;
  made = MadeData::Create(files_, options, true);
  ASSERT_TRUE(made.ok()) << made.status().message();
  EXPECT_EQ(made->image_tokens(), 4);
  EXPECT_TRUE(made->Batch(0).rotated);
}

}  // namespace
}  // namespace galen

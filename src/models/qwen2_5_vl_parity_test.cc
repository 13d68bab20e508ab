// A tiny Qwen2.5-VL against transformers: sizes, pixels, tower, three positions, decoder,
// gradients. Fixtures: tests/parity/models/make_qwen2_5_vl.py.
#include <functional>
#include <set>

#include "formats/hf_config.h"
#include "models/architecture.h"
#include "models/golden_inputs.h"
#include "models/parity_bounds_test.h"
#include "models/qwen2_5_vl/image_grid.h"
#include "models/tiny_models_test.h"
#include "ops/ops.h"
#include "ops/tape.h"

namespace galen {
namespace {

constexpr int32_t kImageToken = 90;
constexpr int kQwenTowerRoundings = 5 * kLayerRoundings;

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

  Result<TinyModel> Open(const std::string& path, WeightUse use, const KernelTable& kernels) {
    OpenModelOptions options;
    options.use = use;
    options.kernels = &kernels;
    options.pool = &pool_;
    options.images = true;
    TinyModel tiny;
    ASSIGN_OR_RETURN(static_cast<LoadedModel&>(tiny), OpenModel(path, options));
    tiny.specs = tiny.model->Params();
    return tiny;
  }

  // The images of a file's sequences in their order; the pixels are in expected.safetensors.
  std::vector<PreparedImage> Images(const TinyModel& tiny, const Checkpoint& file) {
    std::vector<PreparedImage> images;
    for (const int32_t i : ReadInts(file, "image_order")) {
      auto image = GoldenImage(*expected_, i, *tiny.files.image_processor);
      GALEN_CHECK(image.ok());
      images.push_back(*std::move(image));
    }
    return images;
  }
  Tensor Encode(ExecContext& ctx, const TinyModel& tiny, std::span<const PreparedImage> images) {
    return EncodeImages(ctx, *tiny.tower, *tiny.files.image_processor, images);
  }
  GoldenInputs Inputs(const Checkpoint& file) {
    auto inputs = GoldenInputs::Read(file, kImageToken, false);
    GALEN_CHECK(inputs.ok());
    return *std::move(inputs);
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

  void ExpectNear(const Tensor& x, const Checkpoint& file, const std::string& name, int roundings) {
    const std::vector<float> wanted = ReadFloats(file, name);
    ASSERT_EQ(static_cast<int64_t>(wanted.size()), x.num_elements()) << name;
    const Distance d = Compare({x.f32(), wanted.size()}, wanted);
    EXPECT_LE(d.largest, d.rms * Bound(roundings)) << name;
  }

  const std::string folder_ = TinyFolder("qwen2_5_vl");
  std::shared_ptr<const Checkpoint> expected_;
  ThreadPool pool_{2};
  Arena arena_;
};

TEST_F(Qwen2_5VLParity, PatchesAreThePixelValuesToTheBit) {
  auto tiny = Open(folder_, WeightUse::kMapped, KernelsFor(Isa::kRef));
  ASSERT_TRUE(tiny.ok()) << tiny.status().message();
  const std::vector<int32_t> grids = ReadInts(*expected_, "grids");
  const std::vector<float> wanted = ReadFloats(*expected_, "pixel_values");
  const std::vector<PreparedImage> images = Images(*tiny, *expected_);
  ASSERT_EQ(grids.size(), 3 * images.size());
  size_t at = 0;
  for (size_t i = 0; i < images.size(); ++i) {
    const ImageGrid& grid = images[i].grid;
    EXPECT_EQ(grid.height, grids[3 * i + 1]);
    EXPECT_EQ(grid.width, grids[3 * i + 2]);
    const auto values = static_cast<size_t>(tiny->files.vision.patch_values());
    std::vector<float> patches(static_cast<size_t>(grid.patches()) * values);
    tiny->files.image_processor->FillPatches(images[i], patches.data());
    // The reference repeats each channel for two frames.
    const size_t plane = values / 3;
    for (size_t row = 0; row < static_cast<size_t>(grid.patches()); ++row) {
      for (size_t j = 0; j < 6 * plane; ++j, ++at) {
        ASSERT_EQ(wanted.at(at), patches[row * values + j / (2 * plane) * plane + j % plane])
            << i << " " << row << " " << j;
      }
    }
  }
  EXPECT_EQ(at, wanted.size());
}

TEST_F(Qwen2_5VLParity, EveryLayer) {
  for (const Isa isa : SupportedIsas()) {
    for (const WeightUse use : {WeightUse::kInference, WeightUse::kMapped, WeightUse::kTrained}) {
      SCOPED_TRACE(std::string(IsaName(isa)) + ", use " + std::to_string(static_cast<int>(use)));
      auto tiny = Open(folder_, use, KernelsFor(isa));
      ASSERT_TRUE(tiny.ok()) << tiny.status().message();
      std::set<std::string> seen;
      int depth = 1;
      const std::function<void(std::string_view, const Tensor&)> observer =
          [&](std::string_view name, const Tensor& x) {
            if (!expected_->Has(name)) return;
            ExpectNear(x, *expected_, std::string(name), depth);
            depth += kLayerRoundings;
            seen.insert(std::string(name));
          };
      ExecContext ctx = Context(KernelsFor(isa));
      ctx.observer = &observer;
      GoldenInputs inputs = Inputs(*expected_);
      const Batch batch = inputs.batch(Encode(ctx, *tiny, Images(*tiny, *expected_)));
      ASSERT_TRUE(CheckBatch(tiny->model->config(), batch).ok());
      ExpectNear(tiny->model->Forward(ctx, batch), *expected_, "logits", depth);
      EXPECT_EQ(seen.size(), 4u + 1 + 3 + 1);  // blocks, merged tokens, layers, norm
    }
  }
}

TEST_F(Qwen2_5VLParity, LossAndGradients) {
  for (const Isa isa : SupportedIsas()) {
    SCOPED_TRACE(IsaName(isa));
    auto tiny = Open(folder_, WeightUse::kTrained, KernelsFor(isa));
    ASSERT_TRUE(tiny.ok()) << tiny.status().message();
    ExecContext ctx = Context(KernelsFor(isa));
    Tape tape;
    ctx.tape = &tape;
    GoldenInputs inputs = Inputs(*expected_);
    const Batch batch = inputs.batch(Encode(ctx, *tiny, Images(*tiny, *expected_)));
    const Tensor logits = tiny->model->Forward(ctx, batch);
    std::vector<int32_t> targets = TinyBatch(*expected_).targets();
    for (int32_t& target : targets) target = target == kImageToken ? -100 : target;
    const Tensor loss = CrossEntropy(ctx, logits, targets);
    const int depth = kQwenTowerRoundings + kLayerRoundings * 6;
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

// Files of llama.cpp's converter; the projector file is found beside the text part.
TEST_F(Qwen2_5VLParity, Gguf) {
  const auto gguf = OpenCheckpoint(folder_ + "/expected_gguf.safetensors");
  ASSERT_TRUE(gguf.ok());
  for (const Isa isa : SupportedIsas()) {
    SCOPED_TRACE(IsaName(isa));
    auto tiny = Open(folder_ + "/text.gguf", WeightUse::kInference, KernelsFor(isa));
    ASSERT_TRUE(tiny.ok()) << tiny.status().message();
    ExecContext ctx = Context(KernelsFor(isa));
    const Tensor rows = Encode(ctx, *tiny, Images(*tiny, **gguf));
    ExpectNear(rows, **gguf, "vision.projected", kQwenTowerRoundings);
    GoldenInputs inputs = Inputs(**gguf);
    ExpectNear(tiny->model->Forward(ctx, inputs.batch(rows)), **gguf, "logits",
               kQwenTowerRoundings + kLayerRoundings * 6);
  }
}

// Forward stays inside what ArenaBytes says, whatever the shapes.
TEST_F(Qwen2_5VLParity, ArenaBytesSuffice) {
  for (const Isa isa : SupportedIsas()) {
    SCOPED_TRACE(IsaName(isa));
    auto tiny = Open(folder_, WeightUse::kInference, KernelsFor(isa));
    ASSERT_TRUE(tiny.ok()) << tiny.status().message();
    for (const auto& [width, height] :
         {std::pair<int64_t, int64_t>(8, 8), {400, 8}, {8, 400}, {96, 104}, {312, 240}}) {
      Image picture{width, height, 3, {}};
      picture.pixels.assign(static_cast<size_t>(width * height * 3), 100);
      ImageOptions options;
      options.min_pixels = 1;
      options.max_pixels = 1 << 20;
      auto views = tiny->files.image_processor->Prepare(picture, options);
      ASSERT_TRUE(views.ok()) << views.status().message();
      const int64_t patches = (*views)[0].grid.patches();
      for (const Compute compute : {Compute::kFp32, Compute::kBf16, Compute::kInt8}) {
        const int64_t bytes = tiny->tower->ArenaBytes(KernelsFor(isa), pool_.size(), patches);
        auto arena = Arena::Create(bytes);
        ASSERT_TRUE(arena.ok());
        ExecContext ctx = Context(KernelsFor(isa));
        ctx.arena = &*arena;
        ctx.compute = compute;
        Encode(ctx, *tiny, *views);
        EXPECT_LE(arena->high_water(), bytes);
      }
    }
  }
}

TEST_F(Qwen2_5VLParity, WhatItCannotTakeIsRefused) {
  auto tiny = Open(folder_, WeightUse::kMapped, KernelsFor(Isa::kRef));
  ASSERT_TRUE(tiny.ok()) << tiny.status().message();
  const ImageProcessor& processor = *tiny->files.image_processor;
  const auto refusal = [&](int64_t width, int64_t height, const ImageOptions& options) {
    Image picture{width, height, 3, {}};
    picture.pixels.resize(static_cast<size_t>(width * height * 3));
    const auto views = processor.Prepare(picture, options);
    return views.ok() ? std::string() : views.status().message();
  };
  EXPECT_EQ(refusal(20, 20, {}), "");
  EXPECT_NE(refusal(2010, 10, {}).find("200 times"), std::string::npos);
  ImageOptions options;
  options.pan_and_scan = true;
  EXPECT_NE(refusal(20, 20, options).find("pan-and-scan"), std::string::npos);
  options = {};
  options.min_pixels = 2000;  // the file's limit is 1600
  EXPECT_NE(refusal(20, 20, options).find("at least 2000 pixels and at most 1600"),
            std::string::npos);
  // A projector file of another family, and a text model without three positions.
  for (const auto& [model, mmproj] : {std::pair<std::string, std::string>(
                                          "qwen2_5_vl/text.gguf", "gemma3-vision/mmproj-f16.gguf"),
                                      {"qwen2-full/f32.gguf", "qwen2_5_vl/mmproj.gguf"},
                                      {"gemma3-vision/q8_0.gguf", "qwen2_5_vl/mmproj.gguf"}}) {
    ReadModelOptions read;
    read.mmproj = TinyFolder(mmproj);
    const auto files = ReadModel(TinyFolder(model), read);
    EXPECT_EQ(files.status().code(), StatusCode::kInvalidArgument) << files.status().message();
    EXPECT_NE(files.status().message().find("belongs to another model"), std::string::npos)
        << files.status().message();
  }
}

// config.json of Qwen2.5-VL-7B-Instruct as published (transformers 4: no text_config).
TEST(Qwen2_5VLConfig, ThePublishedFile) {
  const std::string text = R"({"model_type": "qwen2_5_vl", "eos_token_id": 151645,
      "hidden_act": "silu", "hidden_size": 3584, "intermediate_size": 18944,
      "max_position_embeddings": 128000, "max_window_layers": 28, "num_attention_heads": 28,
      "num_hidden_layers": 28, "num_key_value_heads": 4, "rms_norm_eps": 1e-06,
      "rope_theta": 1000000.0, "rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]},
      "sliding_window": 32768, "use_sliding_window": false, "tie_word_embeddings": false,
      "vocab_size": 152064, "vision_config": {"depth": 32, "hidden_act": "silu",
      "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16, "in_chans": 3,
      "out_hidden_size": 3584, "patch_size": 14, "spatial_merge_size": 2,
      "spatial_patch_size": 14, "window_size": 112, "fullatt_block_indexes": [7, 15, 23, 31],
      "tokens_per_second": 2, "temporal_patch_size": 2}})";
  const auto file = HfConfig::Parse(text, "", "config.json");
  ASSERT_TRUE(file.ok()) << file.status().message();
  const auto family = ArchitectureFromHf(file->model_type());
  ASSERT_TRUE(family.ok());
  const auto config = (*family)->config_from_hf(*file);
  ASSERT_TRUE(config.ok()) << config.status().message();
  EXPECT_TRUE(ValidateConfig(*config, "config.json").ok());
  EXPECT_EQ(config->mrope_section, (std::vector<int64_t>{16, 24, 24}));
  EXPECT_EQ(config->rope.theta, 1e6);
  const auto vision = (*family)->vision->config_from_hf(*file, "", *config);
  ASSERT_TRUE(vision.ok()) << vision.status().message();
  EXPECT_TRUE(ValidateVisionConfig(*vision, "config.json").ok());
  EXPECT_EQ(vision->num_parameters() / 1000000, 676);
  std::vector<int64_t> full;
  for (int64_t i = 0; i < 32; ++i) {
    if (vision->layer_is_windowed[static_cast<size_t>(i)] == 0) full.push_back(i);
  }
  EXPECT_EQ(full, (std::vector<int64_t>{7, 15, 23, 31}));
  EXPECT_EQ(vision->max_pixels, 1003520);
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

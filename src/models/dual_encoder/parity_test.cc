// Tiny SigLIP and CLIP checkpoints against transformers in fp32: every activation, features, logits
// and gradients. Fixtures: tests/parity/dual_encoders/make_dual_encoders.py.
#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>

#include "models/dual_encoder/dual_encoder_test_util.h"
#include "ops/ops.h"
#include "ops/tape.h"

namespace galen {
namespace {

// As in models/parity_test.cc: 4 half ulps for one product, twice, 4 standard deviations, and
// errors that add as their squares over `roundings` operations in sequence. Products have K <= 147.
float EncoderBound(int roundings) {
  return 2 * 4 * std::sqrt(147.0f / 6) * 0x1p-24f * std::sqrt(static_cast<float>(roundings));
}
constexpr int kEncoderRoundings = 18;

class DualEncoderTest : public testing::Test {
 protected:
  void SetUp() override {
    auto arena = Arena::Create(int64_t{256} << 20);
    ASSERT_TRUE(arena.ok());
    arena_ = std::move(*arena);
  }

  // `folder` may differ from the fixture whose expectations it must meet.
  Result<LoadedDualEncoder> Open(const std::string& folder, WeightUse use,
                                 const KernelTable& kernels, Compute compute = Compute::kFp32) {
    OpenDualEncoderOptions options;
    options.use = use;
    options.compute = compute;
    ASSIGN_OR_RETURN(const DualEncoderFiles files, ReadDualEncoder(folder));
    options.vision = files.config.vision.has_value();
    options.text = files.config.text.has_value();
    return OpenDualEncoder(folder, options, kernels, pool_);
  }

  ExecContext Context(const KernelTable& kernels) {
    ExecContext ctx;
    ctx.kernels = &kernels;
    ctx.pool = &pool_;
    ctx.arena = &arena_;
    ctx.compute = Compute::kFp32;
    return ctx;
  }

  Tensor Patches(const DualEncoder& model, const Checkpoint& expected) {
    const VisionEncoderConfig& vision = *model.config().vision;
    const std::vector<float> pixels = ReadFloats(expected, "pixels");
    const int64_t image = 3 * vision.image_size * vision.image_size;
    const int64_t n = static_cast<int64_t>(pixels.size()) / image;
    const Tensor patches = arena_.NewTensor({n * vision.patches(), vision.patch_values()});
    for (int64_t i = 0; i < n; ++i) {
      UnfoldPatches(pixels.data() + i * image, 3, vision.image_size, vision.image_size,
                    vision.patch_size, patches.row(i * vision.patches()));
    }
    return patches;
  }

  // The logits that expected.safetensors holds: the head's, or those of all images and texts.
  Tensor Logits(ExecContext& ctx, const DualEncoder& model, const Checkpoint& expected) {
    const Tensor patches = Patches(model, expected);
    const int64_t n = patches.rows() / model.config().vision->patches();
    if (model.config().classifier) return model.ClassifyImages(ctx, patches, n);
    const Tensor images = model.EmbedImages(ctx, patches, n);
    std::vector<int32_t> bounds = {0};
    for (const int32_t length : ReadInts(expected, "lengths")) {
      bounds.push_back(bounds.back() + length);
    }
    const Tensor texts = model.EmbedTexts(ctx, ReadInts(expected, "ids"), bounds);
    return model.ImageTextLogits(ctx, images, texts);
  }

  ThreadPool pool_{2};
  Arena arena_;
};

class DualEncoderParity : public DualEncoderTest,
                          public testing::WithParamInterface<std::string> {};

TEST_P(DualEncoderParity, EveryLayer) {
  const std::string folder = Fixture("tiny/" + GetParam());
  const auto expected = OpenCheckpoint(folder + "/expected.safetensors");
  ASSERT_TRUE(expected.ok()) << expected.status().message();
  for (const Isa isa : SupportedIsas()) {
    for (const WeightUse use : {WeightUse::kInference, WeightUse::kMapped, WeightUse::kTrained}) {
      SCOPED_TRACE(std::string(IsaName(isa)) + ", use " + std::to_string(static_cast<int>(use)));
      auto loaded = Open(folder, use, KernelsFor(isa));
      ASSERT_TRUE(loaded.ok()) << loaded.status().message();
      int seen = 0;
      const std::function<void(std::string_view, const Tensor&)> observer =
          [&](std::string_view name, const Tensor& x) {
            if (name.ends_with("embeddings")) seen = 0;  // the next tower
            ASSERT_TRUE((*expected)->Has(name)) << name;
            const std::vector<float> wanted = ReadFloats(**expected, std::string(name));
            ASSERT_EQ(static_cast<int64_t>(wanted.size()), x.num_elements()) << name;
            const Distance d = Compare({x.f32(), wanted.size()}, wanted);
            EXPECT_LE(d.largest, d.rms * EncoderBound(2 + kEncoderRoundings * seen)) << name;
            ++seen;
          };
      ExecContext ctx = Context(KernelsFor(isa));
      ctx.observer = &observer;
      arena_.Rewind(0);
      const Tensor logits = Logits(ctx, *loaded->model, **expected);
      EXPECT_GE(seen, 4);
      const std::vector<float> wanted = ReadFloats(**expected, "logits");
      ASSERT_EQ(static_cast<int64_t>(wanted.size()), logits.num_elements());
      const Distance d = Compare({logits.f32(), wanted.size()}, wanted);
      // A cosine times exp(logit_scale) has the error of its factors, not of its own size.
      const float size =
          std::max(d.rms, loaded->model->config().similarity ? std::exp(1.5f) : 0.0f);
      EXPECT_LE(d.largest, size * EncoderBound(kEncoderRoundings * 5));
    }
  }
}

TEST_P(DualEncoderParity, Gradients) {
  const std::string folder = Fixture("tiny/" + GetParam());
  const auto expected = OpenCheckpoint(folder + "/expected.safetensors");
  ASSERT_TRUE(expected.ok()) << expected.status().message();
  for (const Isa isa : SupportedIsas()) {
    SCOPED_TRACE(IsaName(isa));
    auto loaded = Open(folder, WeightUse::kTrained, KernelsFor(isa));
    ASSERT_TRUE(loaded.ok()) << loaded.status().message();
    arena_.Rewind(0);
    Tape tape;
    ExecContext ctx = Context(KernelsFor(isa));
    ctx.tape = &tape;
    const Tensor logits = Logits(ctx, *loaded->model, **expected);
    std::vector<float> seed = ReadFloats(**expected, "seed");
    ASSERT_EQ(static_cast<int64_t>(seed.size()), logits.num_elements());
    GradMap grads(&arena_);
    grads.Set(logits, seed.data());
    ctx.tape = nullptr;
    tape.Run(ctx, grads);
    int compared = 0;
    for (const ParamGroup& group : loaded->model->Params()) {
      for (const ParamSpec& spec : group.specs) {
        std::string name;
        for (const std::string_view prefix : group.scope.hf_prefixes) {
          const std::string candidate = "grad." + std::string(prefix) + spec.name;
          if ((*expected)->Has(candidate)) name = candidate;
        }
        const float* grad = spec.is_vector() ? spec.vector->grad : spec.matrix->grad;
        ASSERT_NE(grad, nullptr) << spec.name;
        if (name.empty()) continue;  // the pooling head below a classifier has no part in it
        const std::vector<float> all = ReadFloats(**expected, name);
        const size_t size = all.size() / static_cast<size_t>(spec.hf_slices);
        const std::span<const float> wanted(all.data() + spec.hf_slice * size, size);
        const Distance d = Compare({grad, size}, wanted);
        // k's bias shifts all scores of a query alike: its gradient is zero but for rounding.
        const float rms = std::max(
            d.rms, spec.name.ends_with("k_proj.bias") || (spec.hf_slice == 1 && spec.is_vector())
                       ? 0.05f
                       : 0.0f);
        EXPECT_GT(rms, 0.0f) << spec.name;
        EXPECT_LE(d.largest, rms * EncoderBound(3 * kEncoderRoundings * 6)) << spec.name;
        ++compared;
      }
    }
    EXPECT_GT(compared, 30);
  }
}

INSTANTIATE_TEST_SUITE_P(Tiny, DualEncoderParity,
                         testing::Values("siglip", "siglip-classifier", "clip", "clip-eos",
                                         "clip-classifier"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

// The image tower alone, under the names of transformers 5 and 4, means the same.
TEST_F(DualEncoderTest, StandAloneTower) {
  const auto expected = OpenCheckpoint(Fixture("tiny/siglip/expected.safetensors"));
  ASSERT_TRUE(expected.ok());
  const std::vector<float> wanted = ReadFloats(**expected, "image_features");
  const KernelTable& kernels = KernelsFor(SupportedIsas().back());
  for (const char* name : {"tiny/siglip-vision", "tiny/siglip-vision-4x"}) {
    SCOPED_TRACE(name);
    auto loaded = Open(Fixture(name), WeightUse::kInference, kernels);
    ASSERT_TRUE(loaded.ok()) << loaded.status().message();
    ASSERT_TRUE(loaded->model->can_embed_images());
    arena_.Rewind(0);
    ExecContext ctx = Context(kernels);
    const Tensor x = loaded->model->EmbedImages(ctx, Patches(*loaded->model, **expected), 2);
    ASSERT_EQ(static_cast<int64_t>(wanted.size()), x.num_elements());
    const Distance d = Compare({x.f32(), wanted.size()}, wanted);
    EXPECT_LE(d.largest, d.rms * EncoderBound(kEncoderRoundings * 4));
  }
}

// An image alone and in a batch, a text alone and among others.
TEST_F(DualEncoderTest, BatchesDoNotMix) {
  for (const char* name : {"siglip", "clip"}) {
    const std::string folder = Fixture(std::string("tiny/") + name);
    const auto expected = OpenCheckpoint(folder + "/expected.safetensors");
    ASSERT_TRUE(expected.ok());
    const KernelTable& kernels = KernelsFor(SupportedIsas().back());
    auto loaded = Open(folder, WeightUse::kInference, kernels);
    ASSERT_TRUE(loaded.ok()) << loaded.status().message();
    const DualEncoder& model = *loaded->model;
    for (const Compute compute : {Compute::kFp32, Compute::kBf16}) {
      arena_.Rewind(0);
      ExecContext ctx = Context(kernels);
      ctx.compute = compute;
      ctx.batch_invariant = true;
      const Tensor patches = Patches(model, **expected);
      const int64_t rows = patches.rows() / 2;
      const Tensor both = model.EmbedImages(ctx, patches, 2);
      for (int64_t i = 0; i < 2; ++i) {
        const Tensor alone = model.EmbedImages(ctx, patches.Rows(i * rows, rows), 1);
        for (int64_t c = 0; c < both.cols(); ++c) ASSERT_EQ(alone.f32()[c], both.row(i)[c]);
      }
    }
  }
}

// A safetensors file of bf16 values as one of fp32. Features 3 and 17 of what the image tower's
// blocks normalise become `outlier` times as large, the columns that meet them as much smaller:
// the function of the tower stays about the same, as in trained towers that have such features.
std::string AsFp32(const std::string& file, float outlier) {
  uint64_t length;
  std::memcpy(&length, file.data(), sizeof(length));
  Json header = Json::parse(file.substr(8, length));
  std::string data = file.substr(8 + length), values(2 * data.size(), '\0');
  for (size_t i = 0; i < data.size(); i += 2) values.replace(2 * i + 2, 2, data, i, 2);
  auto* floats = reinterpret_cast<float*>(values.data());
  for (auto& [name, tensor] : header.items()) {
    if (name == "__metadata__") continue;
    tensor["dtype"] = "F32";
    for (Json& offset : tensor["data_offsets"]) offset = 2 * offset.get<int64_t>();
    const auto has = [&name](const char* part) { return name.find(part) != std::string::npos; };
    const bool norm = has("layer_norm") && has(".weight");
    const bool column =
        has("q_proj.weight") || has("k_proj.weight") || has("v_proj.weight") || has("fc1.weight");
    if (!has("vision_model.encoder.layers.") || !(norm || column)) continue;
    const int64_t cols = tensor["shape"].back();
    for (int64_t i = tensor["data_offsets"][0].get<int64_t>() / 4;
         i < tensor["data_offsets"][1].get<int64_t>() / 4; i += cols) {
      for (const int64_t feature : {3, 17}) {
        floats[i + feature] *= norm ? outlier : 1.0f / outlier;
      }
    }
  }
  const std::string text = header.dump();
  length = text.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof(length)) + text + values;
}

// A copy of a fixture with its weights as AsFp32 writes them.
std::string Fp32Copy(const std::string& name, float outlier) {
  namespace fs = std::filesystem;
  const std::string from = Fixture("tiny/" + name);
  const std::string to = OwnTempDir() + "/" + name + "-" + std::to_string(outlier);
  fs::create_directories(to);
  fs::copy_file(from + "/config.json", to + "/config.json", fs::copy_options::overwrite_existing);
  const auto file = ReadFile(from + "/model.safetensors");
  EXPECT_TRUE(file.ok());
  if (file.ok()) {
    std::ofstream(to + "/model.safetensors", std::ios::binary) << AsFp32(*file, outlier);
  }
  return to;
}

double LeastCosine(const Tensor& a, const Tensor& b) {
  double least = 1;
  for (int64_t i = 0; i < a.rows(); ++i) {
    double ab = 0, aa = 0, bb = 0;
    for (int64_t c = 0; c < a.cols(); ++c) {
      ab += double{a.row(i)[c]} * b.row(i)[c];
      aa += double{a.row(i)[c]} * a.row(i)[c];
      bb += double{b.row(i)[c]} * b.row(i)[c];
    }
    least = std::min(least, ab / std::sqrt(aa * bb));
  }
  return least;
}

// Embeddings in bf16 beside fp32, and in int8 beside bf16: as the weights are, and with outliers.
TEST_F(DualEncoderTest, RoundedModesAgree) {
  for (const char* name : {"siglip", "clip"}) {
    for (const float outlier : {1.0f, 50.0f}) {
      const std::string folder = Fp32Copy(name, outlier);
      const auto expected =
          OpenCheckpoint(Fixture(std::string("tiny/") + name) + "/expected.safetensors");
      ASSERT_TRUE(expected.ok());
      for (const Isa isa : SupportedIsas()) {
        SCOPED_TRACE(std::string(name) + " " + std::string(IsaName(isa)));
        const KernelTable& kernels = KernelsFor(isa);
        auto loaded = Open(folder, WeightUse::kInference, kernels, Compute::kInt8);
        ASSERT_TRUE(loaded.ok()) << loaded.status().message();
        const DualEncoder& model = *loaded->model;
        arena_.Rewind(0);
        ExecContext ctx = Context(kernels);
        const Tensor patches = Patches(model, **expected);
        const Tensor exact = model.EmbedImages(ctx, patches, 2);
        ctx.compute = Compute::kBf16;
        const Tensor bf16 = model.EmbedImages(ctx, patches, 2);
        ctx.compute = Compute::kInt8;
        const Tensor int8 = model.EmbedImages(ctx, patches, 2);
        EXPECT_GT(LeastCosine(bf16, exact), 0.999) << outlier;
        EXPECT_GT(LeastCosine(int8, bf16), 0.999) << outlier;
        EXPECT_NE(std::memcmp(int8.f32(), bf16.f32(), sizeof(float) * 8), 0);
      }
    }
  }
}

// Files of fp32 are kept as bf16 unless fp32 is computed: the same bits as from a file of bf16.
TEST_F(DualEncoderTest, Fp32FilesAreKeptAsBf16) {
  const std::string folder = Fixture("tiny/siglip-vision");
  const std::string copy = Fp32Copy("siglip-vision", 1.0f);
  const auto expected = OpenCheckpoint(Fixture("tiny/siglip/expected.safetensors"));
  ASSERT_TRUE(expected.ok());
  for (const Isa isa : SupportedIsas()) {
    SCOPED_TRACE(IsaName(isa));
    const KernelTable& kernels = KernelsFor(isa);
    arena_.Rewind(0);
    ExecContext ctx = Context(kernels);
    ctx.compute = Compute::kBf16;
    auto bf16 = Open(folder, WeightUse::kInference, kernels, Compute::kBf16);
    auto fp32 = Open(copy, WeightUse::kInference, kernels, Compute::kBf16);
    ASSERT_TRUE(bf16.ok() && fp32.ok()) << fp32.status().message();
    EXPECT_EQ(fp32->plan.matrix_bytes, bf16->plan.matrix_bytes);
    const Tensor want = bf16->model->EmbedImages(ctx, Patches(*bf16->model, **expected), 2);
    const Tensor got = fp32->model->EmbedImages(ctx, Patches(*fp32->model, **expected), 2);
    for (int64_t i = 0; i < want.num_elements(); ++i) ASSERT_EQ(got.f32()[i], want.f32()[i]);
  }
}

// The plan of memory holds for every mode.
TEST_F(DualEncoderTest, ArenaBytesIsABound) {
  for (const char* name : {"siglip", "siglip-classifier", "clip"}) {
    const std::string folder = Fixture(std::string("tiny/") + name);
    const auto expected = OpenCheckpoint(folder + "/expected.safetensors");
    ASSERT_TRUE(expected.ok());
    for (const Isa isa : SupportedIsas()) {
      auto loaded = Open(folder, WeightUse::kInference, KernelsFor(isa), Compute::kInt8);
      ASSERT_TRUE(loaded.ok());
      const DualEncoder& model = *loaded->model;
      for (const Compute compute : {Compute::kFp32, Compute::kBf16, Compute::kInt8}) {
        auto arena = Arena::Create(int64_t{256} << 20);
        ASSERT_TRUE(arena.ok());
        std::swap(arena_, *arena);
        ExecContext ctx = Context(KernelsFor(isa));
        ctx.compute = compute;
        const Tensor patches = Patches(model, **expected);
        if (model.config().classifier) {
          model.ClassifyImages(ctx, patches, 2);
        } else {
          model.EmbedImages(ctx, patches, 2);
        }
        EXPECT_LE(arena_.high_water(), model.ImageArenaBytes(KernelsFor(isa), pool_.size(), 2));
      }
    }
  }
}

}  // namespace
}  // namespace galen

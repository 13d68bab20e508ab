// Adapters that PEFT trained on the tiny checkpoints, against PEFT's own answers, and what is
// refused. Fixtures: tests/parity/adapters/make_adapters.py.
#include "models/adapters.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <set>

#include "base/json.h"
#include "models/golden_inputs.h"
#include "models/merge_adapter.h"
#include "models/parity_bounds_test.h"
#include "models/tiny_models_test.h"
#include "nn/layers.h"

namespace galen {
namespace {

std::string AdapterFolder(const std::string& name) {
  return std::string(GALEN_SOURCE_DIR) + "/tests/parity/adapters/tiny/" + name;
}

class AdapterTest : public testing::Test {
 protected:
  void SetUp() override {
    auto arena = Arena::Create(int64_t{512} << 20);
    ASSERT_TRUE(arena.ok());
    arena_ = std::move(*arena);
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

  Result<TinyModel> Open(const std::string& base, const KernelTable& kernels, bool images = false,
                         WeightUse use = WeightUse::kInference) {
    OpenModelOptions options;
    options.use = use;
    options.kernels = &kernels;
    options.pool = &pool_;
    options.images = images;
    TinyModel tiny;
    ASSIGN_OR_RETURN(static_cast<LoadedModel&>(tiny), OpenModel(TinyFolder(base), options));
    return tiny;
  }

  Status Attach(TinyModel& tiny, const std::string& path, const KernelTable& kernels,
                ModelAdapters* adapters, double scale = 1.0, bool allow_unmatched = false) {
    ASSIGN_OR_RETURN(const AdapterFile file, OpenAdapter(path));
    return adapters->Attach(tiny, file, {scale, allow_unmatched}, kernels, pool_);
  }

  std::vector<float> Logits(const TinyModel& tiny, const KernelTable& kernels,
                            const Checkpoint& expected) {
    const TinyBatch inputs(expected);
    ExecContext ctx = Context(kernels);
    const Tensor logits = tiny.model->Forward(ctx, inputs.batch());
    return {logits.f32(), logits.f32() + logits.num_elements()};
  }

  static void ExpectNear(std::span<const float> x, const Checkpoint& expected,
                         const std::string& name, int roundings) {
    const std::vector<float> wanted = ReadFloats(expected, name);
    ASSERT_EQ(wanted.size(), x.size()) << name;
    const Distance d = Compare(x, wanted);
    EXPECT_LE(d.largest, d.rms * Bound(roundings)) << name;
  }

  // A copy of an adapter, to be damaged.
  static std::string Copy(const std::string& name, const std::string& copy) {
    const std::string to = OwnTempDir() + "/" + copy;
    std::filesystem::remove_all(to);
    std::filesystem::copy(AdapterFolder(name), to);
    return to;
  }
  static void SetConfig(const std::string& folder, const std::string& key, const Json& value) {
    const std::string path = folder + "/adapter_config.json";
    Json json = *ParseJson(*ReadFile(path));
    json[key] = value;
    std::ofstream(path) << json.dump();
  }

  ThreadPool pool_{2};
  Arena arena_;
};

struct Case {
  const char* adapter;
  const char* base;
};

class AdapterParity : public AdapterTest, public testing::WithParamInterface<Case> {};

TEST_P(AdapterParity, LogitsArePefts) {
  const auto expected = OpenCheckpoint(AdapterFolder(GetParam().adapter) + "/expected.safetensors");
  ASSERT_TRUE(expected.ok()) << expected.status().message();
  for (const Isa isa : SupportedIsas()) {
    SCOPED_TRACE(IsaName(isa));
    const KernelTable& kernels = KernelsFor(isa);
    auto tiny = Open(GetParam().base, kernels);
    ASSERT_TRUE(tiny.ok()) << tiny.status().message();
    const int roundings =
        kLayerRoundings * (2 + static_cast<int>(tiny->model->config().num_hidden_layers));
    ExpectNear(Logits(*tiny, kernels, **expected), **expected, "base", roundings);
    ModelAdapters adapters;
    const Status status = Attach(*tiny, AdapterFolder(GetParam().adapter), kernels, &adapters);
    ASSERT_TRUE(status.ok()) << status.message();
    EXPECT_FALSE(adapters.adapters()[0].changes_nothing);
    // DoRA's quotient and the sums of the low-rank products come on top.
    ExpectNear(Logits(*tiny, kernels, **expected), **expected, "logits", 2 * roundings);
  }
}
INSTANTIATE_TEST_SUITE_P(
    Tiny, AdapterParity,
    testing::Values(Case{"gemma3-all", "gemma3"}, Case{"gemma3-dora", "gemma3"},
                    Case{"gemma3-google", "gemma3"}, Case{"gemma3-embed", "gemma3"},
                    Case{"gemma3-norms", "gemma3"}, Case{"gemma3-head", "gemma3"},
                    Case{"llama-pattern", "llama"}, Case{"llama-layers", "llama"},
                    Case{"llama-qk", "llama"}, Case{"llama-bias", "llama-bias"},
                    Case{"qwen2-dora-bias", "qwen2"}, Case{"qwen2-lorabias", "qwen2"},
                    Case{"gemma3-vision", "gemma3-vision"},
                    Case{"gemma3-vision-old-names", "gemma3-vision"},
                    Case{"qwen2_5_vl", "qwen2_5_vl"}),
    [](const auto& info) {
      std::string name = info.param.adapter;
      std::replace(name.begin(), name.end(), '-', '_');
      return name;
    });

TEST_F(AdapterTest, ImageTowersAreAdapted) {
  for (const Case& c :
       {Case{"gemma3-vision", "gemma3-vision"}, Case{"gemma3-vision-old-names", "gemma3-vision"},
        Case{"qwen2_5_vl", "qwen2_5_vl"}}) {
    SCOPED_TRACE(c.adapter);
    const auto expected = OpenCheckpoint(AdapterFolder(c.adapter) + "/expected.safetensors");
    const auto images = OpenCheckpoint(TinyFolder(c.base) + "/expected.safetensors");
    ASSERT_TRUE(expected.ok() && images.ok());
    for (const Isa isa : SupportedIsas()) {
      SCOPED_TRACE(IsaName(isa));
      const KernelTable& kernels = KernelsFor(isa);
      auto tiny = Open(c.base, kernels, true);
      ASSERT_TRUE(tiny.ok()) << tiny.status().message();
      const ImageProcessor& processor = *tiny->files.image_processor;
      const auto image =
          std::string_view(c.base) == "qwen2_5_vl"
              ? GoldenImage(**images, ReadInts(**images, "image_order")[0], processor)
              : GoldenImage(**images, 0, tiny->files.vision.image_size, tiny->files.vision,
                            processor);
      ASSERT_TRUE(image.ok()) << image.status().message();
      const auto encode = [&] {
        ExecContext ctx = Context(kernels);
        const Tensor y = EncodeImages(ctx, *tiny->tower, processor, std::span(&*image, 1));
        return std::vector<float>(y.f32(), y.f32() + y.num_elements());
      };
      ExpectNear(encode(), **expected, "base_image_features", 6 * kLayerRoundings);
      ModelAdapters adapters;
      const Status status = Attach(*tiny, AdapterFolder(c.adapter), kernels, &adapters);
      ASSERT_TRUE(status.ok()) << status.message();
      EXPECT_TRUE(adapters.adapters()[0].serves_all);
      ExpectNear(encode(), **expected, "image_features", 12 * kLayerRoundings);
    }
  }
}

TEST_F(AdapterTest, SeveralWithWeightsAreAsInPeft) {
  const auto expected = OpenCheckpoint(AdapterFolder("two") + "/expected.safetensors");
  ASSERT_TRUE(expected.ok());
  const KernelTable& kernels = KernelsFor(SupportedIsas().back());
  auto tiny = Open("gemma3", kernels);
  ASSERT_TRUE(tiny.ok());
  ModelAdapters adapters;
  ASSERT_TRUE(Attach(*tiny, AdapterFolder("gemma3-all"), kernels, &adapters).ok());
  ASSERT_TRUE(Attach(*tiny, AdapterFolder("gemma3-dora"), kernels, &adapters, 0.7).ok());
  ExpectNear(Logits(*tiny, kernels, **expected), **expected, "logits", 18 * kLayerRoundings);
}

TEST_F(AdapterTest, GgufAdaptersAreThoseOfPeft) {
  const KernelTable& kernels = KernelsFor(SupportedIsas().back());
  for (const auto& [gguf, peft, base] :
       {std::array{"gemma3-all.gguf", "gemma3-all", "gemma3"},
        std::array{"gemma3-all.gguf", "gemma3-all", "gemma3/f32.gguf"},
        std::array{"llama.gguf", "llama-qk", "llama"},
        std::array{"llama.gguf", "llama-qk", "llama/f32.gguf"}}) {
    SCOPED_TRACE(base);
    const auto expected = OpenCheckpoint(AdapterFolder(peft) + "/expected.safetensors");
    auto tiny = Open(base, kernels);
    ASSERT_TRUE(expected.ok() && tiny.ok());
    ModelAdapters adapters;
    const Status status = Attach(*tiny, AdapterFolder(gguf), kernels, &adapters);
    ASSERT_TRUE(status.ok()) << status.message();
    ExpectNear(Logits(*tiny, kernels, **expected), **expected, "logits", 18 * kLayerRoundings);
  }
}

// Each sequence with its own adapters has the bits that it has alone.
TEST_F(AdapterTest, SequencesOfOneBatchMayDiffer) {
  for (const Isa isa : SupportedIsas()) {
    SCOPED_TRACE(IsaName(isa));
    const KernelTable& kernels = KernelsFor(isa);
    auto tiny = Open("gemma3", kernels);
    ASSERT_TRUE(tiny.ok());
    ModelAdapters adapters;
    for (const char* name : {"gemma3-all", "gemma3-dora", "gemma3-google"}) {
      ASSERT_TRUE(Attach(*tiny, AdapterFolder(name), kernels, &adapters).ok());
    }
    const std::vector<int32_t> ids = {30, 41, 52, 63, 74};
    const std::vector<uint64_t> choices = {0b001, 0b000, 0b010, 0b100, 0b011, 0b001};
    const auto length = static_cast<int64_t>(ids.size());
    std::vector<int32_t> tokens, positions, rows;
    std::vector<SequenceSpan> spans;
    for (const uint64_t choice : choices) {
      const auto begin = static_cast<int64_t>(tokens.size());
      tokens.insert(tokens.end(), ids.begin(), ids.end());
      for (int32_t i = 0; i < length; ++i) positions.push_back(i);
      rows.push_back(static_cast<int32_t>(tokens.size()) - 1);
      spans.push_back({begin, begin + length, 0, nullptr, choice});
    }
    ExecContext ctx = Context(kernels);
    ctx.batch_invariant = ctx.invariant_head = true;
    Batch batch;
    batch.tokens = tokens;
    batch.positions = positions;
    batch.spans = spans;
    batch.logit_rows = rows;
    const Tensor together = tiny->model->Forward(ctx, batch);
    EXPECT_TRUE(ctx.adapter_runs.empty());
    std::set<std::vector<float>> different;
    for (size_t i = 0; i < choices.size(); ++i) {
      const SequenceSpan span{0, length, 0, nullptr, choices[i]};
      const std::vector<int32_t> last = {static_cast<int32_t>(length) - 1};
      Batch alone;
      alone.tokens = ids;
      alone.positions = std::span(positions).first(ids.size());
      alone.spans = {&span, 1};
      alone.logit_rows = last;
      const Tensor y = tiny->model->Forward(ctx, alone);
      const int64_t n = y.cols();
      const float* row = together.row(static_cast<int64_t>(i));
      EXPECT_EQ(std::vector<float>(y.f32(), y.f32() + n), std::vector<float>(row, row + n)) << i;
      different.emplace(row, row + n);
    }
    EXPECT_EQ(different.size(), 5u);  // the first and the last choice are the same
  }
}

// The bound that engines reserve holds.
TEST_F(AdapterTest, ArenaBytes) {
  const KernelTable& kernels = KernelsFor(SupportedIsas().back());
  for (const Case& c : {Case{"gemma3-google", "gemma3"}, Case{"gemma3-embed", "gemma3"},
                        Case{"qwen2-dora-bias", "qwen2"}, Case{"gemma3-head", "gemma3"}}) {
    SCOPED_TRACE(c.adapter);
    if (!FileExists(AdapterFolder(c.adapter))) continue;  // LogitsArePefts names it
    const auto expected = OpenCheckpoint(AdapterFolder(c.adapter) + "/expected.safetensors");
    auto tiny = Open(c.base, kernels);
    ASSERT_TRUE(expected.ok() && tiny.ok());
    ModelAdapters adapters;
    ASSERT_TRUE(Attach(*tiny, AdapterFolder(c.adapter), kernels, &adapters).ok());
    TinyBatch inputs(**expected);
    for (size_t i = 0; i < inputs.spans.size(); ++i) inputs.spans[i].adapters = i % 2;
    const auto rows = static_cast<int64_t>(inputs.tokens.size());
    const int64_t bytes =
        ForwardArenaBytes(tiny->model->config(), kernels, pool_.size(), rows, rows) +
        adapters.costs().ArenaBytes(kernels, pool_.size(), rows, rows);
    auto arena = Arena::Create(bytes);
    ASSERT_TRUE(arena.ok());
    ExecContext ctx = Context(kernels);
    ctx.arena = &*arena;
    EXPECT_NO_THROW(tiny->model->Forward(ctx, inputs.batch()));
  }
}

// A merged checkpoint answers as the adapter beside its base does.
TEST_F(AdapterTest, MergedWeightsAnswerAsTheAdapter) {
  const KernelTable& kernels = KernelsFor(SupportedIsas().back());
  for (const Case& c : {Case{"gemma3-all", "gemma3"}, Case{"gemma3-dora", "gemma3"},
                        Case{"gemma3-google", "gemma3"}, Case{"gemma3-embed", "gemma3"},
                        Case{"gemma3-norms", "gemma3"}, Case{"llama-bias", "llama-bias"},
                        Case{"qwen2_5_vl", "qwen2_5_vl"}}) {
    SCOPED_TRACE(c.adapter);
    if (!FileExists(AdapterFolder(c.adapter))) continue;  // LogitsArePefts names it
    const auto expected = OpenCheckpoint(AdapterFolder(c.adapter) + "/expected.safetensors");
    const auto file = OpenAdapter(AdapterFolder(c.adapter));
    ASSERT_TRUE(expected.ok() && file.ok());
    const std::string out = OwnTempDir() + "/merged-" + c.adapter;
    std::filesystem::remove_all(out);
    MergeOptions options;
    options.float32 = true;
    const auto report = MergeAdapter(TinyFolder(c.base), *file, options, out);
    ASSERT_TRUE(report.ok()) << report.status().message();
    EXPECT_GT(report->changed, 0);
    EXPECT_FALSE(MergeAdapter(TinyFolder(c.base), *file, options, out).ok());  // it exists
    auto tiny = OpenTiny(out, WeightUse::kInference, kernels, pool_);
    ASSERT_TRUE(tiny.ok()) << tiny.status().message();
    ExpectNear(Logits(*tiny, kernels, **expected), **expected, "logits", 18 * kLayerRoundings);
  }
  const auto gguf = OpenAdapter(AdapterFolder("gemma3-all"));
  EXPECT_FALSE(MergeAdapter(TinyFolder("gemma3/f32.gguf"), *gguf, {}, OwnTempDir() + "/x").ok());
  EXPECT_FALSE(std::filesystem::exists(OwnTempDir() + "/x"));
}

TEST_F(AdapterTest, DeltaNorms) {
  const auto file = OpenAdapter(AdapterFolder("gemma3-all"));
  ASSERT_TRUE(file.ok());
  const AdapterModule& m = file->modules[0];
  const auto values = [](const TensorInfo& t) {
    std::vector<float> v(static_cast<size_t>(t.NumElements()));
    FormatOf(t.dtype).decode(t.bytes.data(), v.data(), t.NumElements());
    return v;
  };
  const std::vector<float> a = values(*m.a), b = values(*m.b);
  const int64_t r = m.a->shape[0], in = m.a->shape[1], out = m.b->shape[0];
  double squares = 0;
  for (int64_t i = 0; i < out; ++i) {
    for (int64_t j = 0; j < in; ++j) {
      double sum = 0;
      for (int64_t q = 0; q < r; ++q) sum += double{b[i * r + q]} * a[q * in + j];
      squares += sum * sum;
    }
  }
  EXPECT_NEAR(DeltaNorm(m), 2.0 * std::sqrt(squares), 1e-9 * (1 + squares));
  EXPECT_GT(squares, 0);
}

// ---- What is refused

TEST_F(AdapterTest, AnotherModelIsRefusedByName) {
  const KernelTable& kernels = KernelsFor(Isa::kRef);
  auto tiny = Open("llama", kernels);
  ASSERT_TRUE(tiny.ok());
  ModelAdapters adapters;
  Status status = Attach(*tiny, AdapterFolder("gemma3-all"), kernels, &adapters);
  EXPECT_EQ(status.code(), StatusCode::kUnsupported);
  EXPECT_NE(status.message().find("layers.3.mlp.down_proj"), std::string::npos) << status.message();
  EXPECT_NE(status.message().find("nearest names are \"layers.0.mlp.down_proj.weight\""),
            std::string::npos)
      << status.message();
  EXPECT_TRUE(adapters.adapters().empty());
  EXPECT_EQ(tiny->model->output_head()->lora, nullptr);
  status = Attach(*tiny, AdapterFolder("gemma3-all"), kernels, &adapters, 1.0, true);
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(adapters.adapters()[0].skipped.size(), 4u * 7u);  // layers 3 to 6
  if (FileExists(AdapterFolder("gemma3-all.gguf"))) {
    status = Attach(*tiny, AdapterFolder("gemma3-all.gguf"), kernels, &adapters);
    EXPECT_NE(status.message().find("architecture \"gemma3\""), std::string::npos);
  }
}

TEST_F(AdapterTest, TwoReplacementsOfOneWeightAreRefused) {
  const KernelTable& kernels = KernelsFor(Isa::kRef);
  auto tiny = Open("gemma3", kernels);
  ASSERT_TRUE(tiny.ok());
  for (const char* name : {"gemma3-google", "gemma3-norms"}) {
    ModelAdapters adapters;
    ASSERT_TRUE(Attach(*tiny, AdapterFolder(name), kernels, &adapters).ok());
    const Status status = Attach(*tiny, AdapterFolder(name), kernels, &adapters);
    EXPECT_NE(status.message().find("both replace"), std::string::npos) << status.message();
  }
}

TEST_F(AdapterTest, ConfigurationsThatChangeTheResultAreRefused) {
  const std::string folder = Copy("gemma3-all", "config");
  const auto message = [&](const std::string& key, const Json& value) {
    const Json before = (*ParseJson(*ReadFile(folder + "/adapter_config.json")))[key];
    SetConfig(folder, key, value);
    const auto file = OpenAdapter(folder);
    SetConfig(folder, key, before);
    return file.ok() ? std::string() : file.status().message();
  };
  EXPECT_NE(message("use_qalora", true).find("\"use_qalora\""), std::string::npos);
  EXPECT_NE(message("megatron_config", {{"x", 1}}).find("\"megatron_config\""), std::string::npos);
  EXPECT_NE(message("target_parameters", {"a"}).find("\"target_parameters\""), std::string::npos);
  EXPECT_NE(message("layer_replication", {{0, 1}}).find("\"layer_replication\""),
            std::string::npos);
  EXPECT_NE(message("some_new_thing", 3).find("\"some_new_thing\""), std::string::npos);
  EXPECT_NE(message("peft_type", "IA3").find("IA3"), std::string::npos);
  EXPECT_NE(message("init_lora_weights", "pissa").find("pissa"), std::string::npos);
  EXPECT_NE(message("use_dora", true).find("lora_magnitude_vector"), std::string::npos);
  EXPECT_NE(message("r", 5).find("rank"), std::string::npos);
  EXPECT_NE(message("r", -1).find("\"r\""), std::string::npos);
  EXPECT_NE(message("rank_pattern", {{"(", 4}}).find("regular expression"), std::string::npos);
  EXPECT_EQ(message("lora_dropout", 0.5), "");
  EXPECT_EQ(message("loftq_config", Json::object()), "");
}

TEST_F(AdapterTest, DamagedFilesAreRefused) {
  std::string folder = Copy("gemma3-all", "missing");
  std::filesystem::remove(folder + "/adapter_model.safetensors");
  EXPECT_NE(OpenAdapter(folder).status().message().find("is missing"), std::string::npos);
  std::ofstream(folder + "/adapter_model.bin") << "pickle";
  EXPECT_NE(OpenAdapter(folder).status().message().find("safe_serialization"), std::string::npos);
  folder = Copy("gemma3-all", "cut");
  std::filesystem::resize_file(folder + "/adapter_model.safetensors", 2000);
  EXPECT_FALSE(OpenAdapter(folder).ok());
  folder = Copy("gemma3-all", "config_only");
  std::ofstream(folder + "/adapter_config.json") << "{";
  EXPECT_EQ(OpenAdapter(folder).status().code(), StatusCode::kDataLoss);
  EXPECT_EQ(OpenAdapter(OwnTempDir() + "/nowhere").status().code(), StatusCode::kNotFound);
  EXPECT_NE(OpenAdapter(TinyFolder("gemma3/f32.gguf")).status().message().find("is a model"),
            std::string::npos);
}

}  // namespace
}  // namespace galen

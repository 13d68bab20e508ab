// Loading, planning and refusing, on the tiny checkpoints.
#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/files.h"
#include "models/random_model.h"
#include "models/tiny_models_test.h"
#include "models/weight_fill.h"
#include "ops/ops.h"

namespace galen {
namespace {

const KernelTable& Best() { return KernelsFor(SupportedIsas().back()); }

class ModelsTest : public testing::Test {
 protected:
  ModelsTest() {
    ctx_.kernels = &Best();
    ctx_.pool = &pool_;
    ctx_.arena = &arena_;
    ctx_.compute = Compute::kFp32;
  }
  // A copy of a tiny checkpoint that a test may damage.
  std::string Copy(const std::string& name) {
    namespace fs = std::filesystem;
    const fs::path to =
        fs::path(OwnTempDir()) /
        (std::string("galen_") + testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(to);
    fs::copy(TinyFolder(name), to, fs::copy_options::recursive);
    return to.string();
  }
  static void Edit(const std::string& path, const std::string& from, const std::string& to) {
    std::string text = *ReadFile(path);
    const size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    text.replace(at, from.size(), to);
    std::ofstream(path, std::ios::binary) << text;
  }
  // The error of opening, which must exist and name the file.
  std::string Refused(const std::string& path) {
    const auto tiny = OpenTiny(path, WeightUse::kInference, Best(), pool_);
    if (tiny.ok()) {
      ADD_FAILURE() << path << " opens";
      return "";
    }
    return tiny.status().message();
  }

  ThreadPool pool_{2};
  Arena arena_ = *Arena::Create(int64_t{256} << 20);
  ExecContext ctx_;
};

#define EXPECT_SAYS(message, part) EXPECT_NE((message).find(part), std::string::npos) << (message)

TEST_F(ModelsTest, MissingTensorIsNamed) {
  const std::string folder = Copy("llama");
  Edit(folder + "/model.safetensors", "layers.1.mlp.up_proj", "layers.1.mlp.uq_proj");
  const std::string message = Refused(folder);
  EXPECT_SAYS(message, folder);
  EXPECT_SAYS(message, "model.layers.1.mlp.up_proj.weight");
  EXPECT_SAYS(message, "similar");
}

TEST_F(ModelsTest, MisshapedTensorIsNamed) {
  const std::string folder = Copy("llama");
  Edit(folder + "/config.json", "\"intermediate_size\": 48", "\"intermediate_size\": 64");
  const std::string message = Refused(folder);
  EXPECT_SAYS(message, "mlp.");
  EXPECT_SAYS(message, "[48, 32]");
  EXPECT_SAYS(message, "[64, 32]");
}

TEST_F(ModelsTest, TensorsOfAnotherArchitectureAreRefused) {
  const std::string folder = Copy("llama-bias");
  Edit(folder + "/config.json", "\"attention_bias\": true", "\"attention_bias\": false");
  EXPECT_SAYS(Refused(folder), "_proj.bias");
}

TEST_F(ModelsTest, TheImagePartIsFoundAndLoadedOnRequestOnly) {
  const auto tiny = OpenTiny(TinyFolder("gemma3-multimodal"), WeightUse::kMapped, Best(), pool_);
  ASSERT_TRUE(tiny.ok()) << tiny.status().message();
  EXPECT_TRUE(tiny->files.vision_status.ok()) << tiny->files.vision_status.message();
  EXPECT_EQ(tiny->files.vision.hidden_size, 16);
  EXPECT_EQ(tiny->files.vision.tokens_per_image, 4);
  EXPECT_EQ(tiny->tower, nullptr);
  EXPECT_TRUE(tiny->files.notes.empty()) << tiny->files.notes[0];
}

TEST_F(ModelsTest, HyperParametersAreChecked) {
  const struct {
    const char *from, *to, *says;
  } cases[] = {
      {"\"num_attention_heads\": 4", "\"num_attention_heads\": 0", "num_attention_heads"},
      {"\"num_attention_heads\": 4", "\"num_attention_heads\": 3",
       "multiple of num_key_value_heads"},
      {"\"num_key_value_heads\": 2", "\"num_key_value_heads\": 8", "num_key_value_heads"},
      {"\"head_dim\": 12", "\"head_dim\": 13", "even"},
      {"\"hidden_size\": 32", "\"hidden_size\": 9223372036854775807", "hidden_size"},
      {"\"vocab_size\": 96", "\"vocab_size\": -5", "vocab_size"},
      {"\"num_hidden_layers\": 3", "\"num_hidden_layers\": 1000000", "num_hidden_layers"},
      {"\"rms_norm_eps\": 1e-05", "\"rms_norm_eps\": 0.0", "rms_norm_eps"},
      {"\"rope_type\": \"llama3\"", "\"rope_type\": \"yarn\"", "yarn"},
      {"\"hidden_act\": \"silu\"", "\"hidden_act\": \"relu\"", "relu"},
      {"\"model_type\": \"llama\"", "\"model_type\": \"bert\"", "bert"},
      {"\"rope_theta\": 10000.0", "\"rope_theta\": 0.0", "rope_theta"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.to);
    const std::string folder = Copy("llama");
    Edit(folder + "/config.json", c.from, c.to);
    const std::string message = Refused(folder);
    EXPECT_SAYS(message, c.says);
    EXPECT_SAYS(message, folder);
  }
}

TEST_F(ModelsTest, EveryTruncationOfAGgufFileIsRefused) {
  const std::string whole = *ReadFile(TinyFolder("llama") + "/q8_0.gguf");
  const std::string path = OwnTempDir() + "/truncated.gguf";
  for (size_t size = 0; size < whole.size(); size += whole.size() / 61) {
    std::ofstream(path, std::ios::binary) << whole.substr(0, size);
    EXPECT_SAYS(Refused(path), path);
  }
}

// The layouts of one file must compute the same, and the plan must say what is allocated.
TEST_F(ModelsTest, PlanMatchesMemory) {
  for (const char* path : {"gemma3/q8_0.gguf", "llama/f16.gguf", "qwen2"}) {
    auto tiny = OpenTiny(TinyFolder(path), WeightUse::kInference, Best(), pool_);
    ASSERT_TRUE(tiny.ok()) << tiny.status().message();
    const WeightPlan& plan = tiny->plan;
    const uint8_t* first = nullptr;
    const uint8_t* last = nullptr;
    for (const ParamSpec& spec : tiny->specs) {
      const uint8_t* data = spec.is_vector() ? reinterpret_cast<const uint8_t*>(spec.vector->data)
                                             : spec.matrix->view.data;
      const int64_t bytes =
          spec.is_vector() ? spec.rows * 4
                           : Best().packed_bytes(spec.matrix->view.dtype, spec.rows, spec.cols);
      if (first == nullptr || data < first) first = data;
      if (last == nullptr || data + bytes > last) last = data + bytes;
    }
    EXPECT_GE(plan.allocated(), last - first) << path;
    EXPECT_LT(plan.allocated(), last - first + 64) << path;
    EXPECT_EQ(plan.mapped_bytes, 0);
  }
}

TEST(InterleavedRows, AreAPermutationThatThePairsShow) {
  constexpr int64_t kHeadDim = 6;
  // Two heads; rows of the file 0,1,2,3,4,5 hold pairs (0,3), (1,4), (2,5) of a head.
  const int64_t expected[] = {0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11};
  for (int64_t row = 0; row < 12; ++row) {
    EXPECT_EQ(InterleavedRow(row, kHeadDim), expected[row]);
  }
}

TEST_F(ModelsTest, ArenaBoundHolds) {
  for (const char* name : {"gemma3", "llama", "qwen2"}) {
    const auto expected = OpenCheckpoint(TinyFolder(name) + "/expected.safetensors");
    const TinyBatch inputs(**expected);
    for (const Isa isa : SupportedIsas()) {
      for (const Compute compute : {Compute::kBf16, Compute::kFp32, Compute::kInt8}) {
        const KernelTable& kernels = KernelsFor(isa);
        auto tiny = OpenTiny(TinyFolder(name), WeightUse::kInference, kernels, pool_);
        ASSERT_TRUE(tiny.ok()) << tiny.status().message();
        const int64_t tokens = static_cast<int64_t>(inputs.tokens.size());
        const int64_t bound =
            ForwardArenaBytes(tiny->model->config(), kernels, pool_.size(), tokens, tokens);
        Arena arena = *Arena::Create(bound);
        ctx_.kernels = &kernels;
        ctx_.compute = compute;
        ctx_.arena = &arena;
        tiny->model->Forward(ctx_, inputs.batch());
        EXPECT_LE(arena.high_water(), bound);
        EXPECT_GE(arena.high_water(), bound / 8) << "a useless bound";
      }
    }
  }
}

// Logits of chosen rows only are the same bits as among all rows.
TEST_F(ModelsTest, ChosenRows) {
  for (const char* name : {"gemma3", "llama-bias"}) {
    const auto expected = OpenCheckpoint(TinyFolder(name) + "/expected.safetensors");
    const TinyBatch inputs(**expected);
    auto tiny = OpenTiny(TinyFolder(name), WeightUse::kInference, Best(), pool_);
    ASSERT_TRUE(tiny.ok()) << tiny.status().message();
    ctx_.batch_invariant = true;
    ctx_.invariant_head = true;
    arena_.Rewind(0);
    const Tensor all = tiny->model->Forward(ctx_, inputs.batch());
    const std::vector<int32_t> rows = {39, 3, 25};
    Batch batch = inputs.batch();
    batch.logit_rows = rows;
    const Tensor some = tiny->model->Forward(ctx_, batch);
    ASSERT_EQ(some.dim(0), 3);
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(0, std::memcmp(some.row(i), all.row(rows[i]), sizeof(float) * all.cols())) << i;
    }
    batch.logit_rows = {};
    EXPECT_TRUE(tiny->model->Forward(ctx_, batch).empty());
  }
}

TEST_F(ModelsTest, BrokenBatchesAreFound) {
  const auto expected = OpenCheckpoint(TinyFolder("llama") + "/expected.safetensors");
  const TinyBatch good(**expected);
  auto tiny = OpenTiny(TinyFolder("llama"), WeightUse::kMapped, Best(), pool_);
  ASSERT_TRUE(tiny.ok());
  const ModelConfig& config = tiny->model->config();
  EXPECT_TRUE(CheckBatch(config, good.batch()).ok());
  TinyBatch bad = good;
  bad.tokens[7] = static_cast<int32_t>(config.vocab_size);
  EXPECT_SAYS(CheckBatch(config, bad.batch()).message(), "vocabulary");
  bad = good;
  bad.rows[2] = -1;
  EXPECT_SAYS(CheckBatch(config, bad.batch()).message(), "row");
  bad = good;
  bad.spans[1].begin += 1;
  EXPECT_SAYS(CheckBatch(config, bad.batch()).message(), "span");
  bad = good;
  bad.spans.pop_back();
  EXPECT_SAYS(CheckBatch(config, bad.batch()).message(), "cover");
  bad = good;
  bad.positions.pop_back();
  EXPECT_SAYS(CheckBatch(config, bad.batch()).message(), "positions");
  EXPECT_THROW(tiny->model->Forward(ctx_, bad.batch()), InternalError);
}

TEST(KvCache, BytesOfPublishedShapes) {
  const ModelConfig config = *ShapeConfig("medgemma-4b");
  // 5 global layers of 131,072 tokens x 2 x 4 heads x 256 x 2 bytes, and 29 windows of at most
  // 1,024 + 511 + a page's rest.
  const int64_t global = int64_t{5} * 131072 * 4096;
  const int64_t bytes = KvCacheBytes(config, KvType::kBf16, 131072, 512);
  EXPECT_GE(bytes, global + int64_t{29} * 1535 * 4096);
  EXPECT_LE(bytes, global + int64_t{29} * (1535 + 64) * 4096);
  EXPECT_LE(bytes,
            int64_t{28} << 27);  // 2.8 * 2^30 = 3,006,477,107; less than 3.5 GiB at the least
}

TEST_F(ModelsTest, RandomModelsOfEveryType) {
  for (const char* type : {"q4_0", "q4_k_m", "q8_0", "bf16"}) {
    auto random = MakeRandomModel("smollm2-135m", type, Best(), pool_);
    ASSERT_TRUE(random.ok()) << random.status().message();
    const std::vector<int32_t> tokens = {1, 40000, 7, 49151};
    const std::vector<int32_t> positions = {0, 1, 2, 3};
    const SequenceSpan span{0, 4, 0, nullptr};
    const std::vector<int32_t> rows = {3};
    Batch batch;
    batch.tokens = tokens;
    batch.positions = positions;
    batch.spans = {&span, 1};
    batch.logit_rows = rows;
    arena_.Rewind(0);
    ctx_.compute = Compute::kBf16;
    const Tensor logits = random->model->Forward(ctx_, batch);
    float low = logits.f32()[0];
    float high = low;
    for (int64_t i = 0; i < logits.cols(); ++i) {
      low = std::min(low, logits.f32()[i]);
      high = std::max(high, logits.f32()[i]);
      ASSERT_TRUE(std::isfinite(logits.f32()[i]));
    }
    EXPECT_GT(high - low, 0.1f);
  }
  EXPECT_SAYS(ShapeConfig("gpt-5").status().message(), "medgemma-4b");
}

}  // namespace
}  // namespace galen

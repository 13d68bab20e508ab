// Whole checkpoints: against llama.cpp's converter, against the source, and with faults.
#include "quantize/quantize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/json.h"
#include "formats/bitsandbytes.h"
#include "models/open_model.h"
#include "models/param_sources.h"
#include "quantize/calibration.h"

namespace galen {
namespace {

namespace fs = std::filesystem;

std::string Tiny(const std::string& name) {
  return std::string(GALEN_SOURCE_DIR) + "/tests/parity/models/tiny/" + name;
}

constexpr char kTokenizer[] =
    R"({"model": {"type": "BPE", "byte_fallback": true, "unk_token": "<unk>",
  "vocab": {"<unk>": 0, "<s>": 1, "</s>": 2, "a": 3, "b": 4, "ab": 5}, "merges": [["a", "b"]]},
  "added_tokens": [{"id": 1, "content": "<s>", "special": true}, {"id": 2, "content": "</s>", "special": true}]})";
constexpr char kTokenizerConfig[] = R"({"bos_token": "<s>", "eos_token": "</s>"})";

class QuantizeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(::testing::TempDir()) / "quantize";
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string Path(const std::string& name) const { return (folder_ / name).string(); }

  // A copy of a tiny Hugging Face directory, with a tokenizer.json, which it lacks.
  std::string Source(const std::string& name) const {
    const std::string to = Path(name);
    fs::create_directories(to);
    for (const char* file : {"config.json", "model.safetensors"}) {
      fs::copy_file(Tiny(name) + "/" + file, to + "/" + file);
    }
    EXPECT_TRUE(WriteFileAtomically(to + "/tokenizer.json", kTokenizer).ok());
    EXPECT_TRUE(WriteFileAtomically(to + "/tokenizer_config.json", kTokenizerConfig).ok());
    return to;
  }

  QuantizeReport Quantize(const std::string& from, const std::string& to, const std::string& type,
                          QuantizeOptions options = {}) {
    options.type = type;
    options.pool = &pool_;
    Result<QuantizeReport> report = QuantizeCheckpoint(from, to, options);
    EXPECT_TRUE(report.ok()) << report.status().message();
    return report.ok() ? *std::move(report) : QuantizeReport();
  }

  static std::vector<float> Values(const TensorInfo& tensor) {
    const int64_t cols = tensor.shape.back(), rows = tensor.NumElements() / cols;
    std::vector<uint8_t> scratch;
    std::vector<float> values(static_cast<size_t>(rows * cols));
    const BlockFormat& format = FormatOf(tensor.dtype);
    format.decode(TensorRows(tensor, cols, 0, rows, &scratch), values.data(),
                  rows * cols / format.block_elems);
    return values;
  }

  fs::path folder_;
  ThreadPool pool_{2};
};

TEST_F(QuantizeTest, HuggingFaceToGgufIsWhatLlamaCppsConverterMakes) {
  for (const char* name : {"gemma3", "llama", "llama-bias", "qwen2-full"}) {
    SCOPED_TRACE(name);
    const std::string ours = Path(std::string(name) + ".gguf");
    Quantize(Source(name), ours, "f32");
    const auto written = OpenCheckpoint(ours);
    ASSERT_TRUE(written.ok()) << written.status().message();
    const auto expected = OpenCheckpoint(Tiny(name) + "/f32.gguf");
    ASSERT_TRUE(expected.ok()) << expected.status().message();
    EXPECT_EQ((*written)->tensors().size(), (*expected)->tensors().size());
    for (const TensorInfo& tensor : (*expected)->tensors()) {
      const Result<const TensorInfo*> mine = (*written)->Find(tensor.name);
      ASSERT_TRUE(mine.ok()) << mine.status().message();
      const std::vector<float> a = Values(**mine), b = Values(tensor);
      if (tensor.name == "rope_freqs.weight") {  // computed there in another order
        ASSERT_EQ(a.size(), b.size());
        for (size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 2e-6 * b[i]);
        continue;
      }
      // The embedding table has rows for every id here, for every token there.
      ASSERT_GE(a.size(), b.size()) << tensor.name;
      EXPECT_EQ(std::memcmp(a.data(), b.data(), 4 * b.size()), 0) << tensor.name;
    }
    // The hyper-parameters come out the same.
    const Result<ModelFiles> model = ReadModel(ours);
    ASSERT_TRUE(model.ok()) << model.status().message();
    const Result<ModelFiles> reference = ReadModel(Tiny(name) + "/f32.gguf");
    ASSERT_TRUE(reference.ok());
    const ModelConfig &c = model->config, &r = reference->config;
    EXPECT_EQ(c.architecture, r.architecture);
    EXPECT_EQ(c.num_hidden_layers, r.num_hidden_layers);
    EXPECT_EQ(c.head_dim, r.head_dim);
    EXPECT_EQ(c.num_key_value_heads, r.num_key_value_heads);
    EXPECT_EQ(c.intermediate_size, r.intermediate_size);
    EXPECT_EQ(c.max_position_embeddings, r.max_position_embeddings);
    EXPECT_EQ(c.rms_norm_eps, r.rms_norm_eps);
    EXPECT_EQ(c.rope.type, r.rope.type);
    EXPECT_EQ(c.rope.theta, r.rope.theta);
    EXPECT_EQ(c.rope.factor, r.rope.factor);
    EXPECT_EQ(c.sliding_window, r.sliding_window);
    EXPECT_EQ(c.layer_is_sliding, r.layer_is_sliding);
    EXPECT_EQ(c.tie_word_embeddings, r.tie_word_embeddings);
    EXPECT_EQ(c.attention_bias, r.attention_bias);
    ASSERT_TRUE(model->tokenizer_status.ok()) << model->tokenizer_status.message();
    EXPECT_EQ(*model->tokenizer->Encode("ab"), (std::vector<TokenId>{5}));
    EXPECT_EQ(model->tokenizer->special().eos, 2);
  }
}

TEST_F(QuantizeTest, BitsandbytesDirectoryHoldsTheErrorsThatAreReported) {
  const std::string source = Source("llama");
  const auto from = OpenCheckpoint(source);
  ASSERT_TRUE(from.ok());
  for (const bool nested : {true, false}) {
    for (const char* type : {"nf4", "int8"}) {
      SCOPED_TRACE(std::string(type) + (nested ? " nested" : ""));
      const std::string to = Path(std::string(type) + (nested ? "n" : ""));
      QuantizeOptions options;
      options.double_quant = nested;
      options.shard_bytes = 20000;
      const QuantizeReport report = Quantize(source, to, type, options);
      EXPECT_TRUE(FileExists(to + "/model.safetensors.index.json"));
      EXPECT_TRUE(FileExists(to + "/tokenizer.json"));
      const auto written = OpenCheckpoint(to);
      ASSERT_TRUE(written.ok()) << written.status().message();
      int changed = 0;
      for (const TensorReport& row : report.tensors) {
        const Result<const TensorInfo*> tensor = (*written)->Find(row.name);
        ASSERT_TRUE(tensor.ok()) << tensor.status().message();
        EXPECT_EQ((*tensor)->type_name, row.to);
        const std::vector<float> a = Values(**(*from)->Find(row.name));
        std::vector<float> b(a.size());
        if ((*tensor)->bnb == nullptr) {
          EXPECT_EQ(Values(**tensor), a) << row.name;
          continue;
        }
        ++changed;
        (*tensor)->bnb->Decode(0, static_cast<int64_t>(b.size()), b.data());
        double squares = 0, all = 0;
        for (size_t i = 0; i < a.size(); ++i) {
          squares += (static_cast<double>(a[i]) - b[i]) * (static_cast<double>(a[i]) - b[i]);
          all += static_cast<double>(a[i]) * a[i];
        }
        // Nested scales are rounded after the error was taken.
        EXPECT_NEAR(row.error.relative_rms(), std::sqrt(squares / all),
                    (nested && type[0] == 'n' ? 0.02 : 1e-5) * row.error.relative_rms())
            << row.name;
      }
      EXPECT_GT(changed, 10);
      const Result<LoadedModel> model = OpenModel(to);
      EXPECT_TRUE(model.ok()) << model.status().message();
    }
  }
}

TEST_F(QuantizeTest, WeightsAreEncodedWhenLoadedAsTheyAreWritten) {
  const std::string source = Source("llama");
  Quantize(source, Path("int8"), "int8");
  OpenModelOptions open;
  const KernelTable& kernels = KernelsFor(Isa::kRef);  // weights stay in rows
  open.kernels = &kernels;
  Result<LoadedModel> written = OpenModel(Path("int8"), open);
  open.encode = DType::kINT8;
  Result<LoadedModel> encoded = OpenModel(source, open);
  ASSERT_TRUE(written.ok()) << written.status().message();
  ASSERT_TRUE(encoded.ok()) << encoded.status().message();
  int matrices = 0;
  const std::vector<ParamSpec> a = written->model->Params(), b = encoded->model->Params();
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i].is_vector()) continue;
    const WeightView &x = a[i].matrix->view, &y = b[i].matrix->view;
    ASSERT_EQ(x.dtype, y.dtype) << a[i].name;
    if (x.dtype != DType::kINT8) continue;  // the embedding table
    ++matrices;
    EXPECT_EQ(std::memcmp(x.data, y.data, static_cast<size_t>(x.rows * RowBytes(x.dtype, x.cols))),
              0)
        << a[i].name;
  }
  EXPECT_GT(matrices, 10);
  EXPECT_FALSE(OpenModel(Path("int8"), open).ok());  // quantised already
}

TEST_F(QuantizeTest, CalibrationWeighsEveryMatrixOfTheLayers) {
  const std::string source = Source("gemma3");
  std::string text;
  for (int i = 0; i < 100; ++i) text += i % 3 == 0 ? "ab" : i % 7 == 0 ? "b" : "a";
  CalibrationOptions settings;
  settings.window = 32;
  const Result<Calibration> calibration = Calibrate(source, text, pool_, settings);
  ASSERT_TRUE(calibration.ok()) << calibration.status().message();
  EXPECT_EQ(calibration->importance.size(), 7u * 7u);
  for (const auto& [name, weights] : calibration->importance) {
    double sum = 0;
    for (float w : weights) {
      EXPECT_GE(w, 0.0f);
      sum += w;
    }
    EXPECT_GT(sum, 0.0) << name;
  }
  QuantizeOptions options;
  options.importance = &calibration->importance;
  const QuantizeReport plain = Quantize(source, Path("plain.gguf"), "q4_0");
  const QuantizeReport weighed = Quantize(source, Path("weighed.gguf"), "q4_0", options);
  EXPECT_EQ(plain.bytes, weighed.bytes);
  EXPECT_NE(*ReadFile(Path("plain.gguf")), *ReadFile(Path("weighed.gguf")));
}

TEST_F(QuantizeTest, RefusalsLeaveNothing) {
  const std::string source = Source("llama");
  const auto refuse = [&](const std::string& from, const std::string& to, const std::string& type,
                          const std::string& word, QuantizeOptions options = {}) {
    options.type = type;
    options.pool = &pool_;
    const Result<QuantizeReport> report = QuantizeCheckpoint(from, to, options);
    ASSERT_FALSE(report.ok()) << word;
    EXPECT_NE(report.status().message().find(word), std::string::npos) << report.status().message();
  };
  QuantizeOptions q8_head;
  q8_head.head = HeadType::kQ8_0;
  refuse(source, Path("x"), "q9", "known are");
  refuse(source, Path("x"), "nf4", "q8_0", q8_head);
  refuse(Tiny("llama") + "/f32.gguf", Path("x"), "nf4", "Hugging Face directory");
  refuse(source, Path("no/such/folder"), "nf4", "cannot create");
  refuse(source, source, "nf4", "exists already");
  refuse(Path("none"), Path("x"), "q8_0", "no such file");
  refuse(Tiny("llama"), Path("x.gguf"), "q8_0", "tokenizer.json");
  fs::remove(source + "/config.json");
  refuse(source, Path("x"), "int8", "config.json");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 1);
}

}  // namespace
}  // namespace galen

#include "models/open_model.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "models/tiny_models_test.h"

namespace galen {
namespace {

TEST(OpenModel, ReadsTheTextPartsToo) {
  for (const char* path : {"llama", "llama/q8_0.gguf"}) {
    const auto files = ReadModel(TinyFolder(path));
    ASSERT_TRUE(files.ok()) << files.status().message();
    ASSERT_TRUE(files->tokenizer_status.ok()) << files->tokenizer_status.message();
    EXPECT_EQ(files->tokenizer->vocab_size(), 96);
    EXPECT_EQ(files->config.architecture, "llama");
    EXPECT_FALSE(files->config.tie_word_embeddings);
  }
  const auto a = ReadModel(TinyFolder("llama"));
  const auto b = ReadModel(TinyFolder("llama/q8_0.gguf"));
  EXPECT_EQ(*a->tokenizer->Encode("ban bel din"), *b->tokenizer->Encode("ban bel din"));
}

TEST(OpenModel, AdmissionComesBeforeMemory) {
  OpenModelOptions options;
  int64_t asked = 0;
  options.admit = [&](const ModelConfig& config, const WeightPlan& plan, const ImageTower*) {
    EXPECT_EQ(config.num_hidden_layers, 7);
    asked = plan.allocated();
    return ResourceExhausted("needs more than there is");
  };
  const auto loaded = OpenModel(TinyFolder("gemma3"), options);
  EXPECT_GT(asked, 100000);
  ASSERT_FALSE(loaded.ok());
  EXPECT_EQ(loaded.status().code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(loaded.status().message(), "needs more than there is");
}

TEST(OpenModel, AModelWithoutTokenizerOpens) {
  ReadModelOptions no_tokenizer;
  no_tokenizer.tokenizer = false;
  const auto files = ReadModel(TinyFolder("llama"), no_tokenizer);
  ASSERT_TRUE(files.ok());
  EXPECT_EQ(files->tokenizer, nullptr);
  namespace fs = std::filesystem;
  const fs::path copy = fs::path(OwnTempDir()) / "galen_no_tokenizer";
  fs::remove_all(copy);
  fs::copy(TinyFolder("llama"), copy);
  fs::remove(copy / "tokenizer.model");
  const auto loaded = OpenModel(copy.string());
  ASSERT_TRUE(loaded.ok()) << loaded.status().message();
  EXPECT_EQ(loaded->files.tokenizer, nullptr);
  EXPECT_NE(loaded->files.tokenizer_status.message().find("tokenizer.json"), std::string::npos);
}

TEST(OpenModel, ChatTemplateOfTheDirectoryWins) {
  namespace fs = std::filesystem;
  const fs::path copy = fs::path(OwnTempDir()) / "galen_templates";
  fs::remove_all(copy);
  fs::copy(TinyFolder("llama"), copy);
  std::ofstream(copy / "tokenizer_config.json")
      << R"({"chat_template": [{"name": "tool_use", "template": "T"}, {"name": "default", "template": "D"}]})";
  EXPECT_EQ(ReadModel(copy.string())->chat_template, "D");
  std::ofstream(copy / "chat_template.jinja") << "J";
  EXPECT_EQ(ReadModel(copy.string())->chat_template, "J");
  EXPECT_EQ(ReadModel(copy.string())->chat_template_origin, "chat_template.jinja");
}

// Published files; GALEN_MODELS names the directory that tools/fetch_models.py filled.
class RealModels : public testing::Test {
 protected:
  void SetUp() override {
    const char* directory = std::getenv("GALEN_MODELS");
    if (directory == nullptr) {
      GTEST_SKIP() << "GALEN_MODELS is not set; run tools/fetch_models.py and name its directory";
    }
    directory_ = directory;
  }
  std::string Find(const std::string& part) {
    for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
      const std::string name = entry.path().filename().string();
      if (name.find(part) != std::string::npos && name.ends_with(".gguf")) {
        return entry.path().string();
      }
    }
    return directory_ + "/" + part;
  }
  std::string directory_;
};

TEST_F(RealModels, Gemma) {
  const auto loaded = OpenModel(Find("gemma-3-270m"));
  ASSERT_TRUE(loaded.ok()) << loaded.status().message();
  const ModelConfig& c = loaded->model->config();
  EXPECT_EQ(c.architecture, "gemma3");
  EXPECT_EQ(c.hidden_size, 640);
  EXPECT_EQ(c.head_dim, 256);
  EXPECT_EQ(c.vocab_size, 262144);
  EXPECT_EQ(c.sliding_window, 512);
  EXPECT_EQ(c.rope.theta, 1e6);
  EXPECT_EQ(c.rope_local.theta, 1e4);
  EXPECT_TRUE(c.tie_word_embeddings);
  // 262,144 x 640, and 18 layers of 640 x (2 x 1,024 + 2 x 256) + 3 x 640 x 2,048.
  EXPECT_EQ(c.num_parameters(), 268042240);
  for (int64_t i = 0; i < 18; ++i) EXPECT_EQ(c.window(i), (i + 1) % 6 == 0 ? 0 : 512) << i;
  ASSERT_NE(loaded->files.tokenizer, nullptr) << loaded->files.tokenizer_status.message();
  EXPECT_EQ(loaded->files.chat_template_origin, "built in: gemma3");
}

TEST_F(RealModels, SmolLm2) {
  const auto loaded = OpenModel(Find("SmolLM2-135M"));
  ASSERT_TRUE(loaded.ok()) << loaded.status().message();
  const ModelConfig& c = loaded->model->config();
  EXPECT_EQ(c.architecture, "llama");
  EXPECT_EQ(c.rope.theta, 1e5);
  EXPECT_EQ(c.num_key_value_heads, 3);
  EXPECT_EQ(c.window(0), 0);
  ASSERT_NE(loaded->files.tokenizer, nullptr) << loaded->files.tokenizer_status.message();
  EXPECT_EQ(loaded->files.chat_template_origin, "tokenizer.chat_template");
}

}  // namespace
}  // namespace galen

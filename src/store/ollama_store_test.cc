#include "store/ollama_store.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace galen {
namespace {

class OllamaStore : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "/ollama_XXXXXX";
    root_ = ::mkdtemp(pattern.data());
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  void Write(const std::string& path, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(root_ + "/" + path).parent_path());
    std::ofstream(root_ + "/" + path) << text;
  }
  static std::string Digest(char c) { return std::string(64, c); }
  static std::string Layer(const std::string& kind, char c) {
    return "{\"mediaType\":\"application/vnd.ollama.image." + kind +
           "\",\"digest\":\"sha256:" + Digest(c) + "\",\"size\":1}";
  }
  void Blob(char c, const std::string& text = "x") { Write("blobs/sha256-" + Digest(c), text); }

  std::string root_;
};

TEST_F(OllamaStore, NamesAndDefaults) {
  const std::string manifest = "{\"schemaVersion\":2,\"layers\":[" + Layer("model", 'a') + "," +
                               Layer("projector", 'b') + "," + Layer("system", 'c') + "," +
                               Layer("license", 'd') + "," + Layer("license", 'f') + "," +
                               Layer("params", 'e') + "]}";
  Blob('a'), Blob('b'), Blob('c', "Be brief."), Blob('e', "{\"top_k\":3}"),
      Blob('f', "House terms");
  Write("manifests/registry.ollama.ai/library/medgemma1.5/latest", manifest);
  Write("manifests/registry.ollama.ai/ada/net/4b", manifest);
  Write("manifests/localhost:5000/ada/net/latest", manifest);
  for (const char* name :
       {"ollama:medgemma1.5", "ollama:medgemma1.5:latest", "ollama:library/medgemma1.5",
        "ollama:ada/net:4b", "ollama:localhost:5000/ada/net"}) {
    const auto model = FindOllamaModel(name, root_);
    ASSERT_TRUE(model.ok()) << name << ": " << model.status().message();
    EXPECT_EQ(model->model, root_ + "/blobs/sha256-" + Digest('a'));
    EXPECT_EQ(model->projector, root_ + "/blobs/sha256-" + Digest('b'));
    EXPECT_EQ(model->system, "Be brief.");
    EXPECT_EQ(model->parameters, "{\"top_k\":3}");
    EXPECT_EQ(model->license, "House terms") << "the other one is missing, which ends nothing";
  }
}

TEST_F(OllamaStore, NamesThatLeadOutOfTheStoreAreRefused) {
  for (const char* name :
       {"ollama:", "ollama:../x", "ollama:a/b/c/d", "ollama:a:..", "ollama:a//b", "ollama:x:y:z"}) {
    EXPECT_EQ(FindOllamaModel(name, root_).status().code(), StatusCode::kInvalidArgument) << name;
  }
}

TEST_F(OllamaStore, WhatIsMissingIsNamed) {
  EXPECT_NE(FindOllamaModel("ollama:none", root_).status().message().find("library/none/latest"),
            std::string::npos);
  Write("manifests/registry.ollama.ai/library/m/latest",
        "{\"layers\":[" + Layer("model", 'a') + "]}");
  const Status status = FindOllamaModel("ollama:m", root_).status();
  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  EXPECT_NE(status.message().find("blobs/sha256-aaaa"), std::string::npos);
}

TEST_F(OllamaStore, DamagedManifests) {
  const std::string bad_digest =
      "{\"mediaType\":\"application/vnd.ollama.image.model\",\"digest\":\"sha256:../../etc/"
      "passwd\"}";
  for (const std::string& text :
       {std::string("no json"), std::string("[]"), std::string("{\"layers\":[]}"),
        std::string("{\"layers\":[1]}"), "{\"layers\":[" + bad_digest + "]}"}) {
    Write("manifests/registry.ollama.ai/library/m/latest", text);
    EXPECT_FALSE(FindOllamaModel("ollama:m", root_).ok()) << text;
  }
}

}  // namespace
}  // namespace galen

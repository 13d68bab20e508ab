#include "store/select_files.h"

#include <gtest/gtest.h>

#include <set>

#include "store/hub.h"
#include "store/model_card.h"

namespace galen {
namespace {

std::vector<RepoFile> Files(const std::vector<std::string>& paths) {
  std::vector<RepoFile> files;
  for (const std::string& path : paths) files.push_back({path, 10, "", ""});
  return files;
}

std::set<std::string> Paths(const Result<Selection>& selection) {
  EXPECT_TRUE(selection.ok()) << selection.status().message();
  std::set<std::string> paths;
  if (selection.ok())
    for (const RepoFile& file : selection->files) paths.insert(file.path);
  return paths;
}

using Set = std::set<std::string>;

TEST(SelectFiles, Safetensors) {
  const auto files = Files({".gitattributes", "README.md", "config.json", "tokenizer.json",
                            "model.safetensors.index.json", "model-00001-of-00002.safetensors",
                            "model-00002-of-00002.safetensors", "consolidated.safetensors",
                            "pytorch_model.bin", "onnx/model.onnx", "original/model.safetensors"});
  EXPECT_EQ(Paths(SelectFiles(files, "", "hf:a/b")),
            (Set{"README.md", "config.json", "tokenizer.json", "model.safetensors.index.json",
                 "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"}));
  EXPECT_EQ(Paths(SelectFiles(Files({"config.json", "model.safetensors", "other.safetensors"}), "",
                              "hf:a/b")),
            (Set{"config.json", "model.safetensors"}));
  EXPECT_EQ(
      Paths(SelectFiles(Files({"adapter_config.json", "adapter_model.safetensors"}), "", "hf:a/b")),
      (Set{"adapter_config.json", "adapter_model.safetensors"}));
}

TEST(SelectFiles, Gguf) {
  const auto files = Files({"m-Q4_K_M.gguf", "m-Q4_K_S.gguf", "m-IQ4_K_M.gguf", "mmproj-F16.gguf",
                            "mmproj-BF16.gguf", "mmproj-F32.gguf", "LICENSE"});
  EXPECT_EQ(Paths(SelectFiles(files, "q4_k_m", "hf:a/b")),
            (Set{"m-Q4_K_M.gguf", "mmproj-F16.gguf", "LICENSE"}));
  EXPECT_EQ(SelectFiles(files, "m-IQ4_K_M.gguf", "hf:a/b")->entry, "m-IQ4_K_M.gguf");
  const Status several = SelectFiles(files, "", "hf:a/b").status();
  EXPECT_EQ(several.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(several.message().find("m-Q4_K_S.gguf ("), std::string::npos) << several.message();
  EXPECT_EQ(SelectFiles(files, "q8_0", "hf:a/b").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(Paths(SelectFiles(Files({"only.gguf"}), "", "hf:a/b")), Set{"only.gguf"});
  EXPECT_EQ(SelectFiles(Files({"license.gguf"}), "", "hf:a/b")->files.size(), 1u);
  EXPECT_EQ(SelectFiles(Files({"m-00001-of-00002.gguf"}), "", "hf:a/b").status().code(),
            StatusCode::kUnsupported);
}

TEST(SelectFiles, EachFileOnce) {
  const auto files =
      Files({"config.json", "license-w.safetensors", "w.safetensors", "config.json"});
  EXPECT_EQ(SelectFiles(files, "", "hf:a/b")->files.size(), 3u);
  std::vector<std::string> shards{"config.json"};
  for (int i = 0; i < 4096; ++i) shards.push_back(std::to_string(i) + ".safetensors");
  EXPECT_EQ(SelectFiles(Files(shards), "", "hf:a/b").status().code(), StatusCode::kUnsupported);
}

TEST(SelectFiles, Nothing) {
  EXPECT_EQ(SelectFiles({}, "", "x").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(SelectFiles(Files({"model.bin"}), "", "x").status().code(), StatusCode::kUnsupported);
  EXPECT_EQ(SelectFiles(Files({"model.safetensors"}), "", "x").status().code(),
            StatusCode::kNotFound);
}

TEST(ModelCard, License) {
  const License license = LicenseOfCard(
      "---\r\nlicense: other\r\nlicense_name: 'health terms'\nlicense_link: "
      "https://x.test/a\ntags:\n"
      "- medical\n---\nlicense: mit\n");
  EXPECT_EQ(license.text(), "other (health terms), https://x.test/a");
  EXPECT_EQ(LicenseOfCard("# no front matter\nlicense: mit\n").text(), "not stated");
  EXPECT_EQ(LicenseOfCard("---\nlicense: a\x1b[2Jb\n").text(), "a\\u001b[2Jb");
}

TEST(HubModel, GatesAndLicences) {
  const std::string sha(40, 'a');
  const auto model = ParseHubModel(
      "{\"sha\":\"" + sha +
          "\",\"gated\":\"manual\",\"tags\":[\"license:gemma\"],\"siblings\":[{\"rfilename\":"
          "\"a.json\",\"size\":3,\"blobId\":\"" +
          std::string(40, 'b') + "\"},{\"rfilename\":\"m.gguf\",\"lfs\":{\"sha256\":\"" +
          std::string(64, 'c') + "\",\"size\":7}}]}",
      "x");
  ASSERT_TRUE(model.ok()) << model.status().message();
  EXPECT_EQ(model->gated, "manual");
  EXPECT_EQ(model->license.id, "gemma");
  EXPECT_EQ(model->files[0].git_sha1, std::string(40, 'b'));
  EXPECT_EQ(model->files[1].sha256, std::string(64, 'c'));
  EXPECT_EQ(model->files[1].size, 7);
}

}  // namespace
}  // namespace galen

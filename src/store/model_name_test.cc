#include "store/model_name.h"

#include <gtest/gtest.h>

namespace galen {
namespace {

TEST(HubName, Parts) {
  const auto name = ParseHubName("hf:google/medgemma-4b-it@refs/pr/1:BF16/model.gguf");
  ASSERT_TRUE(name.ok()) << name.status().message();
  EXPECT_EQ(name->repo, "google/medgemma-4b-it");
  EXPECT_EQ(name->revision, "refs/pr/1");
  EXPECT_EQ(name->variant, "BF16/model.gguf");
  EXPECT_EQ(name->text(), "hf:google/medgemma-4b-it@refs/pr/1:BF16/model.gguf");
  const auto plain = ParseHubName("hf:gpt2");
  ASSERT_TRUE(plain.ok());
  EXPECT_EQ(plain->branch(), "main");
  EXPECT_EQ(ParseHubName("hf:a/b@main")->text(), "hf:a/b");
}

TEST(HubName, WhatLeadsOutIsRefused) {
  for (const char* name :
       {"hf:", "a/b", "hf:/a", "hf:a/", "hf:a/b/c", "hf:..", "hf:a/..", "hf:a/b@", "hf:a/b@..",
        "hf:a/b:", "hf:a/b:/x", "hf:a/b:x/../y", "hf:a b", "hf:a/b@x y", "hf:a\\b", "hf:.a/b",
        "hf:-a", "hf:a/b:x:y", "hf:a/b@c@d"}) {
    EXPECT_EQ(ParseHubName(name).status().code(), StatusCode::kInvalidArgument) << name;
  }
}

TEST(OllamaName, PartsAndDefaults) {
  EXPECT_EQ(ParseOllamaName("ollama:m")->manifest_path(),
            "manifests/registry.ollama.ai/library/m/latest");
  EXPECT_EQ(ParseOllamaName("ollama:localhost:5000/a/m:4b")->manifest_path(),
            "manifests/localhost:5000/a/m/4b");
  EXPECT_EQ(ParseOllamaName("ollama:library/m")->text(), "ollama:m:latest");
  EXPECT_EQ(ParseOllamaName("ollama:hf.co/library/m")->text(), "ollama:hf.co/library/m:latest");
}

TEST(SafeRelativePath, Cases) {
  for (const char* path : {"a", "a/b.json", "config.json", "a b", "model-00001-of-00002.gguf"})
    EXPECT_TRUE(IsSafeRelativePath(path)) << path;
  for (const char* path : {"", "/a", "a/", "a//b", ".", "..", "a/../b", "a\\b", "a\nb", "c:a"})
    EXPECT_FALSE(IsSafeRelativePath(path)) << path;
}

TEST(PercentEncode, KeepsWhatIsPlain) {
  EXPECT_EQ(PercentEncode("a/b c%", true), "a/b%20c%25");
  EXPECT_EQ(PercentEncode("refs/pr/1", false), "refs%2Fpr%2F1");
}

}  // namespace
}  // namespace galen

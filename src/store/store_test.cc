#include "store/store.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "base/files.h"
#include "base/sha256.h"
#include "store/digest.h"
#include "http/http_client.h"
#include "store/resolve.h"

namespace galen {
namespace {

namespace fs = std::filesystem;

std::string Sha(const std::string& text) {
  return Sha256Hex({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

class StoreTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "/store_XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    store_ = ModelStore(folder_ + "/store");
    ASSERT_TRUE(store_.Prepare().ok());
  }
  void TearDown() override { fs::remove_all(folder_); }

  StoredFile Blob(const std::string& path, const std::string& text) {
    std::ofstream(store_.BlobPath(Sha(text))) << text;
    return {path, Sha(text), "", static_cast<int64_t>(text.size())};
  }
  static StoredModel Model(const std::string& name, std::vector<StoredFile> files) {
    StoredModel model;
    model.name = name;
    model.format = "safetensors";
    model.files = std::move(files);
    return model;
  }

  std::string folder_;
  ModelStore store_{"/"};
};

TEST_F(StoreTest, CommittedModelsAreFoundAndSeen) {
  const StoredModel model = Model("hf:a/b@v1:q8", {Blob("config.json", "{}"), Blob("m", "xyz")});
  ASSERT_TRUE(store_.Commit(model).ok());
  const auto found = store_.Find(*ParseHubName("hf:a/b@v1:q8"));
  ASSERT_TRUE(found.ok()) << found.status().message();
  EXPECT_EQ(WriteStoredModel(*found), WriteStoredModel(model));
  const auto view = store_.View(*found);
  ASSERT_TRUE(view.ok()) << view.status().message();
  EXPECT_EQ(*ReadFile(*view + "/m"), "xyz");
  EXPECT_EQ(fs::path(*view).filename(), "b");
  const auto located = LocateModel("hf:a/b@v1", store_);  // the only variant
  ASSERT_TRUE(located.ok()) << located.status().message();
  EXPECT_EQ(located->path, *view);
}

TEST_F(StoreTest, AManifestNeedsItsBlobs) {
  EXPECT_EQ(store_.Commit(Model("m", {{"a", std::string(64, 'a'), "", 3}})).code(),
            StatusCode::kNotFound);
  EXPECT_TRUE(store_.Models().empty());
}

TEST_F(StoreTest, WhatCouldNotBeReadIsNotWritten) {
  const StoredFile file = Blob("a", "x");
  ASSERT_TRUE(store_.Commit(Model("m", {file})).ok());
  const std::string before = WriteStoredModel(*store_.FindLocal("m"));
  std::vector<StoredModel> bad(6, Model("m", {file}));
  bad[0].files.push_back(file);
  bad[1].files[0].path = "a\\b";
  bad[2].files[0].path = "\xff";
  bad[3].license.id = std::string(kMaxManifest, 'x');
  bad[4].entry = "b";
  for (int i = 0; i < 4096; ++i) {
    bad[5].files.push_back(file);
    bad[5].files.back().path = std::to_string(i);
  }
  for (const StoredModel& model : bad)
    EXPECT_EQ(store_.Commit(model).code(), StatusCode::kDataLoss) << &model - bad.data();
  EXPECT_EQ(WriteStoredModel(*store_.FindLocal("m")), before);
  StoredModel large = Model("m", {});
  for (const char* path : {"a", "b", "c"}) large.files.push_back({path, "", "", int64_t{1} << 50});
  EXPECT_EQ(CheckStorable(large).code(), StatusCode::kDataLoss);
  large.files.resize(1);
  EXPECT_TRUE(CheckStorable(large).ok());
}

TEST_F(StoreTest, SharedBlobsStayUntilTheLastUserGoes) {
  const StoredFile shared = Blob("w", "shared"), one = Blob("c", "one"), two = Blob("c", "two");
  ASSERT_TRUE(store_.Commit(Model("one", {shared, one})).ok());
  ASSERT_TRUE(store_.Commit(Model("two", {shared, two})).ok());
  const std::string manifest =
      "{\"layers\":[{\"mediaType\":\"application/vnd.ollama.image.model\","
      "\"digest\":\"sha256:" +
      shared.sha256 + "\",\"size\":6}]}";
  const OllamaName ollama = *ParseOllamaName("ollama:o");
  ASSERT_TRUE(store_.CommitOllama(ollama, manifest).ok());
  auto removed = store_.Remove(*store_.FindLocal("one"));
  ASSERT_TRUE(removed.ok()) << removed.status().message();
  EXPECT_EQ(removed->bytes, 3);
  EXPECT_EQ(removed->kept, 6);
  ASSERT_TRUE(store_.Remove(ollama).ok());
  EXPECT_TRUE(FileExists(store_.BlobPath(shared.sha256)));
  removed = store_.Remove(*store_.FindLocal("two"));
  ASSERT_TRUE(removed.ok());
  EXPECT_EQ(removed->bytes, 9);
  EXPECT_TRUE(fs::is_empty(store_.root() + "/blobs"));
  EXPECT_TRUE(fs::is_empty(store_.root() + "/views"));
}

TEST_F(StoreTest, UnreadableManifestsKeepWhatTheyMayNeed) {
  const StoredFile file = Blob("w", "x");
  ASSERT_TRUE(store_.Commit(Model("one", {file})).ok());
  std::ofstream(store_.root() + "/models/local/bad.json") << "{";
  EXPECT_EQ(store_.Remove(*store_.FindLocal("one")).status().code(), StatusCode::kDataLoss);
  EXPECT_TRUE(store_.FindLocal("one").ok());
  EXPECT_TRUE(FileExists(store_.BlobPath(file.sha256)));
}

TEST_F(StoreTest, UnreadableFoldersKeepWhatTheyMayNeed) {
  const StoredFile file = Blob("w", "x");
  ASSERT_TRUE(store_.Commit(Model("one", {file})).ok());
  const std::string unused = store_.BlobPath(Blob("u", "unused").sha256);
  for (const auto& [target, name] : std::vector<std::pair<std::string, std::string>>{
           {"loop", "/models/loop"}, {".", "/models/circle"}, {"/gone", "/manifests/gone"}}) {
    fs::create_symlink(target, store_.root() + name);
    std::vector<std::string> faults;
    EXPECT_GE(store_.Models(&faults).size(), 1u);
    store_.OllamaModels(&faults);
    ASSERT_FALSE(faults.empty()) << name;
    EXPECT_NE(faults[0].find(name), std::string::npos) << faults[0];
    EXPECT_EQ(store_.Remove(*store_.FindLocal("one")).status().code(), StatusCode::kDataLoss);
    EXPECT_EQ(store_.RemoveUnused(false).status().code(), StatusCode::kDataLoss);
    EXPECT_TRUE(FileExists(unused));
    fs::remove(store_.root() + name);
  }
  if (::geteuid() != 0) {  // whom no mode keeps out
    fs::create_directory(store_.root() + "/models/shut");
    ASSERT_EQ(::chmod((store_.root() + "/models/shut").c_str(), 0), 0);
    EXPECT_EQ(store_.RemoveUnused(false).status().code(), StatusCode::kDataLoss);
    fs::remove(store_.root() + "/models/shut");
  }
  // A folder that lies elsewhere is followed.
  fs::rename(store_.root() + "/models/local", folder_ + "/elsewhere");
  fs::create_symlink(folder_ + "/elsewhere", store_.root() + "/models/local");
  EXPECT_TRUE(store_.RemoveUnused(false).ok());
  EXPECT_FALSE(FileExists(unused));
  EXPECT_TRUE(FileExists(store_.BlobPath(file.sha256)));
}

TEST_F(StoreTest, NamesLikeTemporaryOnesAreSeen) {
  ASSERT_TRUE(store_.Commit(Model("a.tmp.5", {Blob("w", "x")})).ok());
  ASSERT_TRUE(store_.Commit(Model("a.tmp.b", {Blob("w", "x")})).ok());
  std::ofstream(store_.root() + "/models/local/a.json.tmp.17") << "{";
  std::vector<std::string> faults;
  EXPECT_EQ(store_.Models(&faults).size(), 2u);
  EXPECT_TRUE(faults.empty());
  EXPECT_FALSE(ParseOllamaName("ollama:m:v.tmp.1").ok());  // its manifest would be passed over
  EXPECT_TRUE(ParseOllamaName("ollama:m:v.tmp.1b").ok());
}

TEST_F(StoreTest, RemovalsThatCannotBeFinishedStopNoWriter) {
  std::ofstream(store_.root() + "/removing/00") << "{}";
  std::ofstream(store_.root() + "/models/bad.json") << "{";
  EXPECT_TRUE(store_.Commit(Model("one", {Blob("w", "x")})).ok());
  EXPECT_EQ(store_.RemoveUnused(false).status().code(), StatusCode::kDataLoss);
  EXPECT_TRUE(FileExists(store_.root() + "/removing/00"));
}

TEST_F(StoreTest, FilesWithoutLinksAreCopied) {
  const std::string blob = folder_ + "/blob", path = folder_ + "/named";
  std::ofstream(blob) << "content";
  struct stat info;
  for (const auto& [way, links] :
       {std::pair(Placement::kHardLink, 2), std::pair(Placement::kSymbolicLink, 1),
        std::pair(Placement::kCopy, 1)}) {
    ASSERT_TRUE(PlaceFile(blob, path, way).ok());
    EXPECT_EQ(*ReadFile(path), "content");
    ASSERT_EQ(::stat(blob.c_str(), &info), 0);
    EXPECT_EQ(static_cast<int>(info.st_nlink), links);
    EXPECT_EQ(fs::is_symlink(path), way == Placement::kSymbolicLink);
  }
  // Across file systems a hard link cannot be: the next way is taken.
  if (fs::exists("/dev/shm")) {
    const std::string other = "/dev/shm/galen_store_test_" + std::to_string(::getpid());
    ASSERT_EQ(::stat("/dev/shm", &info), 0);
    const auto device = info.st_dev;
    ASSERT_EQ(::stat(blob.c_str(), &info), 0);
    ASSERT_TRUE(PlaceFile(blob, other, Placement::kHardLink).ok());
    EXPECT_EQ(*ReadFile(other), "content");
    EXPECT_EQ(fs::is_symlink(other), device != info.st_dev);
    fs::remove(other);
  }
}

TEST_F(StoreTest, DamagedManifests) {
  const std::string good = WriteStoredModel(Model("m", {Blob("a", "x")}));
  ASSERT_TRUE(ParseStoredModel(good, "x").ok());
  for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{
           {"\"a\"", "\"../a\""},
           {"\"path\"", "\"paht\""},
           {"\"size\": 1", "\"size\": -1"},
           {"\"size\": 1", "\"size\": 9223372036854775807"},
           {"\"size\": 1", "\"size\": 18446744073709551615"},
           {"\"size\": 1", "\"size\": 1.5"},
           {"\"name\": \"m\"", "\"name\": \"../m\""},
           {"\"entry\": \"\"", "\"entry\": \"b\""},
           {"\"galen_manifest\": 1", "\"galen_manifest\": 2"},
           {Sha("x"), "../../etc/passwd"}}) {
    std::string bad = good;
    ASSERT_NE(bad.find(from), std::string::npos) << from << " in " << bad;
    bad.replace(bad.find(from), from.size(), to);
    EXPECT_EQ(ParseStoredModel(bad, "x").status().code(), StatusCode::kDataLoss) << to;
  }
}

TEST(Digests, OfGitAndSha256) {
  Digest git = Digest::GitBlob(6);  // git hash-object of "hello\n"
  const std::string text = "hello\n";
  git.Add({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
  EXPECT_EQ(git.Hex(), "ce013625030ba8dba906f756967f9e9ca394464a");
}

TEST(Origins, Compare) {
  EXPECT_EQ(OriginOf("https://HUB.test/a?b"), "https://hub.test:443");
  EXPECT_EQ(OriginOf("http://user@hub.test:80/"), "http://hub.test:80");
  EXPECT_NE(OriginOf("https://hub.test.evil.test/"), OriginOf("https://hub.test/"));
  EXPECT_EQ(OriginOf("file:///etc/passwd"), "");
  EXPECT_EQ(OriginOf("no url"), "");
  EXPECT_TRUE(IsLoopbackOrigin(OriginOf("http://127.0.0.1:80/")));
  EXPECT_TRUE(IsLoopbackOrigin(OriginOf("http://[::1]/")));
  EXPECT_FALSE(IsLoopbackOrigin(OriginOf("http://127.0.0.1.evil.test/")));
  EXPECT_FALSE(IsLoopbackOrigin(OriginOf("http://localhost.evil.test/")));
}

TEST(Retries, Pauses) {
  HttpResponse response;
  EXPECT_EQ(RetryPause(0, response), 0.5);
  EXPECT_EQ(RetryPause(3, response), 4);
  response.headers["retry-after"] = "7";
  EXPECT_EQ(RetryPause(3, response), 7);
  response.headers["retry-after"] = "99999";
  EXPECT_EQ(RetryPause(0, response), 60);
  response.headers["retry-after"] = "Wed, 21 Oct 2026 07:28:00 GMT";
  EXPECT_EQ(RetryPause(0, response), 0.5);
}

}  // namespace
}  // namespace galen

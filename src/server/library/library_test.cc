#include <gtest/gtest.h>

#include <condition_variable>

#include "server/library/blob_upload.h"
#include "server/library/model_names.h"
#include "server/library/pulls.h"
#include "server/library/redirects.h"

namespace galen::server {
namespace {

TEST(ModelNames, WhatClientsCallThemAndWhatTheStoreDoes) {
  const std::pair<const char*, const char*> kNames[] = {
      {"tiny", "ollama:tiny:latest"},
      {"tiny:4b", "ollama:tiny:4b"},
      {"ada/tiny:4b", "ollama:ada/tiny:4b"},
      {"registry.example:5000/ada/tiny:4b", "ollama:registry.example:5000/ada/tiny:4b"},
      {"registry.ollama.ai/library/tiny", "ollama:tiny:latest"},
      {"hf.co/acme/tiny", "hf:acme/tiny"},
      {"hf.co/acme/tiny:latest", "hf:acme/tiny"},
      {"huggingface.co/acme/tiny:Q4_K_M", "hf:acme/tiny:Q4_K_M"},
      {"hf:acme/tiny@v2", "hf:acme/tiny@v2"}};
  for (const auto& [client, stored] : kNames) {
    const Result<std::string> name = StoreNameOf(client);
    ASSERT_TRUE(name.ok()) << client;
    EXPECT_EQ(*name, stored);
    EXPECT_EQ(*StoreNameOf(ClientNameOf(*name)), stored) << "and back";
  }
  EXPECT_EQ(ClientNameOf("ollama:tiny:latest"), "tiny:latest");
  EXPECT_EQ(ClientNameOf("hf:acme/tiny"), "hf.co/acme/tiny");
  EXPECT_EQ(ClientNameOf("ward-model"), "ward-model");
  for (const char* bad : {"", "../x", "a b", "a/b/c/d", "hf.co/", "hf.co/../x", "/etc/passwd", ":x",
                          "a:", "x\n", "ollama:"})
    EXPECT_FALSE(StoreNameOf(bad).ok()) << bad;
}

TEST(BlobDigest, IsOneOrNone) {
  const std::string hex(64, 'a');
  EXPECT_EQ(*ParseBlobDigest("sha256:" + hex), hex);
  EXPECT_EQ(*ParseBlobDigest("sha256-" + hex), hex);
  for (const std::string& bad : {std::string(), hex, "sha1:" + hex, "sha256:" + hex + "0",
                                 "sha256:" + std::string(64, 'A'), std::string("sha256:../../x")})
    EXPECT_FALSE(ParseBlobDigest(bad).ok()) << bad;
}

// Work that the test lets go on.
class PullsTest : public testing::Test {
 protected:
  Pulls::Work Work() {
    return [this](const std::string&, const Cancel& cancelled, const OnPullEvent& on_event) {
      ++begun_;
      on_event({PullEvent::Kind::kManifest, "", "", 0, 0, 0, 0});
      std::unique_lock lock(mutex_);
      while (!go_ && !cancelled()) changed_.wait_for(lock, std::chrono::milliseconds(1));
      return cancelled() ? Cancelled("stopped") : OkStatus();
    };
  }
  PullListener Listener() {
    PullListener listener;
    listener.on_event = [this](const PullEvent&) { ++events_; };
    listener.on_done = [this](const Status& status) {
      const std::lock_guard lock(mutex_);
      (status.ok() ? good_ : bad_) += 1;
      changed_.notify_all();
    };
    return listener;
  }
  void Go() {
    const std::lock_guard lock(mutex_);
    go_ = true;
    changed_.notify_all();
  }
  void WaitForEnds(int number) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return good_ + bad_ == number; });
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool go_ = false;
  std::atomic<int> begun_{0}, events_{0};
  int good_ = 0, bad_ = 0;
};

TEST_F(PullsTest, TwoOfOneNameAreOne) {
  Pulls pulls(Work(), 2);
  ASSERT_TRUE(pulls.Join("a", Listener()).ok());
  ASSERT_TRUE(pulls.Join("a", Listener()).ok());
  EXPECT_EQ(pulls.running(), 1u);
  ASSERT_TRUE(pulls.Join("b", Listener()).ok());
  const Result<int64_t> third = pulls.Join("c", Listener());
  EXPECT_EQ(third.status().code(), StatusCode::kResourceExhausted);
  Go();
  WaitForEnds(3);
  EXPECT_EQ(begun_, 2);
  EXPECT_EQ(good_, 3);
}

TEST_F(PullsTest, OnlyWhenTheLastOneLeavesItEnds) {
  Pulls pulls(Work(), 1);
  const int64_t first = *pulls.Join("a", Listener()), second = *pulls.Join("a", Listener());
  pulls.Leave(first);
  EXPECT_EQ(pulls.running(), 1u);
  pulls.Leave(second);
  pulls.Leave(second);
  while (pulls.running() > 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_EQ(good_ + bad_, 0) << "nobody is told who has left";
  ASSERT_TRUE(pulls.Join("a", Listener()).ok());
  Go();
  WaitForEnds(1);
  EXPECT_EQ(begun_, 2);
}

TEST_F(PullsTest, TheEndOfTheServerEndsThem) {
  {
    Pulls pulls(Work(), 1);
    ASSERT_TRUE(pulls.Join("a", Listener()).ok());
  }
  EXPECT_EQ(bad_, 1);
}

TEST(MayRedirect, OnlyWherePullFromSays) {
  const std::vector<std::string> from = {"hub", "ollama", "mirror.hospital", "127.0.0.1:5000",
                                         "https://hub"};
  const auto where = [&](const char* place, const char* first, const char* next) -> std::string {
    const Result<RedirectTo> to = MayRedirect(from, place, first, next);
    if (!to.ok()) return "refused";
    return *to == RedirectTo::kPublicAddress ? "public" : "any";
  };
  const char* hub = "https://huggingface.co:443";
  EXPECT_EQ(where("hub", hub, hub), "any");
  EXPECT_EQ(where("hub", "http://mirror:80", "https://mirror:443"), "any");
  EXPECT_EQ(where("hub", hub, "https://huggingface.co:8443"), "refused");
  EXPECT_EQ(where("hub", hub, "https://cdn-lfs.hf.co:443"), "public");
  EXPECT_EQ(where("hub", hub, "https://cas-bridge.xethub.hf.co:443"), "public");
  EXPECT_EQ(where("hub", hub, "http://cdn-lfs.hf.co:80"), "refused");
  EXPECT_EQ(where("hub", hub, "https://evilhf.co:443"), "refused");
  EXPECT_EQ(where("hub", hub, "https://hf.co.evil.example:443"), "refused");
  EXPECT_EQ(where("hub", hub, "https://x.r2.cloudflarestorage.com:443"), "refused");
  const char* ollama = "https://registry.ollama.ai:443";
  EXPECT_EQ(where("ollama", ollama, "https://x.r2.cloudflarestorage.com:443"), "public");
  EXPECT_EQ(where("ollama", ollama, "https://cdn-lfs.hf.co:443"), "refused");
  for (const char* inside : {"http://169.254.169.254:80", "http://127.0.0.1:22", "http://[::1]:80",
                             "https://10.0.0.1:443", "http://localhost:80"})
    EXPECT_EQ(where("ollama", ollama, inside), "refused") << inside;
  EXPECT_EQ(where("ollama", ollama, "http://127.0.0.1:5000"), "any") << "the operator names it";
  EXPECT_EQ(where("hub", hub, "https://mirror.hospital:443"), "any");
  EXPECT_EQ(where("hub", hub, "https://mirror.hospital:9000"), "refused");
  EXPECT_EQ(where("mirror.hospital", "https://mirror.hospital:443", "https://cdn-lfs.hf.co:443"),
            "refused");
  EXPECT_EQ(where("hub", hub, "https://hub:443"), "any") << "a host of that name";
  EXPECT_EQ(where("hub", hub, "https://ollama:443"), "refused") << "a word, no host";
}

}  // namespace
}  // namespace galen::server

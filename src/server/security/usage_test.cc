#include "server/security/usage.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <thread>
#include <vector>

namespace galen::server {
namespace {

class UsageTest : public testing::Test {
 protected:
  UsageTest() : file_(testing::TempDir() + "/usage-" + std::to_string(::getpid()) + ".db") {
    std::filesystem::remove(file_);
  }
  ~UsageTest() override {
    for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(file_ + end);
  }
  std::unique_ptr<Usage> Open(const std::string& file) {
    Result<std::unique_ptr<Usage>> usage = Usage::Open(file, [this] { return now_; });
    EXPECT_TRUE(usage.ok()) << usage.status().message();
    return *std::move(usage);
  }

  using Holds = std::vector<std::shared_ptr<TokenHold>>;
  // Of a key without limits: nothing stands in the way.
  static void Spend(Usage* usage, const std::string& key, int64_t tokens,
                    const KeyLimits& limits = {}) {
    Holds holds;
    ASSERT_FALSE(usage->Reserve(key, limits, {1, tokens, tokens}, &holds));
    holds[0]->Settle(tokens);
  }

  const std::string file_;
  double now_ = 20000 * 86400.0 + 3600;  // an hour after midnight
};

TEST_F(UsageTest, RequestsComeBackAtAnEvenRate) {
  const auto usage = Open("");
  const KeyLimits limits{6, 0, 0};
  for (int i = 0; i < 6; ++i) EXPECT_FALSE(usage->Admit("a", limits)) << i;
  const auto refused = usage->Admit("a", limits);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->retry_after, 10);
  EXPECT_NE(refused->message.find("6 requests a minute"), std::string::npos);
  EXPECT_FALSE(usage->Admit("b", limits)) << "another key has its own";
  now_ += 9;
  EXPECT_EQ(usage->Admit("a", limits)->retry_after, 1);
  now_ += 1;
  EXPECT_FALSE(usage->Admit("a", limits));
  EXPECT_TRUE(usage->Admit("a", limits));
  now_ += 3600;
  for (int i = 0; i < 6; ++i) EXPECT_FALSE(usage->Admit("a", limits)) << i;
  EXPECT_TRUE(usage->Admit("a", limits)) << "an hour saves up no more than a minute";
}

TEST_F(UsageTest, TokensComeBackAtAnEvenRate) {
  const auto usage = Open("");
  const KeyLimits limits{0, 600, 0};
  Spend(usage.get(), "a", 590, limits);
  EXPECT_FALSE(usage->Admit("a", limits)) << "ten are left";
  Holds holds;
  const auto refused = usage->Reserve("a", limits, {1, 120, 120}, &holds);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->retry_after, 11);
  EXPECT_TRUE(refused->soon);
  EXPECT_TRUE(holds.empty());
  now_ += refused->retry_after;
  Spend(usage.get(), "a", 120, limits);
  EXPECT_EQ(usage->Admit("a", limits)->retry_after, 1);
  EXPECT_EQ(usage->Reserve("a", limits, {1, 601, 601}, &holds)->retry_after, 0)
      << "never: it is more than a minute has";
}

TEST_F(UsageTest, WhatIsSetAsideIsNotGivenTwice) {
  const auto usage = Open("");
  const KeyLimits limits{0, 600, 1000};
  Holds first, second;
  ASSERT_FALSE(usage->Reserve("a", limits, {2, 100, 200}, &first));
  ASSERT_EQ(first.size(), 2u);
  EXPECT_EQ(first[0]->tokens(), 200);
  ASSERT_FALSE(usage->Reserve("a", limits, {1, 50, 900}, &second));
  EXPECT_EQ(second[0]->tokens(), 200) << "what the minute has left";
  EXPECT_TRUE(usage->Reserve("a", limits, {1, 1, 1}, &second));
  EXPECT_FALSE(usage->Admit("a", limits)) << "some of it may come back";
  first.clear();  // cancelled before any work
  EXPECT_EQ(usage->TokensToday("a"), 0);
  ASSERT_FALSE(usage->Reserve("a", limits, {1, 400, 900}, &first));
  first[0]->Settle(10);
  first[0]->Settle(300);  // once only
  second[0]->Settle(200);
  EXPECT_EQ(usage->TokensToday("a"), 210);
  now_ += 3600;
  first.clear();
  ASSERT_FALSE(usage->Reserve("a", limits, {1, 600, 900}, &first));
  const auto refused = usage->Reserve("a", {0, 0, 1000}, {1, 191, 191}, &second);
  ASSERT_TRUE(refused);
  EXPECT_TRUE(refused->soon) << "others may not use all of theirs";
  EXPECT_EQ(usage->Reserve("a", {0, 0, 1000}, {1, 791, 791}, &second)->retry_after, 22 * 3600)
      << "used up";
}

TEST_F(UsageTest, AtTheSameMoment) {
  const auto usage = Open("");
  const KeyLimits limits{0, 0, 1000};
  std::atomic<int> admitted{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < 100; ++k) {
        Holds holds;
        if (usage->Reserve("a", limits, {1, 30, 30}, &holds)) continue;
        const bool cancelled = k % 3 == 0;
        if (!cancelled) ++admitted;
        holds[0]->Settle(cancelled ? 0 : 30);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(admitted, 33);
  EXPECT_EQ(usage->TokensToday("a"), 990);
}

TEST_F(UsageTest, ADaysQuotaOutlivesTheProcess) {
  const KeyLimits limits{0, 0, 1000};
  {
    const auto usage = Open(file_);
    EXPECT_FALSE(usage->Admit("a", limits));
    Spend(usage.get(), "a", 700);
    Spend(usage.get(), "b", 5);
  }
  {
    const auto usage = Open(file_);
    EXPECT_EQ(usage->TokensToday("a"), 700);
    EXPECT_EQ(usage->TokensToday("b"), 5);
    EXPECT_FALSE(usage->Admit("a", limits));
    Spend(usage.get(), "a", 300);
    const auto refused = usage->Admit("a", limits);
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->retry_after, 23 * 3600);
    EXPECT_NE(refused->message.find("1000 tokens a day"), std::string::npos);
    EXPECT_FALSE(usage->Admit("b", limits));
  }
  now_ += 23 * 3600;  // the next day
  const auto usage = Open(file_);
  EXPECT_FALSE(usage->Admit("a", limits));
  EXPECT_EQ(usage->TokensToday("a"), 0);
  now_ -= 7200;  // a clock that is set back does not bring yesterday's quota back
  Spend(usage.get(), "a", 1000);
  EXPECT_TRUE(usage->Admit("a", limits));
}

TEST_F(UsageTest, ALaterGalensFileIsLeftAlone) {
  { Spend(Open(file_).get(), "a", 1); }
  {
    Result<Database> database = Database::Open(file_);
    ASSERT_TRUE(database.ok());
    ASSERT_TRUE(database->Run("PRAGMA user_version = 99").ok());
  }
  const auto usage = Usage::Open(file_, [] { return 0.0; });
  ASSERT_FALSE(usage.ok());
  EXPECT_NE(usage.status().message().find(file_), std::string::npos);
}

}  // namespace
}  // namespace galen::server

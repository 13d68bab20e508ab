#include "server/security/usage.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

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

TEST_F(UsageTest, TokensAreOwed) {
  const auto usage = Open("");
  const KeyLimits limits{0, 600, 0};
  EXPECT_FALSE(usage->Admit("a", limits));
  usage->Charge("a", 590);
  EXPECT_FALSE(usage->Admit("a", limits)) << "ten are left";
  usage->Charge("a", 110);  // 100 too many
  const auto refused = usage->Admit("a", limits);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->retry_after, 11);
  now_ += refused->retry_after;
  EXPECT_FALSE(usage->Admit("a", limits));
}

TEST_F(UsageTest, ADaysQuotaOutlivesTheProcess) {
  const KeyLimits limits{0, 0, 1000};
  {
    const auto usage = Open(file_);
    EXPECT_FALSE(usage->Admit("a", limits));
    usage->Charge("a", 700);
    usage->Charge("b", 5);
  }
  {
    const auto usage = Open(file_);
    EXPECT_EQ(usage->TokensToday("a"), 700);
    EXPECT_EQ(usage->TokensToday("b"), 5);
    EXPECT_FALSE(usage->Admit("a", limits));
    usage->Charge("a", 300);
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
  usage->Charge("a", 1000);
  EXPECT_TRUE(usage->Admit("a", limits));
}

TEST_F(UsageTest, ALaterGalensFileIsLeftAlone) {
  { Open(file_)->Charge("a", 1); }
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

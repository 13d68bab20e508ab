#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "audit/audit_log.h"
#include "audit/verify.h"
#include "base/sha256.h"

namespace galen {
namespace {

namespace fs = std::filesystem;

class AuditTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("galen_audit_" + std::to_string(::getpid()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    path_ = folder_ / "audit.log";
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string Text() const {
    std::ostringstream text;
    text << std::ifstream(path_).rdbuf();
    return text.str();
  }
  void Write(const std::string& text) const { std::ofstream(path_) << text; }
  std::unique_ptr<AuditLog> Open() const {
    auto log = AuditLog::Open(path_);
    EXPECT_TRUE(log.ok()) << log.status().message();
    return log.ok() ? *std::move(log) : nullptr;
  }
  AuditReport Verify(const std::optional<AuditHead>& expected = {}) const {
    const auto report = VerifyAuditLog(path_, expected);
    EXPECT_TRUE(report.ok());
    return report.ok() ? *report : AuditReport();
  }

  fs::path folder_;
  std::string path_;
};

TEST(Hmac, Rfc4231) {
  const std::string key = "Jefe", text = "what do ya want for nothing?";
  const auto bytes = [](const std::string& s) {
    return std::span(reinterpret_cast<const uint8_t*>(s.data()), s.size());
  };
  EXPECT_EQ(HmacSha256Hex(bytes(key), bytes(text)),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  const std::string long_key(131, '\xaa');
  EXPECT_EQ(HmacSha256Hex(bytes(long_key),
                          bytes("Test Using Larger Than Block-Size Key - Hash Key First")),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST_F(AuditTest, RecordsFollowEachOtherAcrossStarts) {
  {
    const auto log = Open();
    ASSERT_TRUE(log->Append({{"event", "start"}, {"key", "ward"}}).ok());
    log->AppendLater({{"event", "done"}, {"status", 200}});
  }
  const std::string digest = Open()->Digest(Sha256Hex({}));
  EXPECT_EQ(digest, Open()->Digest(Sha256Hex({}))) << "one key for the life of the log";
  const AuditReport report = Verify();
  EXPECT_EQ(report.fault, "");
  EXPECT_EQ(report.head.seq, 5);
  EXPECT_EQ(report.repairs, 0);
  const auto tail = TailAuditLog(path_, 2);
  ASSERT_TRUE(tail.ok());
  EXPECT_EQ(tail->size(), 2u);
  EXPECT_EQ(fs::status(path_ + ".key").permissions() & fs::perms::all,
            fs::perms::owner_read | fs::perms::owner_write);
}

TEST_F(AuditTest, EveryChangeIsFound) {
  {
    const auto log = Open();
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(log->Append({{"event", "start"}, {"n", i}}).ok());
  }
  const std::string text = Text();
  const AuditHead head = Verify().head;
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line + "\n");
  ASSERT_EQ(lines.size(), 4u);
  for (size_t i = 0; i < text.size(); i += 7) {
    std::string changed = text;
    changed[i] = changed[i] == '0' ? '1' : '0';
    Write(changed);
    const AuditReport report = Verify();
    EXPECT_TRUE(!report.fault.empty() || report.torn_bytes > 0) << "byte " << i;
  }
  Write(lines[0] + lines[2] + lines[3]);
  EXPECT_NE(Verify().fault.find("line 2 has number 3"), std::string::npos) << Verify().fault;
  Write(lines[0] + lines[1] + lines[2]);
  EXPECT_EQ(Verify().fault, "") << "a chain does not know its end";
  EXPECT_FALSE(Verify(head).holds_expected) << "but a place that was noted does";
  Write(text);
  EXPECT_TRUE(Verify(head).holds_expected);
  EXPECT_FALSE(Verify(AuditHead{head.seq, std::string(64, 'a')}).holds_expected);
}

TEST_F(AuditTest, ATornLineIsCutOffAndNamed) {
  { Open(); }
  const std::string whole = Text();
  for (const size_t torn : {size_t{1}, size_t{40}, whole.size() - 1}) {
    Write(whole + whole.substr(0, torn));
    EXPECT_EQ(Verify().torn_bytes, static_cast<int64_t>(torn));
    { Open(); }
    const AuditReport report = Verify();
    EXPECT_EQ(report.fault, "");
    EXPECT_EQ(report.repairs, 1);
    EXPECT_EQ(report.head.seq, 2);
    EXPECT_NE(Text().find("\"torn_bytes\":" + std::to_string(torn)), std::string::npos);
  }
  Write(whole.substr(0, 20));  // nothing but a torn line
  { Open(); }
  EXPECT_EQ(Verify().head.seq, 1);
}

TEST_F(AuditTest, WhatIsNoLogIsRefused) {
  Write("something else\n");
  EXPECT_EQ(AuditLog::Open(path_).status().code(), StatusCode::kDataLoss);
  EXPECT_EQ(Text(), "something else\n");
  fs::remove(path_);
  const auto log = Open();
  const auto second = AuditLog::Open(path_);
  ASSERT_FALSE(second.ok());
  EXPECT_NE(second.status().message().find("another process"), std::string::npos);
  std::ofstream(path_ + ".key") << "nonsense\n";
  EXPECT_FALSE(ReadAuditKey(path_).ok());
  EXPECT_FALSE(ParseAuditHead("7").ok());
  EXPECT_FALSE(ParseAuditHead("x:" + std::string(64, 'a')).ok());
}

TEST_F(AuditTest, ThreadsShareTheChain) {
  {
    const auto log = Open();
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 50; ++i) {
          EXPECT_TRUE(log->Append({{"event", "start"}}).ok());
          log->AppendLater({{"event", "done"}});
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_EQ(Verify().fault, "");
  EXPECT_EQ(Verify().head.seq, 401);
}

// What Append acknowledged is there after the process was killed in the middle of others.
TEST_F(AuditTest, KilledAtAnyMoment) {
  for (int round = 0; round < 5; ++round) {
    int pipe_fds[2];
    ASSERT_EQ(::pipe(pipe_fds), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      auto log = AuditLog::Open(path_);
      if (!log.ok()) ::_exit(1);
      for (uint8_t i = 0;; ++i) {
        if (!(*log)->Append({{"event", "start"}, {"n", i}}).ok()) ::_exit(2);
        if (::write(pipe_fds[1], &i, 1) != 1) ::_exit(3);
      }
    }
    ::close(pipe_fds[1]);
    char byte = 0;
    int64_t acknowledged = 0;
    while (acknowledged < 20 + round && ::read(pipe_fds[0], &byte, 1) == 1) ++acknowledged;
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    while (::read(pipe_fds[0], &byte, 1) == 1) ++acknowledged;
    ::close(pipe_fds[0]);
    ASSERT_GE(acknowledged, 20);
    { Open(); }
    const AuditReport report = Verify();
    EXPECT_EQ(report.fault, "");
    std::istringstream text(Text());
    int64_t starts = 0;
    for (std::string line; std::getline(text, line);)
      starts += line.find("\"event\":\"start\"") != line.npos;
    EXPECT_GE(starts, acknowledged);
    fs::remove(path_);
  }
}

// A file that may grow no further behaves as on a full disk.
TEST_F(AuditTest, AFullDiskRefusesAndForgetsNothing) {
  const auto log = Open();
  rlimit old{};
  ::getrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, SIG_IGN);
  const rlimit full{fs::file_size(path_) + 100, old.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &full), 0);
  log->AppendLater({{"event", "done"}, {"kept", true}});
  EXPECT_FALSE(log->Append({{"event", "start"}}).ok());
  EXPECT_EQ(Verify().fault, "");
  EXPECT_EQ(Verify().torn_bytes, 0);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old), 0);
  EXPECT_TRUE(log->Append({{"event", "start"}, {"after", true}}).ok());
  EXPECT_EQ(Verify().head.seq, 3);
  EXPECT_NE(Text().find("\"kept\":true"), std::string::npos);
}

}  // namespace
}  // namespace galen

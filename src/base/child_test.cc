#include "base/child.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <thread>

#include "base/files.h"

namespace galen {
namespace {

Result<ChildOutput> Shell(const std::string& script, ChildLimits limits = {}) {
  ChildRequest request;
  request.argv = {"sh", "-c", script};
  request.limits = limits;
  return RunChild(request);
}

double SecondsOf(const std::function<void()>& fn) {
  const auto start = std::chrono::steady_clock::now();
  fn();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

TEST(Child, OutputErrorsExitCode) {
  const auto done = Shell("printf out; printf err >&2; exit 3");
  ASSERT_TRUE(done.ok()) << done.status().message();
  EXPECT_EQ(done->out, "out");
  EXPECT_EQ(done->err, "err");
  EXPECT_EQ(done->exit_code, 3);
}

TEST(Child, ArgumentsAreNoShellText) {
  ChildRequest request;
  request.argv = {"printf", "%s", "$(id); `id` | x"};
  const auto done = RunChild(request);
  ASSERT_TRUE(done.ok());
  EXPECT_EQ(done->out, "$(id); `id` | x");
}

TEST(Child, LargeInputComesThrough) {
  std::vector<uint8_t> bytes(3 << 20);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(i * 2654435761u >> 24);
  ChildRequest request;
  request.argv = {"cat"};
  request.input = bytes;
  const auto done = RunChild(request);
  ASSERT_TRUE(done.ok());
  EXPECT_EQ(done->out, std::string(bytes.begin(), bytes.end()));
}

TEST(Child, MissingProgram) {
  ChildRequest request;
  request.argv = {"no-such-program-of-galen"};
  EXPECT_EQ(RunChild(request).status().code(), StatusCode::kNotFound);
  request.argv = {"/etc/passwd"};
  EXPECT_EQ(RunChild(request).status().code(), StatusCode::kIo);
  request.argv = {};
  EXPECT_EQ(RunChild(request).status().code(), StatusCode::kInvalidArgument);
}

TEST(Child, TimeLimitEndsTheWholeGroup) {
  const auto folder = TemporaryFolder::Make();
  ASSERT_TRUE(folder.ok());
  const std::string mark = folder->path() + "/late";
  ChildLimits limits;
  limits.seconds = 0.3;
  limits.file_bytes = 1 << 20;
  Status status;
  // The grandchild would write the mark after a second; it must be dead by then.
  EXPECT_LT(SecondsOf([&] {
              status = Shell("(sleep 1; touch " + mark + ") & sleep 30", limits).status();
            }),
            5);
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted) << status.message();
  std::this_thread::sleep_for(std::chrono::milliseconds(1200));
  EXPECT_FALSE(FileExists(mark));
}

TEST(Child, GrandchildThatHoldsThePipeDoesNotDelay) {
  Result<ChildOutput> done = IoError("not run");
  EXPECT_LT(SecondsOf([&] { done = Shell("sleep 20 & echo early"); }), 5);
  ASSERT_TRUE(done.ok()) << done.status().message();
  EXPECT_EQ(done->out, "early\n");
}

TEST(Child, OutputLimit) {
  ChildLimits limits;
  limits.output_bytes = 1000;
  EXPECT_EQ(Shell("yes", limits).status().code(), StatusCode::kResourceExhausted);
  const auto exact = Shell("head -c 1000 /dev/zero", limits);
  ASSERT_TRUE(exact.ok());
  EXPECT_EQ(exact->out.size(), 1000u);
  limits.error_bytes = 10;
  const auto errors = Shell("head -c 300000 /dev/zero >&2; echo done", limits);
  ASSERT_TRUE(errors.ok()) << errors.status().message();
  EXPECT_EQ(errors->err.size(), 10u);
  EXPECT_EQ(errors->out, "done\n");
}

TEST(Child, MemoryLimit) {
  ChildLimits limits;
  limits.memory_bytes = size_t{64} << 20;
  const auto done = Shell("head -c 200000000 /dev/zero | tail -c 199999999 >/dev/null", limits);
  EXPECT_TRUE(!done.ok() || done->exit_code != 0);
}

TEST(Child, FilesAreNotWrittenUnlessAllowed) {
  const auto refused = Shell("exec head -c 100 /dev/zero >file");
  ASSERT_TRUE(refused.ok());
  EXPECT_NE(refused->exit_code, 0);
  EXPECT_NE(refused->err.find("too large"), std::string::npos) << refused->err;
  ChildLimits limits;
  limits.file_bytes = 100;
  const auto done = Shell("head -c 100 /dev/zero >file && pwd", limits);
  ASSERT_TRUE(done.ok());
  ASSERT_EQ(done->exit_code, 0);
  const std::string folder = done->out.substr(0, done->out.size() - 1);
  EXPECT_NE(folder.find("galen-"), std::string::npos);
  EXPECT_FALSE(FileExists(folder));
}

TEST(Child, EnvironmentAndDescriptorsAreBare) {
  ::setenv("GALEN_TEST_SECRET", "x", 1);
  int leak[2];
  ASSERT_EQ(::pipe(leak), 0);  // without O_CLOEXEC
  const auto done = Shell("env; ls /proc/self/fd");
  ::close(leak[0]);
  ::close(leak[1]);
  ASSERT_TRUE(done.ok());
  EXPECT_EQ(done->out.find("GALEN_TEST_SECRET"), std::string::npos);
  const std::string ends = "0\n1\n2\n3\n";  // 3 is what ls itself opens
  ASSERT_GE(done->out.size(), ends.size());
  EXPECT_EQ(done->out.substr(done->out.size() - ends.size()), ends) << done->out;
}

TEST(Child, SignalIsAnError) {
  const Status status = Shell("kill -SEGV $$").status();
  EXPECT_EQ(status.code(), StatusCode::kDataLoss);
  EXPECT_NE(status.message().find("signal 11"), std::string::npos) << status.message();
}

TEST(Child, Cancel) {
  std::atomic<bool> cancelled{false};
  ChildRequest request;
  request.argv = {"sleep", "30"};
  request.cancelled = [&] { return cancelled.load(); };
  std::thread later([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    cancelled = true;
  });
  EXPECT_EQ(RunChild(request).status().code(), StatusCode::kCancelled);
  later.join();
}

TEST(Child, MayRunFromSeveralThreads) {
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 5; ++i) {
        const auto done = Shell("echo " + std::to_string(t * 10 + i));
        if (done.ok() && done->out == std::to_string(t * 10 + i) + "\n") ++right;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(right, 20);
}

TEST(TemporaryFolder, PrivateAndRemoved) {
  std::string path;
  {
    const auto folder = TemporaryFolder::Make();
    ASSERT_TRUE(folder.ok());
    path = folder->path();
    struct stat info;
    ASSERT_EQ(::stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0700u);
    ASSERT_TRUE(WriteFileAtomically(path + "/x", "y").ok());
  }
  EXPECT_FALSE(FileExists(path));
}

}  // namespace
}  // namespace galen

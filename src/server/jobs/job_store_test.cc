#include "server/jobs/job_store.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "base/child.h"

namespace galen::server {
namespace {

JobRecord JobOf(const std::string& id, const std::string& tenant = "ward") {
  JobRecord job;
  job.id = id;
  job.tenant = tenant;
  job.state = "queued";
  job.created = 100;
  job.expires = 200;
  return job;
}

class JobStoreTest : public testing::Test {
 protected:
  std::unique_ptr<JobStore> Open(int64_t expires = 1000) {
    Result<std::unique_ptr<JobStore>> store = JobStore::Open(path_, expires);
    EXPECT_TRUE(store.ok()) << store.status().message();
    return *std::move(store);
  }
  std::string StateOf(JobStore* store, const std::string& id) {
    const auto found = store->Find(id, "ward");
    return !found.ok() ? "error" : *found ? (*found)->state : "none";
  }

  // In the database or the log beside it.
  bool FilesHold(const std::string& text) const {
    for (const char* ending : {"", "-wal"}) {
      std::ifstream file(path_ + ending, std::ios::binary);
      const std::string bytes(std::istreambuf_iterator<char>(file), {});
      if (bytes.find(text) != bytes.npos) return true;
    }
    return false;
  }

  TemporaryFolder folder_ = *TemporaryFolder::Make();
  std::string path_ = folder_.path() + "/jobs.db";
};

TEST_F(JobStoreTest, AJobFromItsBeginningToItsEnd) {
  const auto store = Open();
  ASSERT_TRUE(store->Add(JobOf("a")).ok());
  EXPECT_FALSE(store->Add(JobOf("a")).ok()) << "an id is one job's";
  ASSERT_TRUE(store->SetState("a", "running").ok());
  const std::string answer("{\"value\":\"5\0 7\"}", 15);
  ASSERT_TRUE(store->Finish("a", "done", "application/json", answer, 300).ok());
  const auto found = store->Find("a", "ward");
  ASSERT_TRUE(found.ok() && *found);
  EXPECT_EQ((*found)->state, "done");
  EXPECT_EQ((*found)->answer, answer);
  EXPECT_EQ((*found)->expires, 300);
  EXPECT_EQ((*found)->content_type, "application/json");
  // What is over stays as it is.
  ASSERT_TRUE(store->SetState("a", "running").ok());
  ASSERT_TRUE(store->Finish("a", "failed", "x", "y", 1).ok());
  EXPECT_EQ(StateOf(store.get(), "a"), "done");
}

TEST_F(JobStoreTest, OthersSeeNothing) {
  const auto store = Open();
  ASSERT_TRUE(store->Add(JobOf("a", "lab")).ok());
  EXPECT_EQ(StateOf(store.get(), "a"), "none");
  EXPECT_EQ(StateOf(store.get(), "a' OR '1'='1"), "none");
}

TEST_F(JobStoreTest, ExpiredOnesGoAndTheirTextWithThem) {
  const auto store = Open();
  for (const char* id : {"a", "b", "c"}) ASSERT_TRUE(store->Add(JobOf(id)).ok());
  const std::string secret = "Mustermann-Xq7";
  ASSERT_TRUE(store->Finish("a", "done", "text/csv", secret, 300).ok());
  ASSERT_TRUE(store->Finish("b", "done", "text/csv", "", 301).ok());
  ASSERT_TRUE(store->RemoveExpired(300).ok());
  EXPECT_FALSE(FilesHold(secret));
  EXPECT_EQ(StateOf(store.get(), "a"), "none");
  EXPECT_EQ(StateOf(store.get(), "b"), "done");
  EXPECT_EQ(StateOf(store.get(), "c"), "queued")
      << "who waits longer than an hour is not forgotten";
  const std::string other = "Beispiel-Xq8";
  JobRecord job = JobOf("d");
  job.answer = other;
  ASSERT_TRUE(store->Add(job).ok());
  EXPECT_TRUE(FilesHold(other));
  ASSERT_TRUE(*store->Remove("d", "ward"));
  EXPECT_FALSE(FilesHold(other));
  ASSERT_TRUE(*store->Remove("b", "ward"));
  EXPECT_EQ(StateOf(store.get(), "b"), "none");
}

TEST_F(JobStoreTest, WhatWasUnfinishedIsInterrupted) {
  {
    const auto store = Open();
    for (const char* id : {"a", "b", "c"}) ASSERT_TRUE(store->Add(JobOf(id)).ok());
    ASSERT_TRUE(store->SetState("b", "running").ok());
    ASSERT_TRUE(store->Finish("c", "done", "x", "y", 300).ok());
  }
  const auto store = Open(777);
  EXPECT_EQ(StateOf(store.get(), "a"), "interrupted");
  EXPECT_EQ((*store->Find("b", "ward"))->expires, 777);
  EXPECT_EQ(StateOf(store.get(), "c"), "done");
}

// Killed at any moment: what was acknowledged is there.
TEST_F(JobStoreTest, NothingAcknowledgedIsLost) {
  int pipe_ends[2];
  ASSERT_EQ(::pipe(pipe_ends), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    auto store = JobStore::Open(path_, 1000);
    for (int i = 0; store.ok() && i < 100000; ++i) {
      if (!(*store)->Add(JobOf(std::to_string(i))).ok()) break;
      if (::write(pipe_ends[1], &i, sizeof(i)) != sizeof(i)) break;
    }
    ::_exit(0);
  }
  int last = -1;
  for (int i = 0; i < 50; ++i) ASSERT_EQ(::read(pipe_ends[0], &last, sizeof(last)), 4);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::close(pipe_ends[0]);
  ::close(pipe_ends[1]);
  const auto store = Open();
  for (int i = 0; i <= last; ++i) EXPECT_EQ(StateOf(store.get(), std::to_string(i)), "interrupted");
}

TEST_F(JobStoreTest, FilesAreForThisUserAlone) {
  const auto store = Open();
  ASSERT_TRUE(store->Add(JobOf("a")).ok());
  for (const char* ending : {"", "-wal", "-shm"}) {
    struct stat st;
    ASSERT_EQ(::stat((path_ + ending).c_str(), &st), 0) << ending;
    EXPECT_EQ(st.st_mode & 0777, 0600u) << ending;
  }
}

TEST_F(JobStoreTest, OneServerAlone) {
  auto store = Open();
  EXPECT_EQ(JobStore::Open(path_, 0).status().code(), StatusCode::kIo);
  store.reset();
  EXPECT_TRUE(JobStore::Open(path_, 0).ok());
}

TEST_F(JobStoreTest, NoDatabaseIsSaidSo) {
  std::ofstream(path_) << std::string(5000, 'x');
  EXPECT_EQ(JobStore::Open(path_, 0).status().code(), StatusCode::kDataLoss);
  EXPECT_EQ(JobStore::Open("/nonexistent/jobs.db", 0).status().code(), StatusCode::kIo);
}

// With a key no answer lies in the files, nor one that lay there before; another key opens none.
TEST_F(JobStoreTest, SealedAnswers) {
  const auto key = [&](char digit) {
    const std::string path = folder_.path() + "/" + digit;
    std::ofstream(path) << std::string(64, digit);
    ::chmod(path.c_str(), 0600);
    return *SealKey::Read(path);
  };
  const std::string before = "Mustermann-Xq7", after = "Beispiel-Xq8";
  {
    const auto store = Open();
    ASSERT_TRUE(store->Add(JobOf("old")).ok());
    ASSERT_TRUE(store->Finish("old", "done", "text/csv", before, 300).ok());
    EXPECT_TRUE(FilesHold(before));
  }
  {
    auto store = JobStore::Open(path_, 1000, key('1'));
    ASSERT_TRUE(store.ok()) << store.status().message();
    EXPECT_FALSE(FilesHold(before));
    EXPECT_EQ((*(*store)->Find("old", "ward"))->answer, before);
    ASSERT_TRUE((*store)->Add(JobOf("new")).ok());
    ASSERT_TRUE((*store)->Finish("new", "done", "text/csv", after, 300).ok());
    EXPECT_FALSE(FilesHold(after));
    EXPECT_EQ((*(*store)->Find("new", "ward"))->answer, after);
    EXPECT_FALSE((**(*store)->Find("new", "ward")).state.empty());
    EXPECT_FALSE(*(*store)->Find("new", "lab"));
  }
  {
    auto other = JobStore::Open(path_, 1000, key('2'));
    ASSERT_TRUE(other.ok());
    EXPECT_EQ((*other)->Find("new", "ward").status().code(), StatusCode::kUnsupported);
    ASSERT_TRUE((*other)->Add(JobOf("gone")).ok());
    ASSERT_TRUE((*other)->Finish("gone", "done", "text/csv", after, 300).ok());
  }
  EXPECT_EQ(Open()->Find("new", "ward").status().code(), StatusCode::kUnsupported);
  // Whoever may not read it may still have it deleted; another tenant may not.
  EXPECT_FALSE(*Open()->Remove("gone", "lab"));
  EXPECT_TRUE(*Open()->Remove("gone", "ward"));
  // An answer that was put into another job's row is refused.
  {
    Result<Database> database = Database::Open(path_);
    ASSERT_TRUE(database.ok());
    ASSERT_TRUE(database
                    ->Run("UPDATE jobs SET answer = (SELECT answer FROM jobs WHERE id = 'old') "
                          "WHERE id = 'new'")
                    .ok());
  }
  auto store = JobStore::Open(path_, 1000, key('1'));
  ASSERT_TRUE(store.ok());
  EXPECT_EQ((*store)->Find("new", "ward").status().code(), StatusCode::kDataLoss);
  EXPECT_EQ((*(*store)->Find("old", "ward"))->answer, before);
}

// From every earlier version to this one, with what lies in the tables; a later one is refused.
TEST_F(JobStoreTest, Migrations) {
  const auto steps = JobMigrations();
  for (size_t from = 0; from <= steps.size(); ++from) {
    const std::string path = folder_.path() + "/from" + std::to_string(from);
    {
      Result<Database> database = Database::Open(path);
      ASSERT_TRUE(database.ok());
      ASSERT_TRUE(Migrate(&*database, steps.first(from)).ok());
      if (from >= 1) {
        ASSERT_TRUE(database
                        ->Run("INSERT INTO jobs (id, tenant, state, created, expires, "
                              "content_type, answer) VALUES ('old', 'ward', 'done', 1, 2, "
                              "'text/csv', 'a,b')")
                        .ok());
      }
    }
    Result<std::unique_ptr<JobStore>> store = JobStore::Open(path, 1000);
    ASSERT_TRUE(store.ok()) << store.status().message();
    ASSERT_TRUE((*store)->Add(JobOf("new")).ok());
    EXPECT_EQ(StateOf(store->get(), "old"), from >= 1 ? "done" : "none");
  }
  Result<Database> database = Database::Open(path_);
  ASSERT_TRUE(database.ok());
  ASSERT_TRUE(
      database->Run(("PRAGMA user_version = " + std::to_string(steps.size() + 1)).c_str()).ok());
  EXPECT_EQ(Migrate(&*database, steps).code(), StatusCode::kUnsupported);
}

TEST_F(JobStoreTest, AStepThatFailsLeavesTheTablesAsTheyWere) {
  Result<Database> database = Database::Open(path_);
  ASSERT_TRUE(database.ok());
  const std::vector<std::vector<const char*>> steps = {{"CREATE TABLE a (x)"},
                                                       {"CREATE TABLE b (x)", "no SQL"}};
  ASSERT_TRUE(Migrate(&*database, std::span(steps).first(1)).ok());
  EXPECT_FALSE(Migrate(&*database, steps).ok());
  EXPECT_FALSE(database->Run("INSERT INTO b VALUES (1)").ok());
  EXPECT_TRUE(database->Run("INSERT INTO a VALUES (1)").ok());
}

}  // namespace
}  // namespace galen::server

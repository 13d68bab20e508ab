#include "server/documents/document_pool.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>

namespace galen::server {
namespace {

// Opens once, for all.
class Gate {
 public:
  void Open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void Wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

TEST(DocumentPool, ClientsTakeTurnsAndTheQueueHasAnEnd) {
  Gate begun, go, done;
  std::string order;
  std::mutex mutex;
  DocumentPool pool(1, 4);
  const auto note = [&](char c) {
    return [&, c] {
      const std::lock_guard lock(mutex);
      order += c;
      if (order.size() == 4) done.Open();
    };
  };
  ASSERT_NE(pool.Submit("a", 0, std::stop_source(),
                        [&] {
                          begun.Open();
                          go.Wait();
                        }),
            0);
  begun.Wait();
  for (const char c : {'1', '2', '3'})
    ASSERT_NE(pool.Submit("a", 0, std::stop_source(), note(c)), 0);
  ASSERT_NE(pool.Submit("b", 0, std::stop_source(), note('b')), 0);
  EXPECT_EQ(pool.Submit("b", 0, std::stop_source(), note('x')), 0) << "full";
  EXPECT_EQ(pool.counters().refused, 1);
  EXPECT_EQ(pool.counters().waiting, 4);
  go.Open();
  done.Wait();
  EXPECT_EQ(order, "1b23");
}

TEST(DocumentPool, WhatIsDroppedIsNotCalled) {
  Gate begun, go, done;
  bool called = false;
  DocumentPool pool(1, 4);
  pool.Submit("a", 0, std::stop_source(), [&] {
    begun.Open();
    go.Wait();
  });
  begun.Wait();
  const int64_t id = pool.Submit("a", 0, std::stop_source(), [&] { called = true; });
  pool.Submit("a", 0, std::stop_source(), [&] { done.Open(); });
  pool.Drop(id);
  pool.Drop(12345);
  go.Open();
  done.Wait();
  EXPECT_FALSE(called);
}

TEST(DocumentPool, BytesCountUntilTheWorkEnds) {
  Gate begun, go, done;
  DocumentPool pool(1, 8, 100);
  const auto nothing = [] {};
  EXPECT_EQ(pool.Submit("a", 101, std::stop_source(), nothing), 0);
  ASSERT_NE(pool.Submit("a", 60, std::stop_source(),
                        [&] {
                          begun.Open();
                          go.Wait();
                        }),
            0);
  begun.Wait();
  EXPECT_EQ(pool.Submit("b", 41, std::stop_source(), nothing), 0) << "that at work counts";
  const int64_t id = pool.Submit("b", 40, std::stop_source(), nothing);
  ASSERT_NE(id, 0);
  EXPECT_EQ(pool.Submit("b", 1, std::stop_source(), nothing), 0);
  EXPECT_TRUE(pool.Drop(id));
  EXPECT_FALSE(pool.Drop(id));
  ASSERT_NE(pool.Submit("b", 40, std::stop_source(), [&] { done.Open(); }), 0);
  go.Open();
  done.Wait();
  while (pool.counters().running > 0) std::this_thread::yield();
  EXPECT_NE(pool.Submit("b", 100, std::stop_source(), nothing), 0);
}

TEST(DocumentPool, AtItsEndAllAreAskedToStopAndCalled) {
  int stopped = 0;
  {
    Gate begun;
    DocumentPool pool(1, 4);
    std::stop_source first, second;
    pool.Submit("a", 0, first, [&, token = first.get_token()] {
      begun.Open();
      while (!token.stop_requested()) std::this_thread::yield();
      ++stopped;
    });
    begun.Wait();
    pool.Submit("a", 0, second, [&, token = second.get_token()] {
      EXPECT_TRUE(token.stop_requested());
      ++stopped;
    });
  }
  EXPECT_EQ(stopped, 2);
}

}  // namespace
}  // namespace galen::server

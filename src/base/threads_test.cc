#include "base/threads.h"

#include <gtest/gtest.h>

#include <chrono>

namespace galen {
namespace {

TEST(ThreadPool, RunsEveryWorkerOnceInEachRegion) {
  for (int n : {1, 2, 3, 5}) {
    ThreadPool pool(n);
    std::vector<int> calls(n, 0);
    for (int region = 0; region < 1000; ++region) pool.Run([&](int worker) { ++calls[worker]; });
    for (int worker = 0; worker < n; ++worker) EXPECT_EQ(calls[worker], 1000);
  }
}

TEST(ThreadPool, WakesAfterSleeping) {
  ThreadPool pool(2);
  std::atomic<int> calls = 0;
  for (int i = 0; i < 3; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    pool.Run([&](int) { ++calls; });
  }
  EXPECT_EQ(calls, 6);
}

TEST(ThreadPool, BarrierSeparatesPhases) {
  ThreadPool pool(3);
  std::vector<int> first(3, 0);
  std::vector<int> sums(3, 0);
  for (int round = 1; round <= 200; ++round) {
    pool.Run([&](int worker) {
      first[worker] = round;
      pool.Barrier();
      sums[worker] = first[0] + first[1] + first[2];
      pool.Barrier();
    });
    for (int sum : sums) ASSERT_EQ(sum, 3 * round);
  }
}

TEST(WorkQueue, CoversTheRangeOnce) {
  ThreadPool pool(2);
  WorkQueue queue(1001, 7);
  std::vector<std::atomic<int>> hits(1001);
  pool.Run([&](int) {
    for (int64_t begin, end; queue.Next(&begin, &end);) {
      for (int64_t i = begin; i < end; ++i) ++hits[i];
    }
  });
  for (const auto& hit : hits) EXPECT_EQ(hit, 1);
}

TEST(StripedQueue, CoversTheRangeOnce) {
  for (const int64_t total : {1, 6, 7, 8, 100, 1001}) {
    for (const int workers : {1, 2, 3, 70}) {
      StripedQueue queue(total, 7, workers);
      std::vector<int> hits(total);
      for (int turn = 0, idle = 0; idle < workers; ++turn) {
        int64_t begin, end;
        if (!queue.Next(turn % workers, &begin, &end)) {
          ++idle;
          continue;
        }
        ASSERT_LT(begin, end);
        for (int64_t i = begin; i < end; ++i) ++hits[i];
      }
      EXPECT_EQ(hits, std::vector<int>(total, 1)) << total << " among " << workers;
    }
  }
}

TEST(StripedQueue, WorkersReadForwardsThenHelp) {
  StripedQueue queue(40, 10, 2);
  EXPECT_EQ(queue.begin(0), 0);
  EXPECT_EQ(queue.begin(1), 20);
  int64_t begin, end;
  for (const int64_t first : {20, 30, 0, 10}) {
    ASSERT_TRUE(queue.Next(1, &begin, &end));
    EXPECT_EQ(begin, first);
    EXPECT_EQ(end, first + 10);
  }
  EXPECT_FALSE(queue.Next(0, &begin, &end));
}

}  // namespace
}  // namespace galen

#include "server/admission_queue.h"

#include <gtest/gtest.h>

namespace galen::server {
namespace {

TEST(AdmissionQueue, ClientsTakeTurns) {
  AdmissionQueue<int> queue(100);
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(queue.Push("greedy", i, i));
  ASSERT_TRUE(queue.Push("modest", 10, 10));
  ASSERT_TRUE(queue.Push("modest", 11, 11));
  std::vector<int> order;
  while (auto next = queue.Pop()) order.push_back(next->second);
  EXPECT_EQ(order, (std::vector<int>{0, 10, 1, 11, 2, 3, 4}));
  EXPECT_EQ(queue.size(), 0);
}

TEST(AdmissionQueue, IsBounded) {
  AdmissionQueue<int> queue(2);
  EXPECT_TRUE(queue.Push("a", 1, 1));
  EXPECT_TRUE(queue.Push("b", 2, 2));
  EXPECT_FALSE(queue.Push("c", 3, 3));
  ASSERT_TRUE(queue.Pop());
  EXPECT_TRUE(queue.Push("c", 3, 3));
}

TEST(AdmissionQueue, RemoveKeepsTheTurnsOfOthers) {
  AdmissionQueue<int> queue(10);
  queue.Push("a", 1, 1);
  queue.Push("a", 2, 2);
  queue.Push("b", 3, 3);
  EXPECT_EQ(queue.Remove(1), 1);
  EXPECT_EQ(queue.Remove(1), std::nullopt);
  EXPECT_EQ(queue.Remove(3), 3);
  EXPECT_EQ(queue.size(), 1);
  EXPECT_EQ(queue.Pop()->second, 2);
  EXPECT_FALSE(queue.Pop());
  EXPECT_TRUE(queue.Push("b", 4, 4));
  EXPECT_EQ(queue.Pop()->second, 4);
}

}  // namespace
}  // namespace galen::server

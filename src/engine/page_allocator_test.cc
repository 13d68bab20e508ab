#include "engine/page_allocator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "base/status.h"

namespace galen {
namespace {

TEST(PageAllocator, LowestNumbersFirst) {
  PageAllocator pages(3);
  EXPECT_EQ(pages.Allocate(), 0);
  EXPECT_EQ(pages.Allocate(), 1);
  EXPECT_EQ(pages.Allocate(), 2);
  EXPECT_EQ(pages.Allocate(), -1);
  pages.Unref(2);
  pages.Unref(0);
  EXPECT_EQ(pages.num_free(), 2);
  EXPECT_EQ(pages.Allocate(), 0);
  EXPECT_EQ(pages.Allocate(), 2);
}

TEST(PageAllocator, APageIsFreeWhenNobodyHoldsIt) {
  PageAllocator pages(1);
  const int32_t page = pages.Allocate();
  pages.Ref(page);
  EXPECT_EQ(pages.references(page), 2);
  pages.Unref(page);
  EXPECT_EQ(pages.num_free(), 0);
  pages.Unref(page);
  EXPECT_EQ(pages.num_free(), 1);
}

TEST(PageAllocator, CountingErrorsAreCaught) {
  PageAllocator pages(1);
  EXPECT_THROW(pages.Ref(0), InternalError);
  EXPECT_THROW(pages.Unref(0), InternalError);
}

TEST(PageAllocator, RandomUseKeepsTheCounts) {
  PageAllocator pages(17);
  std::vector<int> model(17, 0);
  std::mt19937 random(1);
  for (int step = 0; step < 5000; ++step) {
    const int32_t page = static_cast<int32_t>(random() % 17);
    switch (random() % 3) {
      case 0: {
        const int32_t got = pages.Allocate();
        const auto lowest = std::find(model.begin(), model.end(), 0);
        ASSERT_EQ(got, lowest == model.end() ? -1 : lowest - model.begin());
        if (got >= 0) model[got] = 1;
        break;
      }
      case 1:
        if (model[page] > 0) pages.Ref(page), ++model[page];
        break;
      default:
        if (model[page] > 0) pages.Unref(page), --model[page];
    }
    ASSERT_EQ(pages.references(page), model[page]);
    ASSERT_EQ(pages.num_free(), std::count(model.begin(), model.end(), 0));
  }
}

}  // namespace
}  // namespace galen

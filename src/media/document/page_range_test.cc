#include "media/document/page_range.h"

#include <gtest/gtest.h>

namespace galen {
namespace {

using Pages = std::vector<int64_t>;

TEST(PageRange, Lists) {
  EXPECT_EQ(*ParsePageRange("1-3,7", 9, 100), (Pages{1, 2, 3, 7}));
  EXPECT_EQ(*ParsePageRange(" 2 - 3 , 1 ", 9, 100), (Pages{2, 3, 1}));
  EXPECT_EQ(*ParsePageRange("8-", 9, 100), (Pages{8, 9}));
  EXPECT_EQ(*ParsePageRange("", 3, 100), (Pages{1, 2, 3}));
  EXPECT_EQ(*ParsePageRange("2,1-3,2", 3, 100), (Pages{2, 1, 3}));
}

TEST(PageRange, Refused) {
  for (const char* text :
       {",", "1,", ",1", "a", "1-b", "-3", "-", "3-1", "+1", "1.5", "0", "0-2", "10", "1-10",
        "1--2", "99999999999999999999", "1-99999999999999999999", "1 2"}) {
    EXPECT_EQ(ParsePageRange(text, 9, 100).status().code(), StatusCode::kInvalidArgument) << text;
  }
  EXPECT_FALSE(ParsePageRange("", 0, 100).ok());
}

TEST(PageRange, LimitHoldsBeforeTheListIsBuilt) {
  EXPECT_EQ(ParsePageRange("1-", 2000000000, 50).status().code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(ParsePageRange("1-50", 2000000000, 50)->size(), 50u);
}

}  // namespace
}  // namespace galen

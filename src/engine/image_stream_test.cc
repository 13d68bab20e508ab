#include "engine/image_stream.h"

#include <gtest/gtest.h>

#include <atomic>

namespace galen {
namespace {

Result<Image> Make(int64_t index, std::vector<std::string>* warnings) {
  warnings->push_back(std::to_string(index));
  if (index == 3) return DataLoss("3 is broken");
  return Image{index + 1, 1, 1, {}};
}

TEST(ImageStream, OrderAndErrors) {
  ImageStream stream(50, 4, Make);
  for (int64_t i = 0; i < 50; ++i) {
    const auto next = stream.Next();
    ASSERT_TRUE(next.has_value());
    EXPECT_EQ(next->index, i);
    EXPECT_EQ(next->status.ok(), i != 3);
    EXPECT_EQ(next->warnings, std::vector<std::string>{std::to_string(i)});
    if (i != 3) {
      EXPECT_EQ(next->image.width, i + 1);
    }
  }
  EXPECT_FALSE(stream.Next().has_value());
  EXPECT_FALSE(stream.Next().has_value());
}

TEST(ImageStream, NeverFarAhead) {
  std::atomic<int> made{0};
  ImageStream stream(40, 3, [&](int64_t index, std::vector<std::string>* warnings) {
    ++made;
    return Make(index, warnings);
  });
  for (int taken = 1; taken <= 40; ++taken) {
    ASSERT_TRUE(stream.Next().has_value());
    EXPECT_LE(made.load(), taken + 3);
  }
}

TEST(ImageStream, EndsEarly) {
  for (const int take : {0, 1, 7}) {
    ImageStream stream(1000, 2, Make);
    for (int i = 0; i < take; ++i) ASSERT_TRUE(stream.Next().has_value());
  }
  ImageStream empty(0, 2, Make);
  EXPECT_FALSE(empty.Next().has_value());
}

}  // namespace
}  // namespace galen

#include "recipes/boxes.h"

#include <gtest/gtest.h>

#include "recipes/square.h"

namespace galen {
namespace {

TEST(Boxes, LastFencedListCounts) {
  const auto answer = ParseBoxes(
      "For instance ```json[{\"box_2d\": [1, 2, 3, 4], \"label\": \"x\"}]``` is valid.\nFinal "
      "Answer: ```json\n"
      "[{\"box_2d\": [100, 200, 300, 400], \"label\": \"right clavicle\"}, {\"box_2d\": [0, 0, "
      "1000, 1000.0]}]\n```");
  ASSERT_TRUE(answer.ok()) << answer.status().message();
  ASSERT_EQ(answer->boxes.size(), 2u);
  EXPECT_EQ(answer->boxes[0].label, "right clavicle");
  EXPECT_EQ(answer->boxes[0].normalised, (Box{200, 100, 400, 300}));  // y first in the answer
  EXPECT_TRUE(answer->warnings.empty());
}

TEST(Boxes, WithoutFence) {
  const auto answer = ParseBoxes(
      "Reasoning [1]. Final Answer: [{\"box_2d\": [1, 2, 3, 4], \"label\": \"heart\"}].");
  ASSERT_TRUE(answer.ok()) << answer.status().message();
  EXPECT_EQ(answer->boxes.size(), 1u);
  // Cut off by the limit of tokens: the fence is open, the list is not.
  EXPECT_TRUE(ParseBoxes("```json[{\"box_2d\": [1, 2, 3, 4], \"label\": \"heart\"}]").ok());
  EXPECT_EQ(ParseBoxes("```json[{\"box_2d\": [1, 2").status().code(), StatusCode::kDataLoss);
}

TEST(Boxes, WhatIsNoBoxIsLeftOut) {
  const auto answer = ParseBoxes(
      "```json[{\"box_2d\": [1, 2, 3]}, {\"box_2d\": [1, 2, 3, \"4\"]}, {\"box_2d\": [1, 2, 3, "
      "1001]}, "
      "{\"box_2d\": [-1, 2, 3, 4]}, {\"box_2d\": [3, 2, 1, 4]}, {\"box_2d\": [1, 4, 3, 4]}, 7, "
      "null, {\"label\": \"x\"}, "
      "{\"box_2d\": [1, 2, 3, 4], \"label\": 5}]```");
  ASSERT_TRUE(answer.ok()) << answer.status().message();
  EXPECT_EQ(answer->boxes.size(), 1u);
  EXPECT_EQ(answer->warnings.size(), 9u);
  for (const char* none : {"", "no list", "Final Answer: none", "Final Answer: ]["}) {
    EXPECT_EQ(ParseBoxes(none).status().code(), StatusCode::kNotFound) << none;
  }
}

SeenImage Seen(int64_t width, int64_t height) {
  SeenImage seen;
  seen.image.width = seen.to_source.source_width = width;
  seen.image.height = seen.to_source.source_height = height;
  for (int64_t i = 0; i < width * height; ++i) {
    for (int c = 0; c < 3; ++c) seen.image.pixels.push_back(static_cast<uint8_t>(1 + i % 200));
  }
  return seen;
}

// Where a pixel of the source goes by padding, the box around it leads back to it.
TEST(Boxes, PaddingIsRemoved) {
  for (const auto& [width, height] :
       std::vector<std::pair<int64_t, int64_t>>{{7, 4}, {4, 7}, {5, 5}, {1, 8}, {6, 5}}) {
    SeenImage seen = Seen(width, height);
    const Image before = seen.image;
    PadToSquare(&seen);
    const int64_t side = std::max(width, height);
    ASSERT_EQ(seen.image.width, side);
    ASSERT_EQ(seen.image.height, side);
    const int64_t left = (side - width) / 2, top = (side - height) / 2;
    for (int64_t y = 0; y < side; ++y) {
      for (int64_t x = 0; x < side; ++x) {
        const bool inside = x >= left && x < left + width && y >= top && y < top + height;
        EXPECT_EQ(seen.image.row(y)[3 * x], inside ? before.row(y - top)[3 * (x - left)] : 0);
        const double s = 1000.0 / static_cast<double>(side);
        std::vector<LabelledBox> boxes(1);
        boxes[0].normalised = {static_cast<double>(x) * s, static_cast<double>(y) * s,
                               static_cast<double>(x + 1) * s, static_cast<double>(y + 1) * s};
        MapBoxes(seen, &boxes);
        const Box& box = boxes[0].source;
        if (inside) {
          EXPECT_NEAR(box.x0, static_cast<double>(x - left), 1e-9);
          EXPECT_NEAR(box.y1, static_cast<double>(y + 1 - top), 1e-9);
        } else {
          EXPECT_NEAR((box.x1 - box.x0) * (box.y1 - box.y0), 0, 1e-9);
        }
      }
    }
  }
}

TEST(Boxes, ScaleIsApplied) {
  SeenImage seen = Seen(100, 50);
  seen.to_source = {4, 4, 1000, 2000, 8000, 8000};  // a patch of a slide
  std::vector<LabelledBox> boxes(1);
  boxes[0].normalised = {500, 0, 1000, 1000};
  MapBoxes(seen, &boxes);
  EXPECT_EQ(boxes[0].source, (Box{1200, 2000, 1400, 2200}));
  EXPECT_EQ(DrawBoxes(seen, boxes).width, 100);  // the patch, since the slide is no picture
}

TEST(Boxes, DrawnOnTheSourceWithoutItsPadding) {
  SeenImage seen = Seen(400, 200);
  const Image before = seen.image;
  PadToSquare(&seen);
  std::vector<LabelledBox> boxes(2);
  boxes[0].normalised = {100, 300, 500, 700};  // y from 120 of 400: 20 of the source's 200
  boxes[1].normalised = {0, 0, 1000, 200};     // padding alone
  MapBoxes(seen, &boxes);
  EXPECT_EQ(boxes[0].source, (Box{40, 20, 200, 180}));
  const Image drawn = DrawBoxes(seen, boxes);
  ASSERT_EQ(drawn.width, 400);
  ASSERT_EQ(drawn.height, 200);
  const auto changed = [&](int64_t x, int64_t y) {
    return drawn.row(y)[3 * x] != before.row(y)[3 * x];
  };
  EXPECT_TRUE(changed(40, 100));
  EXPECT_TRUE(changed(199, 100));
  EXPECT_TRUE(changed(100, 20));
  EXPECT_TRUE(changed(100, 179));
  EXPECT_FALSE(changed(39, 100));
  EXPECT_FALSE(changed(200, 100));
  EXPECT_FALSE(changed(100, 100));
  EXPECT_FALSE(changed(100, 180));
  EXPECT_FALSE(changed(300, 0));
}

}  // namespace
}  // namespace galen

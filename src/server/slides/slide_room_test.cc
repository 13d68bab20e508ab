#include "server/slides/slide_room.h"

#include <gtest/gtest.h>

#include "base/files.h"

namespace galen::server {
namespace {

class OnePixelSlide : public Slide {
 public:
  OnePixelSlide() { info_.levels = {{1, 1, 1}}; }
  Result<Image> Read(int, int64_t, int64_t, int64_t, int64_t) const override {
    return NotFound("no pixels");
  }
};

std::shared_ptr<const HeldSlide> MakeSlide(const std::string& tenant, int64_t bytes = 10) {
  Result<MediaFolder> folder = MediaFolder::Make({{"a.tiff", "II*\0...."}});
  EXPECT_TRUE(folder.ok()) << folder.status().message();
  return std::make_shared<const HeldSlide>(tenant, *std::move(folder),
                                           std::make_unique<OnePixelSlide>(), bytes);
}

std::string FileOf(const HeldSlide& slide) { return slide.folder().Files(false)[0].path; }

TEST(SlideRoom, ASlideIsItsTenantsAloneAndItsFilesGoWithIt) {
  SlideRoom room({});
  auto slide = MakeSlide("a");
  const std::string file = FileOf(*slide);
  const auto id = room.Add(std::move(slide));
  ASSERT_TRUE(id.ok());
  EXPECT_EQ(id->size(), 32u);
  EXPECT_EQ(room.Find(*id, "b"), nullptr);
  EXPECT_EQ(room.Find("", "a"), nullptr);
  EXPECT_FALSE(room.Remove(*id, "b"));
  auto held = room.Find(*id, "a");
  ASSERT_NE(held, nullptr);
  EXPECT_TRUE(FileExists(file));
  EXPECT_TRUE(room.Remove(*id, "a"));
  EXPECT_EQ(room.Find(*id, "a"), nullptr);
  EXPECT_TRUE(FileExists(file)) << "while a tile is drawn";
  held = nullptr;
  EXPECT_FALSE(FileExists(file));
  EXPECT_FALSE(room.Remove(*id, "a"));
}

TEST(SlideRoom, WhatIsNotAskedForGoes) {
  SlideLimits limits;
  limits.keep = std::chrono::milliseconds(50);
  SlideRoom room(limits);
  auto slide = MakeSlide("a");
  const std::string file = FileOf(*slide);
  ASSERT_TRUE(room.Add(std::move(slide)).ok());
  for (int i = 0; i < 500 && (room.size() > 0 || FileExists(file)); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(room.size(), 0u);
  EXPECT_FALSE(FileExists(file));
}

TEST(SlideRoom, LimitsHoldForATenantAndForAll) {
  SlideLimits limits;
  limits.of_tenant = 2;
  limits.slides = 3;
  limits.bytes = 100;
  limits.in_use = std::chrono::milliseconds(0);
  SlideRoom room(limits);
  const auto first = room.Add(MakeSlide("a")), second = room.Add(MakeSlide("a"));
  ASSERT_NE(room.Find(*first, "a"), nullptr);  // used last
  const auto third = room.Add(MakeSlide("a"));
  ASSERT_TRUE(third.ok());
  EXPECT_EQ(room.Find(*second, "a"), nullptr) << "the one that was looked at longest ago";
  EXPECT_NE(room.Find(*first, "a"), nullptr);
  ASSERT_TRUE(room.Add(MakeSlide("b")).ok());
  EXPECT_EQ(room.Add(MakeSlide("c")).status().code(), StatusCode::kResourceExhausted);
  ASSERT_TRUE(room.Remove(*third, "a"));
  EXPECT_EQ(room.Add(MakeSlide("c", 81)).status().code(), StatusCode::kResourceExhausted);
  EXPECT_TRUE(room.Add(MakeSlide("c", 80)).ok());
  // A tenant's own makes room.
  EXPECT_EQ(room.size(), 3u);
}

TEST(SlideRoom, WhatIsLookedAtMakesNoRoom) {
  SlideLimits limits;
  limits.of_tenant = 2;
  SlideRoom room(limits);
  const auto first = room.Add(MakeSlide("a")), second = room.Add(MakeSlide("a"));
  const auto third = room.Add(MakeSlide("a"));
  EXPECT_EQ(third.status().code(), StatusCode::kResourceExhausted);
  EXPECT_NE(third.status().message().find("30 seconds"), std::string::npos);
  EXPECT_NE(room.Find(*first, "a"), nullptr);
  EXPECT_NE(room.Find(*second, "a"), nullptr);
  EXPECT_TRUE(room.Add(MakeSlide("b")).ok());
  ASSERT_TRUE(room.Remove(*first, "a"));
  EXPECT_TRUE(room.Add(MakeSlide("a")).ok());
}

TEST(SlideRoom, AnOverviewIsMadeOnce) {
  const auto slide = MakeSlide("a");
  int made = 0;
  const auto fail = [&]() -> Result<HeldSlide::Jpeg> { return Cancelled("the client left"); };
  const auto make = [&]() -> Result<HeldSlide::Jpeg> {
    ++made;
    return HeldSlide::Jpeg{1, 2};
  };
  EXPECT_EQ(slide->Overview(fail).status().code(), StatusCode::kCancelled);
  for (int i = 0; i < 2; ++i) {
    const auto jpeg = slide->Overview(make);
    ASSERT_TRUE(jpeg.ok());
    EXPECT_EQ(*jpeg, (HeldSlide::Jpeg{1, 2}));
  }
  EXPECT_EQ(made, 1);
}

}  // namespace
}  // namespace galen::server

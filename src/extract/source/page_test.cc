#include "extract/source/page.h"

#include <gtest/gtest.h>

#include <cmath>

#include "media/document/page_slope.h"

namespace galen::extract {
namespace {

// 30 lines of 8 words on a page of 800 x 1000, put askew by `at` (of the middle of a word, from the
// page's middle).
template <typename At>
SourcePage Askew(At at) {
  SourcePage page;
  page.width = 800;
  page.height = 1000;
  for (int line = 0; line < 30; ++line) {
    for (int i = 0; i < 8; ++i) {
      const double width = 40 + 7 * ((3 * i + line) % 4), tall = i % 3 == 0 ? 12 : 9;
      const auto [x, y] = at(-330.0 + 90 * i, -460.0 + 30 * line);
      PageWord word;
      word.text = std::to_string(line);
      word.line = line;
      word.box = {400 + x - width / 2, 500 + y - tall / 2, 400 + x + width / 2, 500 + y + tall / 2};
      page.words.push_back(word);
    }
  }
  return page;
}

double Middle(const Box& box) { return (box.y0 + box.y1) / 2; }

// Rows must be told apart: words of one line within less than half of the distance of two.
void ExpectRows(const SourcePage& page) {
  for (size_t i = 0; i < page.words.size(); ++i) {
    const PageWord& first = page.words[i / 8 * 8];
    EXPECT_NEAR(Middle(page.words[i].box), Middle(first.box), 4) << i;
  }
}

TEST(PageSlope, LevelPagesStayAsTheyAre) {
  SourcePage page = Askew([](double x, double y) { return std::pair(x, y); });
  const std::vector<PageWord> before = page.words;
  page.MakeLevel();
  EXPECT_TRUE(page.shown.empty());
  for (size_t i = 0; i < before.size(); ++i) EXPECT_EQ(page.words[i].box, before[i].box);
}

TEST(PageSlope, TurnedPages) {
  for (const double degrees : {-8.0, -2.0, 0.7, 3.0}) {
    const double angle = degrees * 3.14159265 / 180;
    SourcePage page = Askew([&](double x, double y) {
      return std::pair(x * std::cos(angle) - y * std::sin(angle),
                       x * std::sin(angle) + y * std::cos(angle));
    });
    const std::vector<PageWord> before = page.words;
    page.MakeLevel();
    ExpectRows(page);
    // Columns, too, and what people see is kept.
    EXPECT_NEAR(page.words[3].box.x0 + page.words[3].box.x1,
                page.words[8 * 28 + 3].box.x0 + page.words[8 * 28 + 3].box.x1, 16)
        << degrees;
    EXPECT_EQ(page.Shown(5, 5), before[5].box);
    EXPECT_EQ(page.Shown(0, 1).x1, before[1].box.x1);
    // And the way back, for points.
    for (size_t i = 0; i < before.size(); i += 7) {
      double x = (page.words[i].box.x0 + page.words[i].box.x1) / 2, y = Middle(page.words[i].box);
      page.slope.Askew(&x, &y);
      EXPECT_NEAR(x, (before[i].box.x0 + before[i].box.x1) / 2, 0.5) << degrees;
      EXPECT_NEAR(y, Middle(before[i].box), 0.5) << degrees;
    }
  }
}

TEST(PageSlope, Photographs) {
  // The right edge is farther away: lines fall at the top and climb at the bottom.
  SourcePage page = Askew([](double x, double y) {
    const double near = 1 / (1 + 0.0002 * x);
    return std::pair(x * near, y * near + 0.02 * x * near);
  });
  page.MakeLevel();
  EXPECT_FALSE(page.shown.empty());
  ExpectRows(page);
}

TEST(PageSlope, FewOrContraryLinesSayNothing) {
  SourcePage page = Askew([](double x, double y) { return std::pair(x, y + 0.05 * x); });
  page.words.resize(24);  // three lines
  page.MakeLevel();
  EXPECT_TRUE(page.shown.empty());
  SourcePage none;
  none.MakeLevel();
  EXPECT_TRUE(none.shown.empty());
  // Nonsense: every line by itself.
  SourcePage wild = Askew([](double x, double y) {
    return std::pair(x, y + (static_cast<int>(y + 460) / 30 % 2 == 0 ? 0.15 : -0.15) * x);
  });
  wild.MakeLevel();
  for (const PageWord& word : wild.words) EXPECT_TRUE(std::isfinite(word.box.y0));
}

// Boxes come from files: words without height, upside down, endless.
TEST(PageSlope, ImpossibleBoxesSayNothing) {
  for (const double height : {0.0, -5.0, 1e300}) {
    for (const double x : {1.0, 1e300, -1e308}) {
      SourcePage page;
      page.width = 800;
      page.height = 1000;
      for (int line = 0; line < 12; ++line) {
        for (int i = 0; i < 20; ++i) {
          PageWord word;
          word.line = line;
          word.box = {x * i, 20.0 * line, x * i, 20.0 * line + height};
          page.words.push_back(word);
        }
      }
      const PageSlope slope = SlopeOf(page.words, page.width, page.height);
      EXPECT_TRUE(std::isfinite(slope.slope) && std::isfinite(slope.bend)) << height << " " << x;
    }
  }
}

}  // namespace
}  // namespace galen::extract

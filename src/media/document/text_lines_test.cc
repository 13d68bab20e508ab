#include "media/document/text_lines.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "media/image/draw.h"
#include "media/image/resize.h"

namespace galen {
namespace {

constexpr Rgb kInk = {20, 20, 30}, kPaper = {236, 230, 220};

Image Page(int64_t width, int64_t height) {
  Image page{width, height, 3, {}};
  page.pixels.resize(static_cast<size_t>(width * height * 3));
  for (size_t i = 0; i < page.pixels.size(); ++i) page.pixels[i] = kPaper[i % 3];
  return page;
}

void Print(Image* page, int64_t left, int64_t top, const std::string& text) {
  DrawLabel(page, left, top, text, kInk, kPaper, 2);
}

// The letters of Print are wider than those of most faces.
Image Narrow(const Image& page) {
  const auto width = static_cast<float>(page.width), height = static_cast<float>(page.height);
  return Resize(page, page.width * 2 / 3, page.height, Filter::kBilinear, {0, 0, width, height});
}

std::vector<TextLine> Lines(const Image& page) {
  auto lines = FindTextLines(page);
  EXPECT_TRUE(lines.ok()) << lines.status().message();
  return std::move(lines).value();
}

void Fill(Image* page, const PixelBox& box, Rgb color) {
  for (int64_t y = box.top; y < box.bottom; ++y) {
    for (int64_t x = box.left; x < box.right; ++x)
      std::copy_n(color.data(), 3, page->row(y) + 3 * x);
  }
}

TEST(TextLines, LinesAndTheirWords) {
  Image page = Page(600, 300);
  Print(&page, 40, 40, "Sodium");
  Print(&page, 240, 40, "139");
  Print(&page, 330, 40, "mmol/l");
  Print(&page, 40, 80, "Potassium");
  Print(&page, 240, 80, "4.1");
  Print(&page, 40, 200, "Dr. A. Nobody");
  const std::vector<TextLine> lines = Lines(page);
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0].words.size(), 3u);
  EXPECT_GE(lines[1].words.size(), 2u);
  EXPECT_LT(lines[0].box.bottom, lines[1].box.top);
  EXPECT_NEAR(static_cast<double>(lines[0].words[1].left), 242, 4);
  EXPECT_NEAR(static_cast<double>(lines[0].box.height()), 14, 3);
  // The point of 4.1 lies in a word.
  EXPECT_TRUE(std::any_of(lines[1].words.begin(), lines[1].words.end(),
                          [](const PixelBox& w) { return w.left <= 260 && w.right > 256; }));
}

TEST(TextLines, CommasBelowTheLineBelongToIt) {
  Image page = Page(600, 200);
  Print(&page, 40, 40, "4 1");
  Print(&page, 240, 40, "0 36");
  Fill(&page, {53, 51, 56, 59}, kInk);
  Fill(&page, {253, 51, 256, 59}, kInk);
  const std::vector<TextLine> lines = Lines(page);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0].box.bottom, 59);
}

TEST(TextLines, FramesRulesShadesAndSpecksAreNoText) {
  Image page = Page(600, 300);
  // A shadow that grows towards the right.
  for (int64_t y = 0; y < 300; ++y) {
    for (int64_t i = 0; i < 3 * 600; ++i) {
      uint8_t& v = page.row(y)[i];
      v = static_cast<uint8_t>(v - v * i / (3 * 1200));
    }
  }
  Fill(&page, {20, 30, 580, 32}, kInk);
  Fill(&page, {20, 70, 580, 72}, kInk);
  Fill(&page, {20, 30, 22, 72}, kInk);
  Fill(&page, {578, 30, 580, 72}, kInk);
  Fill(&page, {200, 30, 202, 72}, kInk);  // crosses both rules
  Fill(&page, {100, 200, 101, 201}, kInk);
  EXPECT_TRUE(Lines(page).empty());
  for (int64_t x = 30; x < 570; x += 6) Fill(&page, {x, 64, x + 2, 66}, kInk);
  Print(&page, 40, 44, "Urea 5.5");
  const std::vector<TextLine> lines = Lines(page);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_GE(lines[0].box.top, 40);
  EXPECT_LE(lines[0].box.bottom, 62);
  EXPECT_GE(lines[0].box.left, 38);
  EXPECT_LE(lines[0].box.right, 142);
}

// Which cells of a strip hold ink: "##..#".
std::string CellsOf(const Image& strip, int64_t side) {
  std::string cells;
  for (int64_t top = 0; top < strip.height; top += side) {
    for (int64_t left = 0; left < strip.width; left += side) {
      bool ink = false;
      for (int64_t y = top; y < top + side; ++y)
        for (int64_t x = left; x < left + side; ++x) ink = ink || strip.row(y)[x] < 128;
      cells += ink ? '#' : '.';
    }
  }
  return cells;
}

TEST(TextLines, AStripHasACellForEachLetter) {
  Image page = Page(1000, 100);
  Print(&page, 10, 40, "Hemogram");
  Print(&page, 500, 40, "17");
  Image wide = page;
  page = Narrow(page);
  std::vector<TextLine> lines = Lines(page);
  ASSERT_EQ(lines.size(), 1u);
  const Image one = LineStrip(page, lines[0], StripShape());
  EXPECT_EQ(one.channels, 1);
  EXPECT_EQ(one.height, 16);
  EXPECT_EQ(CellsOf(one, 16), "########..##") << "two blank cells part columns";
  EXPECT_EQ(*std::max_element(one.pixels.begin(), one.pixels.end()), 255);
  EXPECT_EQ(*std::min_element(one.pixels.begin(), one.pixels.end()), 0);
  // Letters stand in the middle of their cells.
  for (int64_t cell = 0; cell < 8; ++cell) {
    int64_t first = 16, last = -1;
    for (int64_t y = 0; y < 16; ++y) {
      for (int64_t x = 0; x < 16; ++x) {
        if (one.row(y)[16 * cell + x] >= 128) continue;
        first = std::min(first, x);
        last = std::max(last, x);
      }
    }
    EXPECT_LE(std::abs(first + last - 15), 2) << cell;
  }

  // Pale print gives the same strip, but for rounding; what is hardly there is no letter.
  for (const int paper : {255, 200}) {
    for (const int ink : {150, 240 * paper / 255}) {
      Image pale = page;
      for (uint8_t& v : pale.pixels) v = static_cast<uint8_t>(ink + (paper - ink) * v / 255);
      const Image strip = LineStrip(pale, lines[0], StripShape());
      if (ink != 150) {
        EXPECT_EQ(CellsOf(strip, 16).find('#'), std::string::npos) << paper;
        continue;
      }
      ASSERT_EQ(strip.pixels.size(), one.pixels.size());
      int most = 0;
      for (size_t i = 0; i < one.pixels.size(); ++i)
        most = std::max(most, std::abs(strip.pixels[i] - one.pixels[i]));
      EXPECT_LE(most, 8) << paper;
    }
  }

  for (int i = 0; i < 12; ++i)
    Print(&wide, 10 + 64 * i, 70, "n" + std::to_string(222 + 22 * (i % 3)));
  page = Narrow(wide);
  lines = Lines(page);
  ASSERT_EQ(lines.size(), 2u);
  const Image several = LineStrip(page, lines[1], StripShape());
  std::string words;
  for (int i = 0; i < 12; ++i) words += "####.";
  EXPECT_EQ(several.width, 256);
  EXPECT_EQ(several.height, 64);
  EXPECT_EQ(CellsOf(several, 16), words + "....");
  // What has no room is left out.
  StripShape small;
  small.max_rows = 2;
  bool whole = true;
  EXPECT_EQ(CellsOf(LineStrip(page, lines[1], small, 0, &whole), 16), words.substr(0, 32));
  EXPECT_FALSE(whole);
  LineStrip(page, lines[1], StripShape(), 0, &whole);
  EXPECT_TRUE(whole);
  // Cells of any side end.
  for (const int64_t side : {1, 2, 3, 5})
    EXPECT_GT(LineStrip(page, lines[1], {side, 4 * side, 100}).width, 0) << side;
}

// Letters that touch are parted where the ink is least; no cell holds more than its width.
TEST(TextLines, TouchingLettersArePartedInAStrip) {
  Image page = Page(400, 100);
  Print(&page, 40, 40, "HHHHH");
  const std::vector<TextLine> apart = Lines(page);
  ASSERT_EQ(apart.size(), 1u);
  Image touching = page;
  const PixelBox box = apart[0].box;
  const int64_t middle = (box.top + box.bottom) / 2;
  for (int64_t x = box.left; x < box.right; ++x) {
    for (int64_t y = middle; y < middle + 2; ++y) {
      uint8_t* p = touching.row(y) + 3 * x;
      for (int c = 0; c < 3; ++c)
        p[c] = std::min<uint8_t>(p[c], static_cast<uint8_t>((kPaper[c] + kInk[c]) / 2));
    }
  }
  const Image strip = LineStrip(touching, {box, {box}}, StripShape());
  EXPECT_EQ(CellsOf(strip, 16).substr(0, 5), "#####");
  EXPECT_LE(strip.width, 16 * 7);
}

TEST(TextLines, NoiseAndEmptyPagesEnd) {
  EXPECT_TRUE(Lines(Page(50, 50)).empty());
  Image noise = Page(700, 700);
  uint32_t state = 1;
  for (uint8_t& v : noise.pixels) {
    state = state * 1664525 + 1013904223;
    v = static_cast<uint8_t>(state >> 24);
  }
  for (const TextLine& line : Lines(noise)) {
    const Image strip = LineStrip(noise, line, StripShape());
    EXPECT_LE(strip.width, 256);
    EXPECT_LE(strip.height, 12 * 16);
  }
  EXPECT_FALSE(FindTextLines(Image{}).ok());
}

}  // namespace
}  // namespace galen

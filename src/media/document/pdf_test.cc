#include "media/document/pdf.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <sstream>

#include "base/files.h"
#include "media/document/pnm.h"

namespace galen {
namespace {

std::string Path(const std::string& name) {
  return std::string(GALEN_SOURCE_DIR) + "/tests/data/documents/" + name;
}

std::string Report() {
  return std::string(GALEN_SOURCE_DIR) + "/examples/documents/lab_report.pdf";
}

// The box of all pixels darker than middle grey.
Box Ink(const Image& image) {
  Box box{1e9, 1e9, -1, -1};
  for (int64_t y = 0; y < image.height; ++y) {
    for (int64_t x = 0; x < image.width; ++x) {
      if (image.row(y)[x * image.channels] >= 128) continue;
      box = {std::min(box.x0, double(x)), std::min(box.y0, double(y)), std::max(box.x1, x + 1.0),
             std::max(box.y1, y + 1.0)};
    }
  }
  return box;
}

TEST(Pdf, PagesAsTheyAreShown) {
  const auto pdf = PdfDocument::Open(Path("pages.pdf"));
  ASSERT_TRUE(pdf.ok()) << pdf.status().message();
  EXPECT_EQ(pdf->num_pages(), 4);
  EXPECT_FALSE(pdf->copying_forbidden());
  const double sizes[4][2] = {{612, 792}, {792, 612}, {300, 150}, {100, 50}};
  for (int64_t page = 1; page <= 4; ++page) {
    const auto size = pdf->Size(page);
    ASSERT_TRUE(size.ok()) << size.status().message();
    EXPECT_EQ(size->width, sizes[page - 1][0]);
    EXPECT_EQ(size->height, sizes[page - 1][1]);
    const auto drawn = pdf->Render(page, 144);
    ASSERT_TRUE(drawn.ok()) << drawn.status().message();
    EXPECT_EQ(drawn->image.width, 2 * size->width);
    EXPECT_EQ(drawn->image.height, 2 * size->height);
    EXPECT_FALSE(drawn->lowered);
  }
  EXPECT_EQ(pdf->Size(5).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(pdf->Render(0, 100).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(pdf->Render(1, 0).status().code(), StatusCode::kInvalidArgument);
}

// The words' boxes, scaled to pixels, hold the ink of the page: also where it is turned or cropped.
TEST(Pdf, BoxesOfWordsLieOnTheirInk) {
  const auto pdf = PdfDocument::Open(Path("pages.pdf"));
  ASSERT_TRUE(pdf.ok());
  const std::vector<std::vector<std::string>> expected = {
      {"page1", "left", "top"}, {"page2", "turned"}, {"page3", "cropped"}, {"page4"}};
  for (int64_t page = 1; page <= 4; ++page) {
    const auto words = pdf->Words(page);
    ASSERT_TRUE(words.ok()) << words.status().message();
    Box all{1e9, 1e9, -1, -1};
    std::vector<std::string> texts;
    for (const PageWord& word : *words) {
      texts.push_back(word.text);
      all = {std::min(all.x0, word.box.x0), std::min(all.y0, word.box.y0),
             std::max(all.x1, word.box.x1), std::max(all.y1, word.box.y1)};
    }
    EXPECT_EQ(texts, expected[static_cast<size_t>(page - 1)]);
    const auto drawn = pdf->Render(page, 100);
    ASSERT_TRUE(drawn.ok());
    const Box pixels = all.Scaled(drawn->dpi / 72), ink = Ink(drawn->image);
    EXPECT_GE(ink.x0, std::floor(pixels.x0)) << page;
    // Up and down, a box comes from the font's stated ascent and descent, not from its outlines.
    EXPECT_GE(ink.y0, std::floor(pixels.y0) - 1) << page;
    EXPECT_LE(ink.x1, std::ceil(pixels.x1)) << page;
    EXPECT_LE(ink.y1, std::ceil(pixels.y1) + 1) << page;
    EXPECT_GT((ink.x1 - ink.x0) * (ink.y1 - ink.y0),
              0.5 * (pixels.x1 - pixels.x0) * (pixels.y1 - pixels.y0))
        << page;
  }
}

TEST(Pdf, TextOfTheReport) {
  const auto pdf = PdfDocument::Open(Report());
  ASSERT_TRUE(pdf.ok());
  const auto words = pdf->Words(1);
  ASSERT_TRUE(words.ok());
  const auto find = [&](const std::string& text) {
    return std::find_if(words->begin(), words->end(),
                        [&](const auto& w) { return w.text == text; });
  };
  const auto name = find("Ferritin"), unit = find("µg/L");
  ASSERT_NE(name, words->end());
  ASSERT_NE(unit, words->end());
  EXPECT_NEAR(name->box.x0, 72, 0.01);
  EXPECT_NEAR(name->box.y0, unit->box.y0, 0.01);  // one row of the table
  EXPECT_GT(unit->box.x0, name->box.x1);
}

// The same words in the same order as pdftotext writes without boxes.
TEST(Pdf, WordsAreThoseOfThePlainText) {
  const auto pdf = PdfDocument::Open(Report());
  ASSERT_TRUE(pdf.ok());
  ChildRequest request;
  request.argv = {"pdftotext", "-enc", "UTF-8", Report(), "-"};
  const auto plain = RunChild(request);
  ASSERT_TRUE(plain.ok());
  std::istringstream stream(plain->out);
  std::vector<std::string> expected, words;
  for (std::string word; stream >> word;) expected.push_back(word);
  const auto layer = pdf->Words(1);
  ASSERT_TRUE(layer.ok());
  for (const PageWord& word : *layer) words.push_back(word.text);
  EXPECT_GT(words.size(), 60u);
  EXPECT_EQ(words, expected);
}

TEST(Pdf, Escapes) {
  const auto pdf = PdfDocument::Open(Path("escapes.pdf"));
  ASSERT_TRUE(pdf.ok());
  const auto words = pdf->Words(1);
  ASSERT_TRUE(words.ok());
  std::string text;
  for (const PageWord& word : *words) text += word.text + "|";
  EXPECT_EQ(text, "a&b|<c>|\"d\"|Ärzte|é|x|");
}

TEST(Pdf, Locks) {
  const Status locked = PdfDocument::Open(Path("locked.pdf")).status();
  EXPECT_EQ(locked.code(), StatusCode::kUnsupported);
  EXPECT_NE(locked.message().find("password"), std::string::npos) << locked.message();
  const auto view_only = PdfDocument::Open(Path("view_only.pdf"));
  ASSERT_TRUE(view_only.ok()) << view_only.status().message();
  EXPECT_TRUE(view_only->copying_forbidden());
  EXPECT_TRUE(view_only->Render(1, 72).ok());
}

TEST(Pdf, BadFiles) {
  EXPECT_EQ(PdfDocument::Open(Path("broken.pdf")).status().code(), StatusCode::kDataLoss);
  EXPECT_EQ(PdfDocument::Open(Path("page_loop.pdf")).status().code(), StatusCode::kDataLoss);
  EXPECT_EQ(PdfDocument::Open(Path("none.pdf")).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(PdfDocument::FromBytes("", "empty").status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(PdfDocument::FromBytes("\x89PNG", "x.png").status().code(),
            StatusCode::kInvalidArgument);
  PdfLimits small;
  small.file_bytes = 100;
  EXPECT_EQ(PdfDocument::Open(Report(), small).status().code(), StatusCode::kResourceExhausted);
}

TEST(Pdf, FormsThatDrawThemselvesEnd) {
  const auto pdf = PdfDocument::Open(Path("form_loop.pdf"));
  ASSERT_TRUE(pdf.ok());
  EXPECT_TRUE(pdf->Render(1, 72).ok());
  PdfLimits limits;
  limits.seconds = 1;
  const auto slow = PdfDocument::Open(Path("slow.pdf"), limits);
  ASSERT_TRUE(slow.ok());
  EXPECT_EQ(slow->Render(1, 72).status().code(), StatusCode::kResourceExhausted);
}

TEST(Pdf, HugePageIsDrawnWithinTheLimit) {
  PdfLimits limits;
  limits.side = 300;
  const auto pdf = PdfDocument::Open(Path("huge_page.pdf"), limits);
  ASSERT_TRUE(pdf.ok());
  const auto drawn = pdf->Render(1, 200);
  ASSERT_TRUE(drawn.ok()) << drawn.status().message();
  EXPECT_TRUE(drawn->lowered);
  EXPECT_EQ(drawn->image.width, 300);
  EXPECT_EQ(drawn->image.height, 300);
  EXPECT_NEAR(drawn->dpi, 300 * 72 / 1e6, 1e-6);
}

TEST(Pdf, MemoryLimitIsAnError) {
  PdfLimits limits;
  limits.memory_bytes = size_t{50} << 20;
  const auto pdf = PdfDocument::Open(Path("pages.pdf"), limits);
  if (!pdf.ok()) return;                   // the tools' libraries alone need more on some systems
  EXPECT_FALSE(pdf->Render(1, 370).ok());  // 3145x4070 pixels: 38 MB
}

TEST(Pnm, Headers) {
  const std::string pixels(12, '\x7f');
  const auto read = [](const std::string& bytes) { return ReadPnm(bytes, 100); };
  const auto image = read("P6\n2 2\n255\n" + pixels);
  ASSERT_TRUE(image.ok());
  EXPECT_EQ(image->width, 2);
  EXPECT_EQ(image->pixels.size(), 12u);
  EXPECT_EQ(read("P5 4 3 255 " + pixels)->channels, 1);
  for (const std::string bad : {"", "P6", "P4\n2 2\n255\n", "P6\n2 2\n65535\n", "P6\n2\n",
                                "P6\n-2 2\n255\n", "P6\n0 2\n255\n", "P6\n2 x\n255\n"}) {
    EXPECT_FALSE(read(bad + pixels).ok()) << bad;
  }
  EXPECT_EQ(read("P6\n3 2\n255\n" + pixels).status().code(), StatusCode::kDataLoss);
  EXPECT_EQ(read("P6\n100000 100000\n255\n").status().code(), StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace galen

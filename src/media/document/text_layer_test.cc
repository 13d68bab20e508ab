#include "media/document/text_layer.h"

#include <gtest/gtest.h>

namespace galen {
namespace {

std::string Page(const std::string& body) {
  return "<!DOCTYPE html><html><head></head><body><doc>\n<page width=\"612.0\" height=\"792.0\">" +
         body + "</page></doc></body></html>";
}

std::string Word(const std::string& text, const std::string& x0 = "1.5") {
  return "<word xMin=\"" + x0 + "\" yMin=\"2\" xMax=\"3\" yMax=\"4.25\">" + text + "</word>";
}

std::string Line(const std::string& words) {
  return "<flow><block xMin=\"0\"><line xMin=\"0\">" + words + "</line></block></flow>";
}

TEST(TextLayer, WordsBlocksLines) {
  const auto words =
      ParseTextLayer(Page(Line(Word("one") + "\n" + Word("two")) + Line(Word("three"))), 100);
  ASSERT_TRUE(words.ok()) << words.status().message();
  ASSERT_EQ(words->size(), 3u);
  EXPECT_EQ((*words)[0].text, "one");
  EXPECT_EQ((*words)[0].box, (Box{1.5, 2, 3, 4.25}));
  EXPECT_EQ((*words)[1].line, 0);
  EXPECT_EQ((*words)[2].block, 1);
  EXPECT_EQ((*words)[2].line, 1);
  EXPECT_EQ((*words)[0].box.Scaled(2), (Box{3, 4, 6, 8.5}));
}

TEST(TextLayer, EscapesOnceOnly) {
  const auto text = [](const std::string& body) {
    const auto words = ParseTextLayer(Page(Line(Word(body))), 10);
    return words.ok() && words->size() == 1 ? (*words)[0].text : "none";
  };
  EXPECT_EQ(text("a&amp;b&lt;c&gt;&quot;&apos;"), "a&b<c>\"'");
  EXPECT_EQ(text("&amp;lt;"), "&lt;");
  EXPECT_EQ(text("&unknown;"), "&unknown;");
  EXPECT_EQ(text("Ärzte µg"), "Ärzte µg");
  EXPECT_EQ(text("a\x01\x7f"
                 "b"),
            "ab");
  EXPECT_EQ(text("a\xff\xc3"), "a\uFFFD\uFFFD");
  EXPECT_EQ(text("\xed\xa0\x80"), "\uFFFD\uFFFD\uFFFD");  // a surrogate
  EXPECT_EQ(text("\xf0\x9f\xa9\xba"), "\xf0\x9f\xa9\xba");
}

TEST(TextLayer, NothingOnThePage) {
  EXPECT_TRUE(ParseTextLayer(Page(""), 10)->empty());
  EXPECT_TRUE(ParseTextLayer(Page(Line(Word(""))), 10)->empty());
}

TEST(TextLayer, OtherShapesAreRefused) {
  for (const std::string& html :
       {std::string(), std::string("<page"), Page("").substr(0, 70), Page(Word("outside a line")),
        Page(Line(Word("x", "nan"))), Page(Line(Word("x", "1e999"))), Page(Line(Word("x", "1,5"))),
        Page(Line("<word xMin=\"1\" yMin=\"2\" xMax=\"3\">x</word>")), Page("<page>"),
        Page(Line("<word xMin=\"1\" yMin=\"2\" xMax=\"3\" yMax=\"4\">x"))}) {
    EXPECT_EQ(ParseTextLayer(html, 10).status().code(), StatusCode::kDataLoss) << html;
  }
  EXPECT_EQ(ParseTextLayer(Page(Line(Word("a") + Word("b"))), 1).status().code(),
            StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace galen

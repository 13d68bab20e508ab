#include "extract/source/tesseract.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/child.h"
#include "base/files.h"
#include "extract/source/case.h"
#include "extract/source/picture_words.h"
#include "extract/source/reread.h"
#include "media/image/png_writer.h"

namespace galen::extract {
namespace {

constexpr const char* kHead =
    "level\tpage_num\tblock_num\tpar_num\tline_num\tword_"
    "num\tleft\ttop\twidth\theight\tconf\ttext\n";

TEST(Tesseract, ReadsItsTable) {
  const std::string tsv = std::string(kHead) +
                          "1\t1\t0\t0\t0\t0\t0\t0\t640\t480\t-1\t\n"
                          "5\t1\t1\t1\t1\t1\t36\t92\t60\t20\t96.1\tSodium\n"
                          "5\t1\t1\t1\t1\t2\t110\t92\t40\t20\t91\t139\n"
                          "5\t1\t2\t1\t1\t1\t36\t150\t40\t20\t12\t~~\n";
  const auto words = ParseTesseractTsv(tsv, 10);
  ASSERT_TRUE(words.ok()) << words.status().message();
  ASSERT_EQ(words->size(), 2u);
  EXPECT_EQ((*words)[1].text, "139");
  EXPECT_EQ((*words)[1].box, (Box{110, 92, 150, 112}));
  EXPECT_EQ((*words)[0].line, (*words)[1].line);
  EXPECT_FALSE(ParseTesseractTsv(tsv, 1).ok());
}

TEST(Tesseract, WordsAreUtf8) {
  const std::string tsv =
      std::string(kHead) + "5\t1\t1\t1\t1\t1\t36\t92\t60\t20\t96.1\t911\xc3\x01\n";
  const auto words = ParseTesseractTsv(tsv, 10);
  ASSERT_TRUE(words.ok());
  EXPECT_EQ((*words)[0].text, "911\uFFFD");
}

TEST(Tesseract, RefusesOtherTables) {
  for (const std::string& tsv :
       {std::string(), std::string("words\n"), std::string(kHead) + "5\t1\n",
        std::string(kHead) + "5\t1\t1\t1\t1\t1\tx\t92\t60\t20\t96\tSodium\n",
        std::string(kHead) + "5\t1\t1\t1\t1\t1\t1e300\t92\t60\t20\t96\tSodium\n"}) {
    EXPECT_FALSE(ParseTesseractTsv(tsv, 10).ok()) << tsv;
  }
}

// A program of this name alone in PATH, made of shell lines.
class FakeTesseract {
 public:
  explicit FakeTesseract(const std::string& script) : folder_(TemporaryFolder::Make()) {
    before_ = ::getenv("PATH");
    ::setenv("PATH", folder_->path().c_str(), 1);
    if (script.empty()) return;
    const std::string path = folder_->path() + "/tesseract";
    EXPECT_TRUE(WriteFileAtomically(path, "#!/bin/sh\n" + script + "\n").ok());
    ::chmod(path.c_str(), 0755);
  }
  ~FakeTesseract() { ::setenv("PATH", before_.c_str(), 1); }

 private:
  Result<TemporaryFolder> folder_;
  std::string before_;
};

// Answers as Tesseract does until it is given a page.
std::string UpTo(const std::string& page) {
  return "case \"$1\" in\n"
         "--version) echo 'tesseract 5.3.0'; exit 0;;\n"
         "--list-langs) printf 'List of available languages (3):\\ndeu\\neng\\nosd\\n'; exit 0;;\n"
         "esac\n" +
         page;
}

Image Blank() {
  Image image{40, 30, 3, {}};
  image.pixels.assign(40 * 30 * 3, 255);
  return image;
}

TEST(Tesseract, LanguagesAreThoseItHas) {
  const FakeTesseract fake(UpTo(""));
  const Result<std::string> languages = TesseractLanguages();
  ASSERT_TRUE(languages.ok()) << languages.status().message();
  EXPECT_EQ(*languages, "eng+deu");
}

TEST(Tesseract, WhatDoesNotWorkIsNamed) {
  struct Case {
    std::string script, says;
    StatusCode code;
  };
  const Case cases[] = {
      {"", "apt-get install tesseract-ocr", StatusCode::kNotFound},
      {"echo 'tesseract 3.04.01' >&2", "too old", StatusCode::kUnsupported},
      {"echo 'a game of tiles 5.0'", "is not Tesseract", StatusCode::kUnsupported},
      {"exit 3", "exit code 3", StatusCode::kDataLoss},
      {"kill -SEGV $$", "signal 11", StatusCode::kDataLoss},
      {"test \"$1\" = --version && echo tesseract v4.1.1 || echo 'List (0):'", "no language data",
       StatusCode::kUnsupported}};
  for (const Case& c : cases) {
    const FakeTesseract fake(c.script);
    const Status status = TesseractLanguages().status();
    EXPECT_EQ(status.code(), c.code) << c.script << ": " << status.message();
    EXPECT_NE(status.message().find(c.says), std::string::npos) << status.message();
  }
}

TEST(Tesseract, ReadsRowsAgain) {
  const Result<TemporaryFolder> folder = TemporaryFolder::Make();
  // A picture of 200 x 100 on which the first look has two words. The second look is a picture of
  // one row; the word that it gives 24 + 40 pixels from the left is the picture's size.
  Image image{200, 100, 3, std::vector<uint8_t>(200 * 100 * 3, 255)};
  for (int x = 60; x < 90; ++x) image.row(50)[3 * x] = image.row(50)[3 * x + 1] = 0;
  const std::string path = folder->path() + "/page.png";
  ASSERT_TRUE(WritePng(path, image).ok());
  const std::string head = "printf '" + std::string(kHead) + "'; ";
  const FakeTesseract fake(
      UpTo("case \"$*\" in\n"
           "*'--psm 11'*) " +
           head +
           "printf '5\\t1\\t1\\t1\\t1\\t1\\t30\\t30\\t90\\t60\\t90\\tabove\\n"
           "5\\t1\\t2\\t1\\t1\\t1\\t180\\t135\\t90\\t30\\t90\\tal\\n';;\n"
           "*) read -r magic; read -r width height; " +
           head +
           "printf '5\\t1\\t1\\t1\\t1\\t1\\t64\\t40\\t40\\t20\\t90\\t%s\\n"
           "5\\t1\\t2\\t1\\t1\\t1\\t64\\t20\\t40\\t12\\t90\\tsliver\\n' "
           "$magic,$width,$height;;\n"
           "esac"));
  const std::vector<std::string> files = {path};
  const Result<Case> source = Case::Open(files, {});
  ASSERT_TRUE(source.ok()) << source.status().message();
  const SourcePage& page = source->pages()[0];
  ASSERT_EQ(page.words.size(), 2u);  // the page was enlarged by three for it
  EXPECT_EQ(page.words[1].box, (Box{60, 45, 90, 55}));
  const Box row{0, 45, 200, 55};
  const Result<SourcePage> again = RereadRows(*source, 0, std::span(&row, 1), {40, {}});
  ASSERT_TRUE(again.ok()) << again.status().message();
  // What reaches into the row's margin is left out.
  ASSERT_EQ(again->words.size(), 2u);
  EXPECT_EQ(again->words[0].text, "above");
  // The row alone, 17 of 100 pixels, enlarged by four, with white around.
  EXPECT_EQ(again->words[1].text, "P5,848,116");
  EXPECT_EQ(again->words[1].box, (Box{10, 41.5 + 4, 20, 41.5 + 9}));
}

TEST(Tesseract, FailuresOnAPageAreErrors) {
  struct Case {
    std::string script, says;
    StatusCode code;
  };
  const Case cases[] = {
      {"echo secret words; echo more >&2; exit 1", "exit code 1", StatusCode::kDataLoss},
      {"echo secret words", "another shape", StatusCode::kDataLoss},
      {"kill -KILL $$", "signal 9", StatusCode::kDataLoss},
      {"exec /bin/sleep 30", "longer than", StatusCode::kResourceExhausted}};
  TesseractOptions options;
  options.seconds = 0.3;
  for (const Case& c : cases) {
    const FakeTesseract fake(UpTo(c.script));
    const Status status = ReadWithTesseract(Blank(), options).status();
    EXPECT_EQ(status.code(), c.code) << c.script << ": " << status.message();
    EXPECT_NE(status.message().find(c.says), std::string::npos) << status.message();
    EXPECT_EQ(status.message().find("secret"), std::string::npos) << status.message();
  }
  EXPECT_EQ(ReadWithTesseract(Image{}).status().code(), StatusCode::kInvalidArgument);
}

TEST(Tesseract, IsStoppedOnRequest) {
  const FakeTesseract fake(UpTo("exec /bin/sleep 30"));
  TesseractOptions options;
  options.cancelled = [] { return true; };
  EXPECT_EQ(ReadWithTesseract(Blank(), options).status().code(), StatusCode::kCancelled);
}

// Boxes are in pixels of the picture, though a small one is enlarged for Tesseract.
TEST(Tesseract, BoxesAreThoseOfThePicture) {
  const FakeTesseract fake(
      UpTo("read magic; read width height; printf '" + std::string(kHead) +
           "5\\t1\\t1\\t1\\t1\\t1\\t0\\t0\\t%s\\t%s\\t96\\tAll\\n' $width $height"));
  const auto words = ReadWithTesseract(Blank());
  ASSERT_TRUE(words.ok()) << words.status().message();
  ASSERT_EQ(words->size(), 1u);
  EXPECT_EQ((*words)[0].box, (Box{0, 0, 40, 30}));
}

Result<extract::Case> Pages(size_t count, OcrUse ocr) {
  const Result<std::vector<uint8_t>> png = EncodePng(Blank());
  std::vector<NamedBytes> files(count, {"scan.png", std::string(png->begin(), png->end())});
  CaseOptions options;
  options.ocr = ocr;
  return extract::Case::FromBytes(std::move(files), options);
}

TEST(Case, GoesOnWithoutTesseractOrSaysWhatIsWrongWithIt) {
  {
    const FakeTesseract fake("");
    const auto pages = Pages(2, OcrUse::kAuto);
    ASSERT_TRUE(pages.ok()) << pages.status().message();
    EXPECT_TRUE(pages->warnings().empty());
    EXPECT_NE(pages->pages()[1].no_words.find("not installed"), std::string::npos);
    const Status refused = Pages(1, OcrUse::kAlways).status();
    EXPECT_EQ(refused.code(), StatusCode::kNotFound);
    EXPECT_NE(refused.message().find("scan.png page 1: "), std::string::npos) << refused.message();
  }
  {
    const FakeTesseract fake("echo tesseract 3.05");
    const auto pages = Pages(2, OcrUse::kAuto);
    ASSERT_TRUE(pages.ok());
    ASSERT_EQ(pages->warnings().size(), 1u);
    EXPECT_NE(pages->warnings()[0].find("too old"), std::string::npos);
    EXPECT_FALSE(Pages(1, OcrUse::kAlways).ok());
  }
}

TEST(Case, GivesTesseractUpAfterSomeFailures) {
  const FakeTesseract fake(UpTo("kill -SEGV $$"));
  const auto pages = Pages(6, OcrUse::kAuto);
  ASSERT_TRUE(pages.ok()) << pages.status().message();
  ASSERT_EQ(pages->warnings().size(), 4u);  // three pages, and that it was given up
  EXPECT_NE(pages->warnings()[0].find("scan.png page 1: Tesseract"), std::string::npos);
  EXPECT_NE(pages->warnings()[3].find("3 pages in a row"), std::string::npos);
  EXPECT_NE(pages->pages()[5].no_words.find("in a row"), std::string::npos);
}

// A page whose words are German ("der die und") when it is read as English, and `again` when it is
// read as German.
std::string German(const std::string& again) {
  return UpTo("case \"$*\" in\n*'-l deu'*) " + again + ";;\nesac\nprintf '" + std::string(kHead) +
              "5\\t1\\t1\\t1\\t1\\t1\\t0\\t0\\t9\\t9\\t96\\tder\\n"
              "5\\t1\\t1\\t1\\t1\\t2\\t20\\t0\\t9\\t9\\t96\\tdie\\n"
              "5\\t1\\t1\\t1\\t1\\t3\\t40\\t0\\t9\\t9\\t96\\tund\\n'");
}

TEST(Case, ASecondReadingThatFailsLeavesTheWordsOfTheFirst) {
  {
    const FakeTesseract fake(German("true"));
    const auto pages = Pages(1, OcrUse::kAuto);
    ASSERT_TRUE(pages.ok()) << pages.status().message();
    EXPECT_EQ(pages->pages()[0].ocr_language, "deu");
    EXPECT_TRUE(pages->warnings().empty());
  }
  for (const OcrUse ocr : {OcrUse::kAuto, OcrUse::kAlways}) {
    const FakeTesseract fake(German("exit 1"));
    const auto pages = Pages(1, ocr);
    ASSERT_TRUE(pages.ok()) << pages.status().message();
    const SourcePage& page = pages->pages()[0];
    ASSERT_EQ(page.words.size(), 3u);
    EXPECT_EQ(page.words[2].text, "und");
    EXPECT_EQ(page.word_source, WordSource::kTesseract);
    EXPECT_EQ(page.ocr_language, "eng");
    ASSERT_EQ(pages->warnings().size(), 1u);
    EXPECT_NE(pages->warnings()[0].find("scan.png page 1: read as eng, not again as deu"),
              std::string::npos)
        << pages->warnings()[0];
    EXPECT_NE(pages->warnings()[0].find("exit code 1"), std::string::npos);
  }
  // After three in a row pages are read once.
  const FakeTesseract fake(German("exit 1"));
  const auto pages = Pages(5, OcrUse::kAuto);
  ASSERT_TRUE(pages.ok());
  ASSERT_EQ(pages->warnings().size(), 4u);
  EXPECT_NE(pages->warnings()[3].find("were read as eng"), std::string::npos);
  for (const SourcePage& page : pages->pages()) EXPECT_EQ(page.words.size(), 3u);
}

TEST(Case, ACancelledSecondReadingHasNoWords) {
  const Result<TemporaryFolder> folder = TemporaryFolder::Make();
  const std::string began = folder->path() + "/began";
  const FakeTesseract fake(German("echo > " + began + "; exec /bin/sleep 30"));
  CaseOptions options;
  options.cancelled = [&] { return ::access(began.c_str(), F_OK) == 0; };
  PictureWords reader(options);
  std::string why, language, warning;
  ASSERT_TRUE(reader.Ready(&why)) << why;
  std::vector<PageWord> words;
  EXPECT_EQ(reader.Read(Blank(), &words, &language, &warning).code(), StatusCode::kCancelled);
  EXPECT_TRUE(words.empty());
  EXPECT_EQ(language, "");
  EXPECT_EQ(warning, "");
}

}  // namespace
}  // namespace galen::extract

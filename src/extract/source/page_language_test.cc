#include "extract/source/page_language.h"

#include <gtest/gtest.h>

namespace galen::extract {
namespace {

std::string LanguageOf(const std::vector<std::string>& texts, std::string_view languages) {
  std::vector<PageWord> words;
  for (const std::string& text : texts) {
    words.emplace_back();
    words.back().text = text;
  }
  return PageLanguage(words, languages);
}

constexpr std::string_view kAll = "eng+fra+deu";

TEST(PageLanguage, IsToldByWordsOfItsOwn) {
  EXPECT_EQ(LanguageOf({"Reference", "range", "of", "the", "results"}, kAll), "eng");
  EXPECT_EQ(LanguageOf({"Nom", "du", "patient:", "RÉSULTATS", "Prélevé", "le"}, kAll), "fra");
  EXPECT_EQ(LanguageOf({"Geschlecht:", "weiblich", "Geb.-Datum", "Täglich"}, kAll), "deu");
  // As a reader of English has them.
  EXPECT_EQ(LanguageOf({"Nom", "du", "Resultat", "Preleve"}, kAll), "fra");
}

TEST(PageLanguage, IsNotGuessed) {
  EXPECT_EQ(LanguageOf({}, kAll), "");
  EXPECT_EQ(LanguageOf({"the", "of", "139", "mmol/L"}, kAll), "");            // two words
  EXPECT_EQ(LanguageOf({"the", "the", "the", "of"}, kAll), "");               // twice the same
  EXPECT_EQ(LanguageOf({"the", "of", "and", "der", "die"}, kAll), "");        // two languages
  EXPECT_EQ(LanguageOf({"der", "die", "das", "und"}, "eng+fra"), "");         // not one of them
  EXPECT_EQ(LanguageOf({"\xC3", "\xC3\x97", "\xE2\x82\xAC", ""}, kAll), "");  // no letters
}

}  // namespace
}  // namespace galen::extract

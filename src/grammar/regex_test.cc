#include "grammar/regex.h"

#include <gtest/gtest.h>

#include "grammar/code_point_range.h"
#include "text/tokenizer/unicode.h"

namespace galen::grammar {
namespace {

bool Matches(std::string_view pattern, std::string_view text,
             RegexMatch match = RegexMatch::kWhole) {
  const Result<Dfa> dfa = CompileRegex(pattern, match);
  EXPECT_TRUE(dfa.ok()) << pattern << ": " << dfa.status().message();
  return dfa.ok() && dfa->Accepts(text);
}

TEST(Regex, Whole) {
  EXPECT_TRUE(Matches("a(b|c)*d", "abcbd"));
  EXPECT_FALSE(Matches("a(b|c)*d", "abcb"));
  EXPECT_TRUE(Matches("[a-f0-9]{2,3}", "a0f"));
  EXPECT_FALSE(Matches("[a-f0-9]{2,3}", "a0ff"));
  EXPECT_TRUE(Matches("x{2,}", "xxxxx"));
  EXPECT_TRUE(Matches("x{0}", ""));
  EXPECT_FALSE(Matches("x{0}", "x"));
  EXPECT_TRUE(Matches("(?:a|)b?", ""));
  EXPECT_TRUE(Matches("a+?", "aaa"));
  EXPECT_TRUE(Matches("[^]", "\n"));
  EXPECT_FALSE(Matches("[]", "a"));
  EXPECT_TRUE(Matches("[-a]", "-"));
  EXPECT_TRUE(Matches("[a-]", "-"));
  EXPECT_TRUE(Matches("[\\w-]+", "a-b"));
}

TEST(Regex, Search) {
  EXPECT_TRUE(Matches("b", "abc", RegexMatch::kSearch));
  EXPECT_FALSE(Matches("^b", "abc", RegexMatch::kSearch));
  EXPECT_TRUE(Matches("^a", "abc", RegexMatch::kSearch));
  EXPECT_TRUE(Matches("c$", "abc", RegexMatch::kSearch));
  EXPECT_FALSE(Matches("b$", "abc", RegexMatch::kSearch));
  EXPECT_TRUE(Matches("^a|z$", "xyz", RegexMatch::kSearch));
  EXPECT_TRUE(Matches("^$", "", RegexMatch::kSearch));
  EXPECT_FALSE(Matches("^$", "a", RegexMatch::kSearch));
  EXPECT_FALSE(Matches("a^b", "ab", RegexMatch::kSearch));
  EXPECT_FALSE(Matches("a$b", "ab", RegexMatch::kSearch));
  EXPECT_TRUE(Matches("", "anything", RegexMatch::kSearch));
}

TEST(Regex, Unicode) {
  EXPECT_TRUE(Matches(".", "\xc3\xa9"));
  EXPECT_FALSE(Matches("..", "\xc3\xa9"));
  EXPECT_TRUE(Matches("[\xce\xb1-\xcf\x89]+", "\xce\xb2\xce\xb3"));
  EXPECT_TRUE(Matches("\\u{1F600}", "\xf0\x9f\x98\x80"));
  EXPECT_TRUE(Matches("\\ud83d\\ude00", "\xf0\x9f\x98\x80"));
  EXPECT_TRUE(Matches("\\p{L}+", "\xc3\xa9\x61"));
  EXPECT_FALSE(Matches("\\P{L}", "a"));
  EXPECT_TRUE(Matches("[^a]", "\xf0\x9f\x98\x80"));
  EXPECT_FALSE(Matches("[^a]", "\xed\xa0\x80"));  // a surrogate is no character
  // Every code point of a range that crosses lengths, and none outside.
  const Result<Dfa> dfa = CompileRegex("[\\u0041-\\u{10005}]", RegexMatch::kWhole);
  ASSERT_TRUE(dfa.ok());
  EXPECT_FALSE(dfa->Accepts("@"));
  EXPECT_TRUE(dfa->Accepts("A"));
  EXPECT_TRUE(dfa->Accepts("\xdf\xbf"));
  EXPECT_TRUE(dfa->Accepts("\xe0\xa0\x80"));
  EXPECT_TRUE(dfa->Accepts("\xef\xbf\xbf"));
  EXPECT_TRUE(dfa->Accepts("\xf0\x90\x80\x85"));
  EXPECT_FALSE(dfa->Accepts("\xf0\x90\x80\x86"));
}

TEST(Regex, RefusesByName) {
  const auto message = [](std::string_view pattern) {
    const Result<Dfa> dfa = CompileRegex(pattern, RegexMatch::kSearch);
    EXPECT_FALSE(dfa.ok()) << pattern;
    return dfa.ok() ? std::string() : dfa.status().message();
  };
  EXPECT_NE(message("a(?=b)").find("look-ahead"), std::string::npos);
  EXPECT_NE(message("(?<!b)a").find("look-behind"), std::string::npos);
  EXPECT_NE(message("(a)\\1").find("back reference"), std::string::npos);
  EXPECT_NE(message("\\bword").find("word boundary"), std::string::npos);
  for (const char* bad : {"(", ")", "a**", "[b-a]", "a{3,2}", "\\", "[", "\\xg1", "\\p{Nope}",
                          "\\q", "{", "a{", "(?i)a", "a{100001}"}) {
    EXPECT_FALSE(message(bad).empty()) << bad;
  }
  EXPECT_FALSE(CompileRegex(std::string(500, '('), RegexMatch::kSearch).ok());
}

TEST(Regex, CatastrophicPatternsEnd) {
  EXPECT_FALSE(CompileRegex("((a{1000}){1000}){1000}", RegexMatch::kWhole).ok());
  EXPECT_FALSE(CompileRegex("(a|b)*a(a|b){40}", RegexMatch::kWhole).ok());  // 2^41 states
  EXPECT_TRUE(Matches("(a*)*b", "aaaab"));
}

TEST(Dfa, SetOperations) {
  const Dfa a = *FiniteSet({"", "one", "two"}), b = *FiniteSet({"two", "three"});
  EXPECT_TRUE(Combine(a, b, Combination::kAnd)->Accepts("two"));
  EXPECT_FALSE(Combine(a, b, Combination::kAnd)->Accepts("one"));
  EXPECT_TRUE(Combine(a, b, Combination::kOr)->Accepts("three"));
  EXPECT_FALSE(Combine(a, b, Combination::kMinus)->Accepts("two"));
  EXPECT_TRUE(Combine(a, a, Combination::kMinus)->empty());
  EXPECT_EQ(WithLength(AnyText(), 2, 2)->Accepts("\xc3\xa9x"), true);
  EXPECT_EQ(WithLength(AnyText(), 2, 2)->Accepts("x"), false);
  EXPECT_EQ(FiniteSet({"ac", "bc"})->num_states(), 3);  // minimal
}

// Ranges of code points lead where their code points lead, one by one.
TEST(CodePointRange, AgreesWithItsCodePoints) {
  for (const char* pattern :
       {"[a-z]é", ".", "[^x]", "[\\u0100-\\u0fff\\u{1f600}]z", "[À-ſ߿-ࠂ]|日本", ""}) {
    const Result<Dfa> dfa = CompileRegex(pattern, RegexMatch::kWhole);
    ASSERT_TRUE(dfa.ok());
    const auto fits = [&](int state) { return !dfa->accepting[state]; };
    const auto ends = [&](int state) { return dfa->accepting[state] != 0; };
    for (const uint32_t low : {0u, 0x61u, 0x7fu, 0x80u, 0xbfu, 0x7ffu, 0x1000u, 0xd7f0u, 0xff00u}) {
      for (const uint32_t size : {1u, 2u, 16u, 64u, 256u, 4096u}) {
        bool any_fits = false, any_ends = false;
        for (uint32_t c = low; c < low + size; ++c) {
          if (c >= 0xd800 && c <= 0xdfff) continue;
          std::string utf8;
          text::AppendUtf8(c, &utf8);
          int state = 0;
          for (const char byte : utf8)
            state = state < 0 ? state : dfa->Next(state, static_cast<uint8_t>(byte));
          any_fits |= state >= 0 && fits(state);
          any_ends |= state >= 0 && ends(state);
        }
        EXPECT_EQ(AnyCodePoint(*dfa, 0, low, low + size - 1, fits), any_fits) << pattern << low;
        EXPECT_EQ(AnyCodePoint(*dfa, 0, low, low + size - 1, ends), any_ends) << pattern << low;
      }
    }
  }
}

}  // namespace
}  // namespace galen::grammar

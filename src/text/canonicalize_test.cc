#include "text/canonicalize.h"

#include <gtest/gtest.h>

namespace galen {
namespace {

TEST(Canonicalize, PunctuationCaseAndSpace) {
  EXPECT_EQ(CanonicalizeText("Skin: erythema, edema!", true), "skin erythema edema");
  EXPECT_EQ(CanonicalizeText("  A\t\nB  ", true), "a b");
  EXPECT_EQ(CanonicalizeText("A - B", false), "A B");
  EXPECT_EQ(CanonicalizeText("a/b<c>d", true), "abcd");
  EXPECT_EQ(CanonicalizeText("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", true), "");
  EXPECT_EQ(CanonicalizeText("", true), "");
}

TEST(Canonicalize, BeyondAscii) {
  // What Python 3.11 gives: print(ascii(text.lower())).
  EXPECT_EQ(CanonicalizeText("\u039F\u0394\u039F\u03A3", true), "\u03BF\u03B4\u03BF\u03C2");
  EXPECT_EQ(CanonicalizeText("\u0130", true), "i\u0307");
  EXPECT_EQ(CanonicalizeText("a\u00A0\u3000b\x1C\x1F", true), "a b");
  EXPECT_EQ(CanonicalizeText("a\u200Bb", true), "a\u200Bb");
  EXPECT_EQ(CanonicalizeText("\u2014 \u00BF", true), "\u2014 \u00BF");
  EXPECT_EQ(CanonicalizeText("a\xFFz", true), "a\uFFFDz");
}

}  // namespace
}  // namespace galen

#include "grammar/number.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "grammar/formats.h"

namespace galen::grammar {
namespace {

const char* const kNumbers[] = {"0",     "1",     "-1",    "9",     "10",     "11",
                                "-10",   "99",    "100",   "0.5",   "-0.5",   "0.25",
                                "1.25",  "12.5",  "12.49", "12.51", "12.500", "-12.5",
                                "-12.6", "-12.4", "3",     "1000",  "0.05",   "0.10"};

TEST(Number, ComparedAgreesWithArithmetic) {
  for (const char* bound :
       {"0", "1", "-1", "10", "12.5", "-12.5", "0.05", "99.99", "1e2", "-5e-1"}) {
    const Decimal c = *DecimalOf(bound);
    const double b = std::strtod(bound, nullptr);
    for (int flags = 0; flags < 8; ++flags) {
      const Dfa dfa = Compared(c, flags & 1, flags & 2, flags & 4);
      for (const char* text : kNumbers) {
        const double x = std::strtod(text, nullptr);
        const bool want = x < b ? flags & 1 : x == b ? flags & 2 : flags & 4;
        EXPECT_EQ(dfa.Accepts(text), want) << text << " beside " << bound << ", " << flags;
      }
      EXPECT_FALSE(dfa.Accepts("-0"));
      EXPECT_FALSE(dfa.Accepts("01"));
      EXPECT_FALSE(dfa.Accepts("1."));
    }
  }
}

TEST(Number, Multiples) {
  const Dfa sevens = *MultiplesOf(*DecimalOf("7"));
  for (int i = -50; i <= 50; ++i) EXPECT_EQ(sevens.Accepts(std::to_string(i)), i % 7 == 0) << i;
  EXPECT_TRUE(sevens.Accepts("14.00"));
  EXPECT_FALSE(sevens.Accepts("14.7"));
  const Dfa cents = *MultiplesOf(*DecimalOf("0.05"));
  EXPECT_TRUE(cents.Accepts("0.15"));
  EXPECT_TRUE(cents.Accepts("12.150"));
  EXPECT_TRUE(cents.Accepts("3"));
  EXPECT_FALSE(cents.Accepts("0.07"));
  EXPECT_FALSE(cents.Accepts("0.151"));
  EXPECT_FALSE(MultiplesOf(*DecimalOf("1234567.89")).ok());
}

TEST(Number, Sets) {
  EXPECT_TRUE(AnyNumber().Accepts("-1.5e+10"));
  EXPECT_FALSE(AnyNumber().Accepts("1e400"));
  EXPECT_FALSE(AnyNumber().Accepts("-0"));
  EXPECT_TRUE(IntegerTexts().Accepts("-12"));
  EXPECT_FALSE(IntegerTexts().Accepts("12.0"));
  EXPECT_TRUE(IntegerValues().Accepts("12.0"));
  EXPECT_FALSE(IntegerValues().Accepts("12.1"));
  EXPECT_EQ(DecimalOf("1.50e-3")->Text(), "0.0015");
  EXPECT_EQ(DecimalOf("-12e2")->Text(), "-1200");
  EXPECT_FALSE(DecimalOf("1e999999").ok());
  EXPECT_EQ(Compare(*DecimalOf("-2"), *DecimalOf("-10")), 1);
}

TEST(Formats, Examples) {
  const auto valid = [](std::string_view format, std::string_view text) {
    const Result<const FormatLanguage*> language = LanguageOfFormat(format);
    EXPECT_TRUE(language.ok()) << format;
    return language.ok() && (*language)->dfa.Accepts(text);
  };
  EXPECT_TRUE(valid("date", "2024-02-29"));
  EXPECT_FALSE(valid("date", "2023-02-29"));
  EXPECT_FALSE(valid("date", "1900-02-29"));
  EXPECT_TRUE(valid("date", "2000-02-29"));
  EXPECT_FALSE(valid("date", "2023-04-31"));
  EXPECT_FALSE(valid("date", "0000-01-01"));
  EXPECT_TRUE(valid("date-time", "2023-04-30T23:59:59.5+02:00"));
  EXPECT_FALSE(valid("date-time", "2023-04-30 23:59:59Z"));
  EXPECT_TRUE(valid("ipv6", "::1"));
  EXPECT_TRUE(valid("ipv6", "1:2:3:4:5:6:7:8"));
  EXPECT_TRUE(valid("ipv6", "1::8"));
  EXPECT_FALSE(valid("ipv6", "1:2:3:4:5:6:7:8:9"));
  EXPECT_FALSE(valid("ipv6", "1::2::3"));
  EXPECT_TRUE(valid("uuid", "2EB8AA08-aa98-11ea-b4aa-73b441d16380"));
  EXPECT_TRUE(valid("email", "joe.bloggs@example.com"));
  EXPECT_FALSE(valid("email", "joe..bloggs@example.com"));
  EXPECT_FALSE(valid("hostname", "a--b-.com"));
  EXPECT_TRUE(valid("hostname", "a-b.example.com"));
  EXPECT_TRUE(valid("uri", "http://example.com/a?b=c#d"));
  EXPECT_FALSE(valid("uri", "//example.com"));
  EXPECT_FALSE(LanguageOfFormat("iri").ok());
}

}  // namespace
}  // namespace galen::grammar

#include "server/api/fields.h"

#include <gtest/gtest.h>

namespace galen::server {
namespace {

OrderedJson Parse(const char* text) { return *ParseOrderedJson(text); }

TEST(Fields, ReadsWhatIsThereAndLeavesTheRest) {
  const OrderedJson body =
      Parse(R"({"s": "x", "b": true, "i": 7, "f": 0.5, "n": null, "list": ["a"], "one": "b"})");
  std::string failed, s = "old", n = "old", absent = "old";
  bool b = false;
  int64_t i = 0;
  float f = 0;
  std::vector<std::string> list, one;
  Fields fields(body, "", &failed);
  ASSERT_TRUE(fields.Check().ok());
  EXPECT_TRUE(fields.String("s", &s).ok());
  EXPECT_TRUE(fields.String("n", &n).ok());
  EXPECT_TRUE(fields.String("absent", &absent).ok());
  EXPECT_TRUE(fields.Bool("b", &b).ok());
  EXPECT_TRUE(fields.Int("i", 0, 10, &i).ok());
  EXPECT_TRUE(fields.Number("f", 0, 1, &f).ok());
  EXPECT_TRUE(fields.Strings("list", 2, &list).ok());
  EXPECT_TRUE(fields.Strings("one", 2, &one).ok());
  EXPECT_TRUE(fields.Finish().ok());
  EXPECT_EQ(s, "x");
  EXPECT_EQ(n, "old");
  EXPECT_EQ(absent, "old");
  EXPECT_TRUE(b);
  EXPECT_EQ(i, 7);
  EXPECT_EQ(f, 0.5f);
  EXPECT_EQ(list, std::vector<std::string>{"a"});
  EXPECT_EQ(one, std::vector<std::string>{"b"});
}

TEST(Fields, NamesWhatIsWrong) {
  const OrderedJson body = Parse(
      R"({"s": 1, "b": "true", "i": 1.5, "big": 1e300, "f": "0.5", "huge": 1e30, "list": [1]})");
  std::string failed, s;
  bool b;
  int64_t i;
  float f;
  std::vector<std::string> list;
  Fields fields(body, "options", &failed);
  EXPECT_FALSE(fields.String("s", &s).ok());
  EXPECT_EQ(failed, "options.s");
  EXPECT_FALSE(fields.Bool("b", &b).ok());
  EXPECT_FALSE(fields.Int("i", 0, 10, &i).ok());
  EXPECT_FALSE(fields.Int("big", 0, 10, &i).ok());
  EXPECT_FALSE(fields.Int("huge", 0, 10, &i).ok());
  EXPECT_FALSE(fields.Number("f", 0, 1, &f).ok());
  EXPECT_FALSE(fields.Strings("list", 2, &list).ok());
  EXPECT_EQ(failed, "options.list");
}

TEST(Fields, FieldsThatChangeNothingHaveTheirTypes) {
  const OrderedJson body = Parse(R"({"user": {}, "who": "me", "truncate": 1, "none": null})");
  std::string failed;
  Fields fields(body, "", &failed);
  EXPECT_TRUE(fields.AcceptStrings({"who", "none", "absent"}).ok());
  EXPECT_FALSE(fields.AcceptStrings({"who", "user"}).ok());
  EXPECT_EQ(failed, "user");
  EXPECT_TRUE(fields.AcceptBools({"none", "absent"}).ok());
  EXPECT_FALSE(fields.AcceptBools({"truncate"}).ok());
  EXPECT_EQ(failed, "truncate");
  EXPECT_TRUE(fields.Finish().ok());
}

TEST(Fields, UnknownAndUnsupportedFieldsAreNamed) {
  const OrderedJson body = Parse(R"({"known": 1, "tools": [], "format": "json", "typo": 1})");
  std::string failed;
  Fields fields(body, "", &failed);
  fields.Accept({"known"});
  EXPECT_TRUE(fields.Refuse("tools", "why", {OrderedJson::array()}).ok());
  const Status refused = fields.Refuse("format", "why");
  EXPECT_EQ(refused.message(), "'format' is not supported: why");
  EXPECT_FALSE(fields.Finish().ok());
  EXPECT_EQ(failed, "typo");
}

TEST(ParseBody, QuotesNothingOfTheBody) {
  const Result<OrderedJson> body = ParseBody("{\"messages\": \"Erika Mustermann\" oops}", 64);
  ASSERT_FALSE(body.ok());
  EXPECT_EQ(body.status().message().find("Mustermann"), std::string::npos);
  EXPECT_EQ(body.status().message().find("oops"), std::string::npos) << body.status().message();
  EXPECT_FALSE(ParseBody(std::string(200, '['), 64).ok());
  EXPECT_FALSE(ParseBody("", 64).ok());
}

}  // namespace
}  // namespace galen::server

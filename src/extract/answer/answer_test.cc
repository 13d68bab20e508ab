#include <gtest/gtest.h>

#include <cmath>

#include "extract/answer/confidence.h"
#include "extract/answer/leaves.h"
#include "extract/answer/line_schema.h"
#include "extract/answer/merge.h"

namespace galen::extract {
namespace {

TEST(Leaves, HavePathsAndPlaces) {
  const std::string text = R"({"a": {"b/c": [1.50, "x\"y"]}, "n": null, "t": true})";
  const auto answer = ParseAnswer(text);
  ASSERT_TRUE(answer.ok());
  EXPECT_TRUE(answer->whole);
  ASSERT_EQ(answer->leaves.size(), 4u);
  EXPECT_EQ(answer->leaves[0].path, "/a/b~1c/0");
  EXPECT_EQ(answer->leaves[0].raw, "1.50");
  EXPECT_EQ(text.substr(answer->leaves[1].begin, answer->leaves[1].end - answer->leaves[1].begin),
            R"("x\"y")");
  EXPECT_EQ(answer->leaves[1].value, "x\"y");
  EXPECT_EQ(answer->document, Json::parse(text));
}

TEST(Leaves, KeepWhatACutOffAnswerHas) {
  const std::string text = R"({"results":[{"test":"Sodium","value":139},{"test":"Pot)";
  const auto answer = ParseAnswer(text);
  ASSERT_TRUE(answer.ok());
  EXPECT_FALSE(answer->whole);
  ASSERT_EQ(answer->leaves.size(), 2u);
  EXPECT_EQ(answer->document["results"][0]["value"], 139);
  // A number at the end may have gone on.
  const auto number = ParseAnswer(R"({"a":1,"b":13)");
  ASSERT_TRUE(number.ok());
  EXPECT_EQ(number->leaves.size(), 1u);
}

TEST(Leaves, RefuseWhatIsNoDocument) {
  for (const char* text : {"", "[]", "12 ", "{a:1}", "{} x", R"({"a":01})", R"({"a":1e999})",
                           R"({"a" 1})", R"({"a":1,})", "\xff", "{\"a\":\"\xff\"}"}) {
    EXPECT_FALSE(ParseAnswer(text).ok()) << text;
  }
  using namespace std::string_literals;
  EXPECT_FALSE(ParseAnswer("{\"a\":36.8\0,\"b\":1}"s).ok());
  std::string deep;
  for (int i = 0; i < 2000; ++i) deep += "{\"a\":";
  EXPECT_FALSE(ParseAnswer(deep).ok());
}

TEST(Confidence, IsOfTheValuesTokens) {
  // {"a":"x","b":12}
  const std::vector<TokenSpan> tokens = {{0, 5, 0},
                                         {5, 8, std::log(0.9f)},
                                         {8, 13, 0},
                                         {13, 14, std::log(0.5f)},
                                         {14, 15, std::log(0.25f)},
                                         {15, 16, 0}};
  const auto number = ConfidenceOf(tokens, 13, 15);
  ASSERT_TRUE(number.has_value());
  EXPECT_NEAR(number->mean, std::sqrt(0.125), 1e-6);
  EXPECT_NEAR(number->lowest, 0.25, 1e-6);
  EXPECT_NEAR(ConfidenceOf(tokens, 5, 8)->mean, 0.9, 1e-6);
  EXPECT_FALSE(ConfidenceOf({}, 0, 3).has_value());
  EXPECT_FALSE(ConfidenceOf(tokens, 40, 50).has_value());
}

void Add(const std::string& text, MergedAnswer* merged) {
  Answer answer;
  answer.text = text;
  answer.tokens = {{0, text.size(), -1}};
  Merge(*ParseAnswer(text), answer, merged);
}

TEST(Merge, AppendsListsAndKeepsTheFirstValue) {
  MergedAnswer merged;
  Add(R"({"name":"A","date":null,"p":{"id":null},"rows":[{"n":1},{"n":2}]})", &merged);
  Add(R"({"name":"B","date":"2024-01-01","p":{"id":"7"},"rows":[{"n":3}]})", &merged);
  EXPECT_EQ(merged.parsed.document, Json::parse(R"({"name":"A","date":"2024-01-01","p":{"id":"7"},
                            "rows":[{"n":1},{"n":2},{"n":3}]})"));
  EXPECT_EQ(merged.clash, std::vector<std::string>{"/name"});
  // Every leaf is a value of the document, once.
  std::set<std::string> paths;
  for (const Leaf& leaf : merged.parsed.leaves) {
    EXPECT_TRUE(paths.insert(leaf.path).second) << leaf.path;
    EXPECT_EQ(merged.parsed.document.at(Json::json_pointer(leaf.path)), leaf.value) << leaf.path;
  }
  EXPECT_EQ(paths.count("/rows/2/n"), 1u);
  EXPECT_EQ(merged.tokens.size(), 2u);
}

constexpr char kSchema[] = R"({"type":"object","properties":{
  "date":{"type":["string","null"],"format":"date"},
  "who":{"$ref":"#/$defs/who"},
  "rows":{"type":"array","items":{"type":"object","properties":{
    "test":{"type":"string"},"flag":{"enum":["N","H"]},"unit":{"type":["string","null"]},
    "mark":{"type":"string","enum":["a"]}},
    "required":["test","flag","unit"],"additionalProperties":false}}},
  "required":["date","who","rows"],"additionalProperties":false,
  "$defs":{"who":{"type":"object","properties":{"name":{"type":["string","null"]}},"required":["name"],
    "additionalProperties":false}}})";

TEST(LineSchema, AllowsPartsOfTheDocument) {
  const auto schema = LineSchema(kSchema);
  ASSERT_TRUE(schema.ok()) << schema.status().message();
  const Json line = Json::parse(*schema);
  EXPECT_FALSE(line.contains("required"));
  EXPECT_FALSE(line.contains("$defs"));
  EXPECT_FALSE(line["properties"]["who"].contains("required"));
  const Json& rows = line["properties"]["rows"];
  EXPECT_EQ(rows["minItems"], 1);
  EXPECT_EQ(rows["items"]["required"].size(), 3u);
  EXPECT_EQ(rows["items"]["properties"]["test"]["type"], Json::parse(R"(["string","null"])"));
  EXPECT_EQ(rows["items"]["properties"]["flag"]["enum"], Json::parse(R"(["N","H",null])"));
  EXPECT_EQ(rows["items"]["properties"]["unit"]["type"], Json::parse(R"(["string","null"])"));
  EXPECT_EQ(rows["items"]["properties"]["mark"],
            Json::parse(R"({"type":["string","null"],"enum":["a",null]})"));
}

TEST(LineSchema, KnowsTheEmptyDocumentAndWhatAnEntryLacks) {
  EXPECT_EQ(*EmptyDocument(kSchema), R"({"date":null,"who":{"name":null},"rows":[]})");
  const auto lacks = [](const char* part) { return *LacksValues(kSchema, Json::parse(part)); };
  EXPECT_FALSE(lacks(R"({"who":{"name":null}})"));
  EXPECT_FALSE(lacks(R"({"rows":[{"test":"a","flag":"N","unit":null}]})"));
  EXPECT_TRUE(lacks(R"({"rows":[{"test":null,"flag":"N","unit":null}]})"));
  EXPECT_TRUE(lacks(R"({"rows":[{"test":"a","flag":null,"unit":null}]})"));
}

TEST(LineSchema, RefusesWhatItDoesNotUnderstand) {
  const auto schema =
      LineSchema(R"({"type":"object","properties":{"a":{"anyOf":[{"type":"string"}]}}})");
  EXPECT_EQ(schema.status().code(), StatusCode::kUnsupported);
  EXPECT_NE(schema.status().message().find("anyOf"), std::string::npos);
  EXPECT_FALSE(EmptyDocument(R"({"$ref":"#/$defs/a","$defs":{"a":{"$ref":"#/$defs/a"}}})").ok());
  EXPECT_EQ(LineSchema("[").status().code(), StatusCode::kDataLoss);
}

}  // namespace
}  // namespace galen::extract

#include "grammar/schema.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

#include "grammar/automaton.h"

namespace galen::grammar {
namespace {

class Language {
 public:
  explicit Language(std::string_view schema, bool flexible = true) {
    Result<Grammar> grammar = CompileSchema(schema, flexible);
    status_ = grammar.status();
    if (grammar.ok()) automaton_ = std::make_unique<Automaton>(*std::move(grammar));
  }
  bool Has(std::string_view text) {
    EXPECT_TRUE(automaton_ != nullptr) << status_.message();
    if (automaton_ == nullptr) return false;
    const ConfigId config = automaton_->StepText(automaton_->start(), text);
    return config != kDead && automaton_->accepting(config);
  }
  const Status& status() const { return status_; }

 private:
  Status status_;
  std::unique_ptr<Automaton> automaton_;
};

std::string Refusal(std::string_view schema) {
  const Language language(schema);
  EXPECT_FALSE(language.status().ok()) << schema;
  return language.status().message();
}

TEST(Schema, PropertiesStandInTheOrderOfTheSchema) {
  Language l(R"({"type": "object", "properties": {"b": {"type": "integer"}, "a": {"type": "null"}},
                 "required": ["a"], "additionalProperties": false})");
  EXPECT_TRUE(l.Has(R"({"b": 1, "a": null})"));
  EXPECT_TRUE(l.Has(R"({"a":null})"));
  EXPECT_FALSE(l.Has(R"({"a": null, "b": 1})"));
  EXPECT_FALSE(l.Has(R"({"b": 1})"));
  EXPECT_FALSE(l.Has(R"({"a": null, "c": 1})"));
}

TEST(Schema, Whitespace) {
  const char* const schema =
      R"({"type": "object", "properties": {"a": {"type": "array"}}, "additionalProperties": false})";
  Language flexible(schema), compact(schema, false);
  for (const char* text :
       {"{}", "{\"a\":[]}", "{\"a\": [1, 2]}", "{\n  \"a\": [\n    1,\n    2\n  ]\n}"})
    EXPECT_TRUE(flexible.Has(text)) << text;
  EXPECT_TRUE(compact.Has("{\"a\":[1,2]}"));
  EXPECT_FALSE(compact.Has("{\"a\": [1,2]}"));
  for (const char* text : {" {}", "{} ", "{\"a\" :[]}", "{\"a\":[1 ,2]}", "{\"a\":  []}", "{\n\n}"})
    EXPECT_FALSE(flexible.Has(text)) << text;
}

TEST(Schema, StringsInAllTheirSpellings) {
  Language l(R"({"type": "string", "minLength": 2, "maxLength": 3})");
  EXPECT_TRUE(l.Has(R"("ab")"));
  EXPECT_FALSE(l.Has(R"("a")"));
  EXPECT_FALSE(l.Has(R"("abcd")"));
  EXPECT_TRUE(l.Has("\"\xf0\x9f\x98\x80\xc3\xa9\""));  // two characters
  EXPECT_TRUE(l.Has(R"("\ud83d\ude00\n")"));
  EXPECT_FALSE(l.Has(R"("\ud83d\ude00")"));
  EXPECT_FALSE(l.Has(R"("a\ud83d")"));  // half a pair
  EXPECT_FALSE(l.Has("\"a\nb\""));
  EXPECT_FALSE(l.Has("\"ab\xff\""));
  Language pattern(R"({"type": "string", "pattern": "^[^a]\\n$"})");
  EXPECT_TRUE(pattern.Has(R"("b\n")"));
  EXPECT_TRUE(pattern.Has(R"("b\u000a")"));
  EXPECT_TRUE(pattern.Has(R"("\u0062\n")"));
  EXPECT_FALSE(pattern.Has(R"("\u0061\n")"));
}

TEST(Schema, Numbers) {
  Language integer(R"({"type": "integer", "minimum": -3, "exclusiveMaximum": 12})");
  for (const char* text : {"-3", "0", "11"}) EXPECT_TRUE(integer.Has(text)) << text;
  for (const char* text : {"-4", "12", "1.0", "-0", "01", "1e0"}) EXPECT_FALSE(integer.Has(text));
  Language number(R"({"type": "number"})");
  for (const char* text : {"1.5", "-2e-3", "0"}) EXPECT_TRUE(number.Has(text)) << text;
  Language except(R"({"type": "integer", "not": {"enum": [1, 2.0, 3]}})");
  EXPECT_TRUE(except.Has("4"));
  EXPECT_FALSE(except.Has("2"));
}

TEST(Schema, Recursion) {
  Language l(R"({"$ref": "#/$defs/t", "$defs": {"t": {"type": "object",
      "properties": {"v": {"type": "integer"}, "next": {"$ref": "#/$defs/t"}},
      "required": ["v"], "additionalProperties": false}}})");
  std::string text = "{\"v\":1}";
  for (int i = 0; i < 50; ++i) text = "{\"v\": 1, \"next\": " + text + "}";
  EXPECT_TRUE(l.Has(text));
  EXPECT_FALSE(l.Has(text.substr(0, text.size() - 1)));
}

TEST(Schema, CombinationsAreExact) {
  Language one(R"({"oneOf": [{"multipleOf": 3}, {"multipleOf": 5}], "type": "integer"})");
  EXPECT_TRUE(one.Has("9"));
  EXPECT_TRUE(one.Has("10"));
  EXPECT_FALSE(one.Has("15"));
  EXPECT_FALSE(one.Has("7"));
  Language conditional(R"({"type": "object", "properties": {"k": {"enum": ["a", "b"]},
      "n": {"type": "integer"}}, "required": ["k"], "additionalProperties": false,
      "if": {"properties": {"k": {"const": "a"}}}, "then": {"required": ["n"]},
      "else": {"not": {"required": ["n"]}}})");
  EXPECT_TRUE(conditional.Has(R"({"k": "a", "n": 1})"));
  EXPECT_FALSE(conditional.Has(R"({"k": "a"})"));
  EXPECT_TRUE(conditional.Has(R"({"k": "b"})"));
  EXPECT_FALSE(conditional.Has(R"({"k": "b", "n": 1})"));
  Language all(R"({"allOf": [{"properties": {"a": {"minimum": 2}}},
      {"properties": {"a": {"type": "integer", "maximum": 3}}, "required": ["a"]}],
      "type": "object", "maxProperties": 1})");
  EXPECT_TRUE(all.Has(R"({"a": 3})"));
  EXPECT_FALSE(all.Has(R"({"a": 1})"));
}

TEST(Schema, RefusesByNameAndPath) {
  EXPECT_NE(Refusal(R"({"properties": {"a": {"nullable": true}}})")
                .find("\"nullable\" at #/properties/a/nullable"),
            std::string::npos);
  EXPECT_NE(Refusal(R"({"items": {"format": "iri"}})").find("\"format\" at #/items/format"),
            std::string::npos);
  EXPECT_NE(
      Refusal(R"x({"properties": {"a": {"pattern": "a(?=b)"}}})x").find("#/properties/a/pattern"),
      std::string::npos);
  EXPECT_NE(Refusal(R"({"type": "array", "uniqueItems": true})").find("uniqueItems"),
            std::string::npos);
  EXPECT_NE(Refusal(R"({"$ref": "http://example.com/x"})").find("nothing is fetched"),
            std::string::npos);
  EXPECT_NE(Refusal(R"({"$dynamicRef": "#x"})").find("$dynamicRef"), std::string::npos);
  EXPECT_NE(Refusal(R"({"minLength": "3"})").find("#/minLength"), std::string::npos);
  EXPECT_NE(Refusal(R"({"type": "text"})").find("#/type"), std::string::npos);
  EXPECT_NE(Refusal("[1]").find("a schema must be"), std::string::npos);
  EXPECT_NE(Refusal("{").find("no JSON"), std::string::npos);
}

TEST(Schema, NumbersAreExactOrRefused) {
  Language zero(R"({"enum": [0e9223372036854775807, -0.0e-500], "default": 0e99999999999})");
  EXPECT_TRUE(zero.Has("0"));
  EXPECT_FALSE(zero.Has("1"));
  Language large(R"({"enum": [9007199254740993, -9223372036854775808, 18446744073709551615]})");
  EXPECT_TRUE(large.Has("9007199254740993"));
  EXPECT_TRUE(large.Has("-9223372036854775808"));
  EXPECT_TRUE(large.Has("18446744073709551615"));
  EXPECT_FALSE(large.Has("9007199254740992"));
  Language bound(
      R"({"type": "integer", "minimum": 9007199254740993, "maximum": 9007199254740995})");
  EXPECT_TRUE(bound.Has("9007199254740993"));
  EXPECT_FALSE(bound.Has("9007199254740992"));
  EXPECT_FALSE(bound.Has("9007199254740996"));
  // Doubles take these two for one.
  Language both(
      R"({"allOf": [{"enum": [9007199254740993, 1]}, {"enum": [9007199254740992.0, 1]}]})");
  EXPECT_TRUE(both.Has("1"));
  EXPECT_FALSE(both.Has("9007199254740993"));
  EXPECT_FALSE(both.Has("9007199254740992"));
  const char* const refused[][2] = {
      {R"({"properties": {"a": {"const": 18446744073709551616001}}})", "#/properties/a/const"},
      {R"({"enum": [1, {"x": [123456789012345678901234567890]}]})", "#/enum"},
      {R"({"minimum": -9223372036854775809000001})", "#/minimum"},
      {R"({"exclusiveMaximum": 0.12345678901234567890123})", "#/exclusiveMaximum"},
      {R"({"items": {"multipleOf": 123456789012345678901}})", "#/items/multipleOf"},
      {R"({"const": 1e-402})", "#/const"},
      {R"({"maximum": 1e-99999999999999999999})", "#/maximum"},
      {R"({"maxLength": 3.00000000000000000000001})", "#/maxLength"}};
  for (const auto& [schema, path] : refused) {
    const std::string message = Refusal(schema);
    EXPECT_NE(message.find(path), std::string::npos) << message;
    EXPECT_NE(message.find("would be rounded"), std::string::npos) << message;
  }
  // Nothing is compared with these, and what doubles keep is welcome.
  EXPECT_TRUE(
      Language(R"({"type": "null", "default": 123456789012345678901234567890})").Has("null"));
  EXPECT_TRUE(Language(R"({"const": 1e22})").Has("10000000000000000000000"));
  EXPECT_TRUE(Language(R"({"const": 0.1000})").Has("0.1"));
  // Of a name that comes twice the last value counts.
  EXPECT_TRUE(Language(R"({"const": 123456789012345678901234567890, "const": 5})").Has("5"));
}

TEST(Schema, ContradictionsAreNamed) {
  for (const char* schema :
       {"false", R"({"type": "integer", "minimum": 3, "maximum": 2})",
        R"({"type": "string", "minLength": 3, "maxLength": 2})",
        R"({"type": "string", "pattern": "^a{5}$", "maxLength": 4})",
        R"({"type": "object", "required": ["a"], "additionalProperties": false})",
        R"({"type": "object", "required": ["a"], "properties": {"a": false}})",
        R"({"type": "array", "minItems": 2, "prefixItems": [true], "items": false})",
        R"({"$ref": "#/$defs/a", "$defs": {"a": {"type": "object", "required": ["a"],
            "properties": {"a": {"$ref": "#/$defs/a"}}}}})",
        R"({"enum": ["a"], "type": "integer"})"}) {
    EXPECT_NE(Refusal(schema).find("contradicts itself"), std::string::npos) << schema;
  }
  EXPECT_NE(Refusal(R"({"$ref": "#"})").find("refers to itself"), std::string::npos);
}

TEST(Schema, EnormousSchemasEnd) {
  std::string deep = "{}";
  for (int i = 0; i < 200; ++i) deep = R"({"not": )" + deep + "}";
  EXPECT_NE(Refusal(deep).find("nested deeper"), std::string::npos);
  std::string any = R"({"allOf": [)";
  for (int i = 0; i < 30; ++i) {
    any += std::string(i == 0 ? "" : ",") + R"({"anyOf": [{"required": ["a)" + std::to_string(i) +
           R"("]}, {"required": ["b)" + std::to_string(i) + R"("]}]})";
  }
  EXPECT_NE(Refusal(any + R"(], "type": "object"})").find("alternatives"), std::string::npos);
  EXPECT_FALSE(Language(R"({"type": "string", "pattern": "^(a|b)*a(a|b){40}$"})").status().ok());
  Language large(
      R"({"type": "array", "maxItems": 1000000000, "items": {"type": "string", "maxLength": 100000000}})");
  EXPECT_TRUE(large.Has(R"(["a"])"));
}

// docs/SCHEMA.md has a row for each keyword, with what the code does.
TEST(Schema, DocumentationAgrees) {
  std::ifstream file(GALEN_SOURCE_DIR "/docs/SCHEMA.md");
  ASSERT_TRUE(file.good());
  std::set<std::pair<std::string, std::string>> rows, code;
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("| `")) continue;
    const size_t end = line.find("` |"), use = end + 4;
    if (end == line.npos) continue;
    const std::string word = line.substr(use, line.find(' ', use) - use);
    if (word == "enforced" || word == "annotation" || word == "refused")
      rows.insert({line.substr(3, end - 3), word});
  }
  for (const Keyword& keyword : Keywords()) {
    code.insert({std::string(keyword.name), keyword.use == KeywordUse::kEnforced     ? "enforced"
                                            : keyword.use == KeywordUse::kAnnotation ? "annotation"
                                                                                     : "refused"});
  }
  EXPECT_EQ(rows, code);
}

}  // namespace
}  // namespace galen::grammar

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "grammar/constraint.h"
#include "grammar/gbnf.h"

namespace galen::grammar {
namespace {

// Bytes, some words, and pieces that cross the borders of JSON.
std::shared_ptr<const Vocabulary> TestVocabulary() {
  std::vector<std::string> tokens;
  for (int b = 0; b < 256; ++b) tokens.emplace_back(1, static_cast<char>(b));
  for (const char* text :
       {"the",  "a\"",       "\",",         "\": ",    "{\"",  "\"}",    "]}",
        "12",   "0.5",       "true",        "  ",      "\n  ", "\\n",    "\\u00",
        "e9",   "\xc3\xa9t", "\xa9",        "ab",      "abc",  "\u2028", "x\u2029y",
        "name", "\":",       "hello world", "x\",\"y", "",     "A",      "A"})
    tokens.emplace_back(text);
  return Vocabulary::FromBytes(tokens);
}

bool Allowed(const TokenMask& mask, TokenId id) { return mask[id / 64] >> (id % 64) & 1; }

// A mask says of each token what the automaton says of its bytes, wherever random walks lead.
TEST(Mask, AgreesWithTheAutomaton) {
  const auto vocabulary = TestVocabulary();
  std::mt19937 random(3);
  for (
      const char* schema :
      {"{}", R"({"type": "string"})", R"({"type": "string", "maxLength": 5})",
       R"({"type": "string", "minLength": 4})",
       R"({"anyOf": [{"type": "string", "maxLength": 3}, {"enum": ["abcabc"]}]})",
       R"({"type": "string", "pattern": "b"})",
       R"({"type": "string", "pattern": "^a+b*$", "maxLength": 7})",
       R"({"type": "string", "minLength": 30, "maxLength": 60})",
       R"({"type": "string", "pattern": "^.{3,20}(ab)?$"})",
       R"({"type": "string", "pattern": "^.+$", "maxLength": 14})",
       R"({"type": "string", "pattern": "^(é|.{2})*$"})",
       R"({"anyOf": [{"type": "string", "pattern": "^.{0,2}$"}, {"type": "string", "pattern": "^the.{0,5}$"}]})",
       R"({"type": "string", "pattern": "^(.[^a])*$", "minLength": 15, "maxLength": 50})",
       R"({"type": "string", "pattern": "^[a-z]{0,40}$", "minLength": 15})",
       R"({"anyOf": [{"type": "string", "maxLength": 45}, {"type": "string", "pattern": "^(b|the)+$"}]})",
       R"({"type": "object", "properties": {"name": {"type": "string"}}, "additionalProperties": {"type": "number"}})",
       R"({"type": "array", "items": {"type": ["integer", "string"]}, "maxItems": 3})"}) {
    const auto made = Constraint::FromSchema(schema, vocabulary);
    ASSERT_TRUE(made.ok()) << made.status().message();
    const Constraint& c = **made;
    for (int walk = 0; walk < 10; ++walk) {
      ConfigId config = c.Start();
      for (int step = 0; step < 25; ++step) {
        const auto mask = c.Mask(config);
        ASSERT_NE(mask, nullptr);
        std::vector<TokenId> allowed;
        for (TokenId id = 0; id < vocabulary->size(); ++id) {
          const std::string& bytes = vocabulary->bytes(id);
          const bool alive = !bytes.empty() && c.Advance(config, bytes) != kDead;
          EXPECT_EQ(Allowed(*mask, id), alive) << schema << ": " << bytes;
          if (alive) allowed.push_back(id);
        }
        if (allowed.empty()) {
          EXPECT_TRUE(c.Complete(config)) << schema;
          break;
        }
        config = c.Advance(config, vocabulary->bytes(allowed[random() % allowed.size()]));
      }
    }
  }
}

TEST(Matcher, StopsOnlyWhereTheTextIsComplete) {
  const auto vocabulary = TestVocabulary();
  const TokenId stop = static_cast<TokenId>(vocabulary->size());
  GrammarMatcher matcher(*Constraint::FromRegex("ab?", vocabulary), {});
  std::vector<float> logits(stop + 1, 1.0f);
  EXPECT_TRUE(matcher.Apply(logits, std::vector<TokenId>{stop}));
  EXPECT_TRUE(std::isinf(logits[stop]));
  EXPECT_EQ(logits['a'], 1.0f);
  EXPECT_TRUE(std::isinf(logits['b']));
  EXPECT_FALSE(matcher.Accept('b'));
  EXPECT_TRUE(matcher.Accept('a'));
  EXPECT_TRUE(matcher.complete());
  EXPECT_FALSE(matcher.finished());
  logits.assign(stop + 1, 1.0f);
  EXPECT_TRUE(matcher.Apply(logits, std::vector<TokenId>{stop}));
  EXPECT_EQ(logits[stop], 1.0f);
  EXPECT_TRUE(matcher.Accept('b'));
  EXPECT_TRUE(matcher.finished());
}

TEST(Matcher, StartsBehindTheThought) {
  const auto vocabulary = TestVocabulary();
  const TokenId open = static_cast<TokenId>(vocabulary->size()), close = open + 1, stop = open + 2;
  GrammarMatcher matcher(*Constraint::FromRegex("ab", vocabulary), {open, close, false});
  std::vector<float> logits(stop + 1, 1.0f);
  EXPECT_TRUE(matcher.Apply(logits, std::vector<TokenId>{stop}));
  EXPECT_EQ(logits[open], 1.0f);
  EXPECT_TRUE(std::isinf(logits[close]));
  EXPECT_TRUE(std::isinf(logits['x']));
  EXPECT_TRUE(matcher.Accept(open));
  logits.assign(stop + 1, 1.0f);
  EXPECT_TRUE(matcher.Apply(logits, std::vector<TokenId>{stop}));
  EXPECT_EQ(logits['x'], 1.0f);
  EXPECT_TRUE(std::isinf(logits[stop]));
  EXPECT_TRUE(matcher.Accept('x'));
  EXPECT_FALSE(matcher.complete());
  EXPECT_TRUE(matcher.Accept(close));
  logits.assign(stop + 1, 1.0f);
  EXPECT_TRUE(matcher.Apply(logits, std::vector<TokenId>{stop}));
  EXPECT_TRUE(std::isinf(logits[open]));  // one thought
  EXPECT_EQ(matcher.CountAcceptable(std::vector<TokenId>{'a', 'b', 'c'}), 2u);
  EXPECT_TRUE(matcher.Accept('a'));
  EXPECT_TRUE(matcher.Accept('b'));
  EXPECT_TRUE(matcher.finished());
}

TEST(Constraint, ForcedBytes) {
  const auto vocabulary = TestVocabulary();
  const auto c = *Constraint::FromSchema(
      R"({"type": "object", "properties": {"long_name": {"type": "boolean"}},
          "required": ["long_name"], "additionalProperties": false})",
      vocabulary, Whitespace::kCompact);
  EXPECT_EQ(c->Forced(c->Start(), 64), R"({"long_name":)");
  EXPECT_EQ(c->Forced(c->Advance(c->Start(), R"({"long_name":t)"), 64), "rue}");
  EXPECT_EQ(c->Forced(c->Start(), 5), R"({"lon)");
}

TEST(Gbnf, Rules) {
  const auto vocabulary = TestVocabulary();
  const auto accepts = [&](std::string_view grammar, std::string_view text) {
    const auto c = Constraint::FromGbnf(grammar, vocabulary);
    EXPECT_TRUE(c.ok()) << c.status().message();
    return c.ok() && (*c)->Complete((*c)->Advance((*c)->Start(), text));
  };
  const char* const sum =
      "root ::= term (\"+\" term)* # a sum\nterm ::= [0-9]+ | \"(\" root \")\"\n";
  EXPECT_TRUE(accepts(sum, "1+(2+34)+5"));
  EXPECT_FALSE(accepts(sum, "1+(2+34"));
  EXPECT_FALSE(accepts(sum, "1+"));
  const char* const lines =
      "root ::= (\n  \"a\" |\n  \"b\"\n){2,3} tail?\ntail ::= \"\\n\" [^\\x00-\\x40]\n";
  EXPECT_TRUE(accepts(lines, "ab"));
  EXPECT_TRUE(accepts(lines, "abb\n\xc3\xa9"));
  EXPECT_FALSE(accepts(lines, "a"));
  EXPECT_TRUE(accepts("root ::= .{2}", "\xc3\xa9x"));
  const auto refusal = [&](std::string_view grammar) {
    const auto c = Constraint::FromGbnf(grammar, vocabulary);
    EXPECT_FALSE(c.ok()) << grammar;
    return c.status().message();
  };
  EXPECT_NE(refusal("root ::= root \"a\" | \"b\"").find("left recursion"), std::string::npos);
  EXPECT_NE(refusal("root ::= other").find("no rule other"), std::string::npos);
  EXPECT_NE(refusal("a ::= \"x\"").find("no rule root"), std::string::npos);
  EXPECT_NE(refusal("root ::= \"x\"\nroot ::= \"y\"").find("twice"), std::string::npos);
  EXPECT_NE(refusal("root ::= \"x\" root").find("no text satisfies"), std::string::npos);
  EXPECT_NE(refusal("root ::= \"x").find("line 1"), std::string::npos);
  EXPECT_NE(refusal("root ::= )").find("line 1"), std::string::npos);
}

}  // namespace
}  // namespace galen::grammar

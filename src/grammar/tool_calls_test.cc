#include "grammar/tool_calls.h"

#include <gtest/gtest.h>

#include <memory>

#include "grammar/automaton.h"

namespace galen::grammar {
namespace {

const std::vector<ToolSchema> kTools = {
    {"get_dose",
     R"({"type": "object", "properties": {"drug": {"type": "string", "maxLength": 9},
         "mg": {"type": "integer", "minimum": 1, "maximum": 500}},
         "required": ["drug", "mg"], "additionalProperties": false})"},
    {"get", R"({"type": "object", "additionalProperties": false})"}};

ToolCallForm Tagged(int64_t max_calls) {
  return {{{"<tool_call>\n{\"name\": \"", "}\n</tool_call>"}},
          "\", \"arguments\": ",
          "<tool_call>",
          {},
          max_calls};
}

ToolCallForm Bare() {
  return {{{"{\"name\": \"", "}"}, {"```json\n{\"name\": \"", "}\n```"}},
          "\", \"parameters\": ",
          "",
          {"{", "```json"},
          1};
}

class CallLanguage {
 public:
  CallLanguage(const ToolCallForm& form, bool text) {
    Result<Grammar> grammar = CompileToolCalls(form, kTools, text);
    EXPECT_TRUE(grammar.ok()) << grammar.status().message();
    if (grammar.ok()) automaton_ = std::make_unique<Automaton>(*std::move(grammar));
  }
  bool Has(std::string_view text) {
    const ConfigId config = automaton_->StepText(automaton_->start(), text);
    return config != kDead && automaton_->accepting(config);
  }
  bool Begins(std::string_view text) {
    return automaton_->StepText(automaton_->start(), text) != kDead;
  }

 private:
  std::unique_ptr<Automaton> automaton_;
};

std::string Call(const std::string& body) { return "<tool_call>\n" + body + "\n</tool_call>"; }

TEST(ToolCalls, WordsBeforeTaggedCalls) {
  CallLanguage language(Tagged(3), true);
  const std::string dose = Call(R"({"name": "get_dose", "arguments": {"drug": "x", "mg": 20}})");
  const std::string get = Call(R"({"name": "get", "arguments": {}})");
  EXPECT_TRUE(language.Has(""));
  EXPECT_TRUE(language.Has("Take 3 <tool_ca> a day \xc3\xa4."));
  EXPECT_TRUE(language.Has(dose));
  EXPECT_TRUE(language.Has("Let me look.\n" + dose + "\n" + get + "\n" + dose));
  EXPECT_TRUE(language.Has("<<tool_call" + get));
  EXPECT_FALSE(language.Has(dose + "\n" + dose + "\n" + dose + "\n" + dose)) << "at most three";
  EXPECT_FALSE(language.Begins(dose + " and")) << "nothing follows calls";
  EXPECT_FALSE(language.Begins("x<tool_call>{")) << "only the form of the template";
  EXPECT_FALSE(language.Begins(Call(R"({"name": "get_dose", "arguments": {"drug": "x", "mg": 0)")));
  EXPECT_FALSE(language.Begins(R"(<tool_call>
{"name": "other)"));
  EXPECT_FALSE(language.Has("<tool_call>\n{\"name\": \"get\", \"arguments\": {}}"));
  EXPECT_FALSE(language.Has("\xc3"));
}

TEST(ToolCalls, NothingButCallsWhereTheyAreRequired) {
  CallLanguage language(Tagged(1), false);
  const std::string get = Call(R"({"name": "get", "arguments": {}})");
  EXPECT_TRUE(language.Has(get));
  EXPECT_FALSE(language.Has(""));
  EXPECT_FALSE(language.Begins("a"));
  EXPECT_FALSE(language.Begins(get + "\n"));
}

TEST(ToolCalls, AnAnswerOfAnotherBeginningIsText) {
  CallLanguage language(Bare(), true);
  const std::string call = R"({"name": "get_dose", "parameters": {"drug": "abc", "mg": 500}})";
  EXPECT_TRUE(language.Has(call));
  EXPECT_TRUE(language.Has("\n" + call));
  EXPECT_TRUE(language.Has("```json\n" + call + "\n```"));
  EXPECT_TRUE(language.Has("I cannot {say} that. " + call)) << "text";
  EXPECT_TRUE(language.Has("```python\nprint()\n```"));
  EXPECT_FALSE(language.Begins("{\"drug\""));
  EXPECT_FALSE(language.Begins(" {}"));
  EXPECT_FALSE(language.Begins("```json\n["));
  EXPECT_FALSE(language.Begins(call + "\n")) << "a call is a whole answer";
}

TEST(ToolCalls, ErrorsNameTheFunction) {
  const std::vector<ToolSchema> bad = {{"broken", R"({"type": "object", "gadget": 1})"}};
  const Result<Grammar> grammar = CompileToolCalls(Bare(), bad, true);
  ASSERT_FALSE(grammar.ok());
  EXPECT_NE(grammar.status().message().find("'broken'"), std::string::npos);
  EXPECT_NE(grammar.status().message().find("gadget"), std::string::npos);
}

}  // namespace
}  // namespace galen::grammar

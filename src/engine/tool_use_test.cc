#include "engine/tool_use.h"

#include <gtest/gtest.h>

namespace galen {
namespace {

using Event = ToolCallReader::Event;

// Events of a text that comes in pieces of `step` bytes; pieces of one kind joined.
std::string Read(const ToolConvention& convention, const std::string& text, size_t step) {
  ToolCallReader reader(convention.form);
  std::string seen;
  Event::Kind last = Event::Kind::kEnd;
  const auto take = [&](const std::vector<Event>& events) {
    for (const Event& event : events) {
      if (event.kind != last || event.kind == Event::Kind::kCall)
        seen += std::string("|") + "tcae"[static_cast<int>(event.kind)] + ":";
      last = event.kind;
      seen += event.text;
    }
  };
  for (size_t i = 0; i < text.size(); i += step) take(reader.Add(text.substr(i, step)));
  take(reader.Finish());
  return seen;
}

void Expect(const char* chat_template, const std::string& text, const std::string& events) {
  const Result<ToolConvention> convention = ToolConvention::Of(chat_template);
  ASSERT_TRUE(convention.ok());
  for (const size_t step : {size_t{1}, size_t{2}, size_t{5}, text.size() + 1})
    EXPECT_EQ(Read(*convention, text, step), events) << text << " in steps of " << step;
}

constexpr char kTagged[] = "{% if tools %}<tool_call>\"arguments\"{% endif %}";
constexpr char kLlama[] = "{% if tools %}<|start_header_id|>{\"name\": f, \"parameters\": d}";
constexpr char kNone[] = "<start_of_turn>{{ messages }}";

TEST(ToolUse, TaggedCallsAreReadOutOfWords) {
  Expect(kTagged, "", "");
  Expect(kTagged, "No <tool_ca> here ", "|t:No <tool_ca> here ");
  Expect(kTagged,
         "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": \"}\\\"{\"}}\n</tool_call>",
         "|c:f|a:{\"a\": \"}\\\"{\"}|e:");
  Expect(kTagged,
         "Look: \n<tool_call>\n{\"name\": \"f\", \"arguments\": {}}\n</tool_call>\n<tool_call>\n"
         "{\"name\": \"g\", \"arguments\": {\"b\": [1, {\"c\": 2}]}}\n</tool_call>",
         "|t:Look:|c:f|a:{}|e:|c:g|a:{\"b\": [1, {\"c\": 2}]}|e:");
  Expect(kTagged, "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": 1", "|c:f|a:{\"a\": 1");
  Expect(kTagged, "<tool_call>\n{\"na", "");
}

TEST(ToolUse, AnAnswerIsACallOrWords) {
  for (const char* source : {kLlama, kNone}) {
    Expect(source, "{\"name\": \"f\", \"parameters\": {\"x\": {}}}", "|c:f|a:{\"x\": {}}|e:");
    Expect(source, "\n {\"name\": \"f\", \"parameters\": {}}", "|c:f|a:{}|e:");
    Expect(source, "Words {\"name\": \"f\"", "|t:Words {\"name\": \"f\"");
    Expect(source, " a", "|t: a");
  }
  Expect(kNone, "```json\n{\"name\": \"f\", \"parameters\": {}}\n```", "|c:f|a:{}|e:");
  Expect(kNone, "```py", "|t:```py");
}

TEST(ToolUse, UnknownFormsAreRefused) {
  EXPECT_FALSE(ToolConvention::Of("{% if tools %}[AVAILABLE_TOOLS]").ok());
  EXPECT_FALSE(ToolConvention::Of("tools <tool_call><function=name> arguments").ok());
  EXPECT_TRUE(ToolConvention::Of(kLlama)->in_template);
  EXPECT_FALSE(ToolConvention::Of(kNone)->in_template);
}

TEST(ToolUse, FunctionsCallsAndResultsInWords) {
  const OrderedJson messages = *ParseOrderedJson(R"([
      {"role": "system", "content": "Be brief."},
      {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Dose?"}]},
      {"role": "assistant", "content": "", "tool_calls": [{"type": "function",
          "function": {"name": "f", "arguments": {"b": 1, "a": 2}}}]},
      {"role": "tool", "content": "20 mg"}, {"role": "tool", "content": "oral"},
      {"role": "user", "content": "So?"}])");
  const OrderedJson tools = *ParseOrderedJson(
      R"([{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}])");
  const Result<OrderedJson> words = WithToolsInWords(messages, tools);
  ASSERT_TRUE(words.ok());
  ASSERT_EQ(words->size(), 4u);
  EXPECT_EQ((*words)[0], messages[0]);
  const std::string told = (*words)[1]["content"][0]["text"];
  EXPECT_NE(told.find("You have access to functions"), told.npos);
  EXPECT_NE(told.find(R"([{"name":"f","parameters":{"type":"object"}}])"), told.npos);
  EXPECT_EQ((*words)[1]["content"][1]["type"], "image");
  EXPECT_EQ((*words)[2]["content"], R"({"name":"f","parameters":{"b":1,"a":2}})");
  EXPECT_EQ((*words)[3]["role"], "user");
  EXPECT_EQ((*words)[3]["content"], "```tool_output\n20 mg\n```\n```tool_output\noral\n```\nSo?");
  EXPECT_FALSE(WithToolsInWords(OrderedJson::array({messages[0]}), tools).ok());
}

}  // namespace
}  // namespace galen

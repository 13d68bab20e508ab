#include "text/template/chat_template.h"

#include <gtest/gtest.h>

#include <thread>

#include "text/template/chat_input_json.h"

namespace galen {
namespace {

ChatInput Hello() {
  ChatInput input;
  input.messages = OrderedJson::parse(R"([{"role": "user", "content": "hi"}])");
  return input;
}

Result<std::string> Render(std::string_view source, const ChatInput& input = Hello(),
                           const TemplateLimits& limits = {}) {
  ASSIGN_OR_RETURN(const ChatTemplate parsed, ChatTemplate::Parse(source, limits));
  return parsed.Render(input);
}

std::string Text(std::string_view source, const ChatInput& input = Hello()) {
  const auto text = Render(source, input);
  return text.ok() ? *text : "error: " + text.status().message();
}

TEST(ChatTemplate, KeepsTheOrderOfKeys) {
  ChatInput input = Hello();
  input.tools = *ParseOrderedJson(R"([{"z": 1, "a": {"y": 2, "b": 3}}])");
  EXPECT_EQ(Text("{{ tools[0] | tojson }}", input), R"({"z": 1, "a": {"y": 2, "b": 3}})");
}

TEST(ChatTemplate, AbsentInputsAreNoneOrUndefined) {
  EXPECT_EQ(
      Text("{{ tools }},{{ documents }},{{ bos_token is defined }},{{ add_generation_prompt }}"),
      "None,None,False,False");
}

TEST(ChatTemplate, VariablesWinOverTokens) {
  ChatInput input = Hello();
  input.bos_token = "<s>";
  EXPECT_EQ(Text("{{ bos_token }}", input), "<s>");
  input.variables["bos_token"] = "<x>";
  EXPECT_EQ(Text("{{ bos_token }}", input), "<x>");
}

TEST(ChatTemplate, ErrorsNameTheLine) {
  const auto raised = Render("\n\n{{ raise_exception('No such role: ' ~ messages[0].role) }}");
  ASSERT_FALSE(raised.ok());
  EXPECT_EQ(raised.status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(raised.status().message(), "chat template, line 3: No such role: user");
  EXPECT_EQ(Render("a\n{% if x %}").status().message(),
            "chat template, line 2: Unexpected end of template. Looking for 'elif' or 'else' or "
            "'endif', which closes 'if'.");
  EXPECT_EQ(Render("{{ a.b }}").status().message(), "chat template, line 1: 'a' is undefined");
  EXPECT_EQ(Render("\n{{ messages[0].content.x.y }}").status().message(),
            "chat template, line 2: 'str object' has no attribute 'x'");
}

TEST(ChatTemplate, RefusesWhatIsNoConversation) {
  ChatInput input;
  EXPECT_FALSE(Render("x", input).ok());
  input.messages = OrderedJson::parse(R"(["hi"])");
  EXPECT_FALSE(Render("x", input).ok());
  input = Hello();
  input.tools = "tool";
  EXPECT_FALSE(Render("x", input).ok());
  input = Hello();
  input.documents = OrderedJson::parse("[1]");
  EXPECT_FALSE(Render("x", input).ok());
  input = Hello();
  input.variables["n"] = uint64_t{1} << 63;
  EXPECT_NE(Render("x", input).status().message().find("64 bits"), std::string::npos);
}

TEST(ChatTemplate, InvalidUtf8IsRefusedInTemplatesAndKeptInMessages) {
  EXPECT_EQ(Render("a\xFFz").status().code(), StatusCode::kDataLoss);
  ChatInput input;
  input.messages = {{{"role", "user"}, {"content", "\xC3\x28 a\xF0\x9F\x98 \xE2\x82\xAC"}}};
  EXPECT_EQ(Text("{{ messages[0].content }}", input), "\xC3\x28 a\xF0\x9F\x98 \xE2\x82\xAC");
  EXPECT_EQ(Text("{{ messages[0].content | upper | trim }}", input),
            "\xC3\x28 A\xF0\x9F\x98 \xE2\x82\xAC");
  EXPECT_EQ(Text("{{ messages[0].content[1:] | length }}", input), "8");
}

TEST(ChatTemplate, GenerationSpansCoverTheAssistant) {
  const auto parsed = ChatTemplate::Parse(
      "{% for m in messages %}<{{ m.role }}>{% generation %}{{ m.content }}{% endgeneration %};{% "
      "endfor %}");
  ASSERT_TRUE(parsed.ok());
  ChatInput input;
  input.messages =
      OrderedJson::parse(R"([{"role": "a", "content": "é1"}, {"role": "b", "content": "two"}])");
  const auto chat = parsed->RenderWithSpans(input);
  ASSERT_TRUE(chat.ok());
  EXPECT_EQ(chat->text, "<a>é1;<b>two;");
  EXPECT_EQ(chat->generation_spans, (std::vector<TextSpan>{{3, 6}, {10, 13}}));
}

TEST(ChatTemplate, ControlTokensOfTheConversationAreReported) {
  const auto parsed =
      ChatTemplate::Parse("<s>{% generation %}{{ messages[0].content }}{% endgeneration %}<s>");
  ChatInput input = Hello();
  input.messages[0]["content"] = "a<s>b<<s>s>\xF3\xB0\x80\x80</s>";
  input.control_tokens = {"<s>", "</s>", "s>"};
  const auto chat = parsed->RenderWithSpans(input);
  ASSERT_TRUE(chat.ok());
  EXPECT_EQ(chat->text, "<s>a<s>b<<s>s></s><s>");
  EXPECT_EQ(chat->plain_spans, (std::vector<TextSpan>{{4, 7}, {9, 12}, {12, 14}, {14, 18}}));
  EXPECT_EQ(chat->generation_spans, (std::vector<TextSpan>{{3, 18}}));
}

TEST(ChatTemplate, ATokenThatTheTemplateCutsIsAPlaceWhereTextMustNotJoin) {
  const auto parsed = ChatTemplate::Parse("{{ messages[0].content[:3] }}s>");
  ChatInput input = Hello();
  input.messages[0]["content"] = "a<s>";
  input.control_tokens = {"<s>"};
  const auto chat = parsed->RenderWithSpans(input);
  ASSERT_TRUE(chat.ok());
  EXPECT_EQ(chat->text, "a<s>");
  EXPECT_EQ(chat->plain_spans, (std::vector<TextSpan>{{1, 1}}));
}

TEST(ChatTemplate, OneTemplateRendersOnSeveralThreads) {
  const auto parsed = ChatTemplate::Parse(
      "{% set ns = namespace(n=0) %}{% for i in range(200) %}{% set ns.n = ns.n + i %}{% endfor "
      "%}{{ ns.n }}{{ ('é' * 3)[1] }}");
  ASSERT_TRUE(parsed.ok());
  std::vector<std::thread> threads;
  std::vector<std::string> texts(4);
  for (auto& text : texts) {
    threads.emplace_back([&] { text = *parsed->Render(Hello()); });
  }
  for (auto& t : threads) t.join();
  for (const auto& text : texts) EXPECT_EQ(text, "19900é");
}

// As Jinja does, and a template can tell: a slice of what has no slices is undefined in constants,
// and an error when the template runs.
TEST(ChatTemplate, ConstantsAreComputedBeforeTheTemplateRuns) {
  EXPECT_EQ(Text("{{ 1.5[1:] }}|{{ [1.5[1:]] }}|{{ 'abc'['x':] }}|{{ {1: 2}[1:] }}"),
            "|[Undefined]||");
  EXPECT_EQ(Text("{{ messages|length ~ (1.5[1:]|default('x')) }}"), "1x");
  EXPECT_EQ(Text("{% set x = [1.5[1:]]|length %}{{ x }}"), "1");
  EXPECT_EQ(Text("{% for x in none[1:]|list %}a{% else %}b{% endfor %}"), "b");
  EXPECT_EQ(Text("{{ (true or messages) ~ 1.5[1:] }}|{{ 1.5[1:] if true else messages }}"),
            "True|");
  for (const char* source :
       {"{% set x = 1.5[1:] %}", "{{ [messages, 1.5[1:]] }}", "{{ ('a' if false) ~ 1.5[1:] }}",
        "{{ 'abc'[::0] }}", "{% if 1.5[1:] %}{% endif %}"}) {
    EXPECT_FALSE(Render(source).ok()) << source;
  }
  // A list that is constant is a new one each time.
  EXPECT_EQ(Text("{% set ns = namespace(p=none) %}{% for i in [1, 2] %}{% set y = [1] + [] %}"
                 "{{ y is sameas ns.p }}{% set ns.p = y %}{% endfor %}"),
            "FalseFalse");
  EXPECT_EQ(Text("{{ ('<'|safe) + '<' }}{% set x = '<'|e %}{{ x + '<' }}"), "<&lt;&lt;&lt;");
}

TEST(ChatTemplate, ConstantsThatPythonSourceCannotHold) {
  EXPECT_EQ(Text("{{ 1e400 }}|{{ 1e400 > 1 }}"), "inf|True");
  EXPECT_EQ(Render("\n{% set x = 1e400 %}").status().message(),
            "chat template, line 2: name 'inf' is not defined: a constant must be finite");
  EXPECT_EQ(Text("{{ (-2) ** 2 }}{{ (-2) ** (messages|length + 1) }}"), "4-4");
}

TEST(ChatTemplate, UnhashableKeysOfConstantsAreFoundWhenParsing) {
  const auto parsed = ChatTemplate::Parse("\n{% if false %}{{ messages ~ {[]: 1} }}{% endif %}");
  ASSERT_FALSE(parsed.ok());
  EXPECT_EQ(parsed.status().message(), "chat template, line 2: unhashable type: 'list'");
  EXPECT_EQ(Text("{% if false %}{{ {[]: 1} }}{{ true or {[]: 1}|length }}{% endif %}ok"), "ok");
}

TEST(ChatTemplate, FiltersThatConstantsNeverReachNeedNotExist) {
  EXPECT_EQ(Text("{{ true or 1|nope }}{{ 'a' if true else 'b'|nope }}"), "Truea");
  EXPECT_FALSE(ChatTemplate::Parse("{{ messages or 1|nope }}").ok());
}

// ---- limits: untrusted templates ----

void ExpectExhausted(std::string_view source, std::string_view words, TemplateLimits limits = {}) {
  const auto text = Render(source, Hello(), limits);
  ASSERT_FALSE(text.ok()) << source;
  EXPECT_EQ(text.status().code(), StatusCode::kResourceExhausted)
      << source << ": " << text.status().message();
  EXPECT_NE(text.status().message().find(words), std::string::npos)
      << source << ": " << text.status().message();
}

TEST(ChatTemplateLimits, Steps) {
  TemplateLimits limits;
  limits.steps = 200'000;
  const std::string_view loops =
      "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}";
  ExpectExhausted(loops, "more than 200000 steps", limits);
  ExpectExhausted(
      "{% for a in range(9999) %}{{ messages[0].content * 9999 in 'x' * 99999 }}{% endfor %}",
      "steps", limits);
  ExpectExhausted("{% set x = range(50000)|list %}{% for a in x %}{{ x == x[::1] }}{% endfor %}",
                  "steps", limits);
}

TEST(ChatTemplateLimits, Memory) {
  TemplateLimits limits;
  limits.memory_bytes = 16 << 20;
  for (const char* source :
       {"{{ 'a' * 10 ** 9 }}",
        "{{ [1] * 10 ** 9 }}",
        "{{ 'a' * 9223372036854775807 }}",
        "{{ 'abc' * 6148914691236517206 }}",
        "{% set ns = namespace(x='ab') %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% "
        "endfor %}",
        "{% set ns = namespace(x=[1, 2]) %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% "
        "endfor %}",
        "{% set ns = namespace(x='ab') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% "
        "endfor %}",
        "{{ 'a'.center(10 ** 12) }}",
        "{{ 'a'.zfill(10 ** 10) }}",
        "{{ 'a'.ljust(10 ** 9) }}",
        "{{ '\\t'.expandtabs(10 ** 10) }}",
        "{{ 'a' | center(10 ** 9) }}",
        "{{ 'a\\nb' | indent(10 ** 9) }}",
        "{{ 'a\\nb' | indent(10 ** 12) }}",
        "{{ [[1]] | tojson(indent=10 ** 9) }}",
        "{{ ('a' * 9999999).replace('a', 'b' * 99999) }}",
        "{{ ('a' * 9999).replace('', 'b' * 9999) }}",
        "{{ ('ab' * 99999).split('b') * 99999 }}",
        "{% set s = 'x' * 999999 %}{{ [s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s] | "
        "join }}",
        "{% set s = 'x' * 99999 %}{{ s.join('y' * 99999) }}",
        "{{ [1] | batch(10 ** 12, 0) | list }}",
        "{% set ns = namespace(x='ab') %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% "
        "endfor %}{{ ns.x }}",
        "{% set ns = namespace(x='ab') %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% "
        "endfor %}{{ ns.x | tojson }}",
        "{% set x %}{% for i in range(99999) %}{{ 'a' * 9999 }}{% endfor %}{% endset %}"}) {
    ExpectExhausted(source, "memory", limits);
  }
}

TEST(ChatTemplateLimits, SharedPartsAreNotComparedForever) {
  const std::string deep =
      "{% set a = namespace(x=(1,)) %}{% set b = namespace(x=(1,)) %}{% for i in range(60) %}{% "
      "set a.x = (a.x, a.x) %}{% set b.x = (b.x, b.x) %}{% endfor %}";
  TemplateLimits limits;
  limits.steps = 1'000'000;
  ExpectExhausted(deep + "{{ a.x == b.x }}", "steps", limits);
  ExpectExhausted(deep + "{{ a.x < b.x }}", "steps", limits);
  // As keys they are compared by hash beyond some thousand parts.
  const auto text = Render(deep + "{{ {a.x: 1}[b.x] }}", Hello(), limits);
  ASSERT_TRUE(text.ok()) << text.status().message();
  EXPECT_EQ(*text, "1");
}

TEST(ChatTemplateLimits, Output) {
  TemplateLimits limits;
  limits.output_bytes = 1000;
  ExpectExhausted("{% for i in range(9999) %}abc{% endfor %}", "writes more than 1000 bytes",
                  limits);
  EXPECT_TRUE(Render("{{ 'a' * 1000 }}", Hello(), limits).ok());
  EXPECT_FALSE(Render("{{ 'a' * 1001 }}", Hello(), limits).ok());
}

TEST(ChatTemplateLimits, Depth) {
  ExpectExhausted("{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}",
                  "deeper than 1000 levels");
  ExpectExhausted("{% for x in [[1]] recursive %}{{ loop([[1]]) }}{% endfor %}", "deeper");
  ExpectExhausted("{% macro f() %}{{ caller }}{% call f() %}{% endcall %}{% endmacro %}{{ f() }}",
                  "deeper");
  ExpectExhausted(
      "{% set ns = namespace(x=[]) %}{% for i in range(9999) %}{% set ns.x = [ns.x] %}{% endfor %}",
      "nests deeper");
  ExpectExhausted(
      "{% set ns = namespace(x={}) %}{% for i in range(9999) %}{% set ns.x = {'a': ns.x} %}{% "
      "endfor %}",
      "nests deeper");
  ExpectExhausted(
      "{% set ns = namespace(x=[]) %}{% for i in range(9999) %}{% set ns.x = dict(a=ns.x) %}{% "
      "endfor %}",
      "nests deeper");
  ExpectExhausted(
      "{% set ns = namespace(x=[1]) %}{% for i in range(9999) %}{% set ns.x = ns.x|map('string') "
      "%}{% endfor %}{{ ns.x|list }}",
      "deeper");
  ExpectExhausted("{% set ns = namespace() %}{% set ns.self = ns %}{{ ns }}", "deeper");
  ExpectExhausted("{% set ns = namespace() %}{% set ns.l = [ns] %}{{ ns.l }}", "deeper");
}

TEST(ChatTemplateLimits, NestingOfTheSource) {
  const auto refused = [](const std::string& source) {
    const auto parsed = ChatTemplate::Parse(source);
    ASSERT_FALSE(parsed.ok());
    EXPECT_EQ(parsed.status().code(), StatusCode::kInvalidArgument) << parsed.status().message();
  };
  const auto repeat = [](std::string_view s, int n) {
    std::string out;
    for (int i = 0; i < n; ++i) out += s;
    return out;
  };
  const int n = 50'000;
  refused("{{ " + repeat("(", n) + "1" + repeat(")", n) + " }}");
  refused("{{ " + repeat("[", n) + repeat("]", n) + " }}");
  refused("{{ " + repeat("{1:", n) + "1" + repeat("}", n) + " }}");
  refused("{{ " + repeat("not ", n) + "1 }}");
  refused("{{ " + repeat("- ", n) + "1 }}");
  refused("{{ 1" + repeat(" + 1", n) + " }}");
  refused("{{ a" + repeat(".b", n) + " }}");
  refused("{{ a" + repeat("|e", n) + " }}");
  refused("{{ a" + repeat("()", n) + " }}");
  refused("{{ a" + repeat("[0]", n) + " }}");
  refused("{{ 1" + repeat(" if 1 else 1", n) + " }}");
  refused("{{ 1" + repeat(" if 1", n) + " }}");
  refused("{{ a" + repeat(" and a", n) + " }}");
  refused(repeat("{% if a %}", n) + repeat("{% endif %}", 10));
  refused(repeat("{% for a in b %}", n));
  EXPECT_TRUE(
      ChatTemplate::Parse("{{ 1" + repeat(" ~ 1", 5000) + " }}{{ [" + repeat("1,", 5000) + "] }}")
          .ok());
  std::string branches = "{% if a == 0 %}";
  for (int i = 0; i < 500; ++i)
    branches += "{% elif a == " + std::to_string(i) + " %}{% set b = 1 %}";
  EXPECT_TRUE(ChatTemplate::Parse(branches + "{% endif %}").ok());
}

TEST(ChatTemplateLimits, SizeOfTheSource) {
  TemplateLimits limits;
  limits.source_bytes = 100;
  EXPECT_TRUE(ChatTemplate::Parse(std::string(100, 'a'), limits).ok());
  EXPECT_EQ(ChatTemplate::Parse(std::string(101, 'a'), limits).status().code(),
            StatusCode::kResourceExhausted);
}

TEST(ChatTemplateLimits, SlicesOfRangesDoNotOverflow) {
  for (const char* source : {"{{ range(-9223372036854775807 - 1, -9223372036854775805)[::-1] }}",
                             "{{ range(5, 6, 9223372036854775807)[:] }}",
                             "{{ range(0, 9, 3)[::9223372036854775807] }}"}) {
    const auto text = Render(source);
    ASSERT_FALSE(text.ok()) << source << *text;
    EXPECT_NE(text.status().message().find("64 bits"), std::string::npos) << source;
  }
}

TEST(ChatTemplateLimits, LargeConstantsAreLeftToTheRendering) {
  const std::string_view billions = "{{ ([[[1] * 1000] * 1000] * 1000)|length }}";
  EXPECT_EQ(Text(billions), "1000");
  EXPECT_EQ(Text("{% set x = [[[1] * 1000] * 1000] * 1000 %}{{ x|length }}"), "1000");
  EXPECT_EQ(Text("{% set x = ['x' * 1000000] * 1000 %}{{ x|length }}"), "1000");
  std::string many;
  for (int i = 0; i < 1000; ++i)
    many += "{% if messages is none %}{{ 'a' * 9999999 ~ messages }}{{ [1] * 9999 }}{% endif %}";
  EXPECT_EQ(Text(many), "");
}

TEST(ChatTemplateLimits, ManyNamesAndBranchesAreRefusedQuickly) {
  std::string source;
  for (int i = 0; i < 20'000; ++i)
    source += "{% if a %}{% set b" + std::to_string(i) + " = 1 %}{% endif %}";
  EXPECT_EQ(ChatTemplate::Parse(source).status().code(), StatusCode::kResourceExhausted);
}

TEST(ChatInputFromJson, ReadsAllFieldsAndNamesTheWrongOne) {
  const auto input = ChatInputFromJson(*ParseOrderedJson(
      R"({"messages": [{"role": "user"}], "add_generation_prompt": true, "eos_token": "</s>", "now": [2024, 2, 29, 1, 2, 3],
          "variables": {"x": 1}, "control_tokens": ["<s>"]})"));
  ASSERT_TRUE(input.ok());
  EXPECT_TRUE(input->add_generation_prompt);
  EXPECT_EQ(input->eos_token, "</s>");
  EXPECT_FALSE(input->bos_token.has_value());
  EXPECT_EQ(input->now->tm_wday, 4);
  EXPECT_EQ(input->now->tm_yday, 59);
  EXPECT_EQ(input->control_tokens.size(), 1u);
  for (const char* wrong : {R"({"bos_token": 1})", R"({"now": [1]})",
                            R"({"add_generation_prompt": 1})", R"({"control_tokens": [1]})"}) {
    EXPECT_NE(ChatInputFromJson(*ParseOrderedJson(wrong)).status().message().find("the field"),
              std::string::npos)
        << wrong;
  }
}

}  // namespace
}  // namespace galen

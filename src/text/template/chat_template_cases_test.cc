// Replays tests/cases/templates: what transformers renders, byte for byte.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

#include "text/template/chat_input_json.h"
#include "text/template/chat_template.h"
#include "text/template/test_cases.h"

namespace galen {
namespace {

const std::filesystem::path kFolder =
    std::filesystem::path(GALEN_SOURCE_DIR) / "tests" / "cases" / "templates";

std::string ReadText(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.good()) << path;
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

OrderedJson ReadJson(const std::filesystem::path& path) {
  auto json = ParseOrderedJson(ReadText(path));
  EXPECT_TRUE(json.ok()) << path << ": " << json.status().message();
  return json.ok() ? *json : OrderedJson::object();
}

std::vector<std::string> CaseFiles() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    const std::string name = entry.path().stem().string();
    if (entry.path().extension() == ".json" && name != "conversations") names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

std::vector<TemplateCase> LoadTemplateCases(const std::string& name) {
  const OrderedJson file = ReadJson(kFolder / (name + ".json"));
  const OrderedJson inputs =
      file.contains("inputs") ? file["inputs"] : ReadJson(kFolder / "conversations.json");
  std::string shared;
  if (file.contains("template"))
    shared = ReadText(kFolder / "sources" / file["template"].get<std::string>());
  std::vector<TemplateCase> cases;
  for (const auto& json : file.at("cases")) {
    TemplateCase c;
    c.name = json.at("input").get<std::string>();
    c.source = json.contains("template") ? json["template"].get<std::string>() : shared;
    OrderedJson input = inputs.at(c.name);
    for (const char* field : {"bos_token", "eos_token", "now"}) {
      if (file.contains(field)) input[field] = file[field];
    }
    auto read = ChatInputFromJson(input);
    EXPECT_TRUE(read.ok()) << c.name << ": " << read.status().message();
    if (!read.ok()) continue;
    c.input = *read;
    c.error = json.contains("error") || json.contains("refused");
    if (json.contains("text")) c.text = json["text"].get<std::string>();
    if (json.contains("refused")) c.text = json["refused"].get<std::string>();
    if (json.contains("error")) {
      // Only the words of raise_exception must be the reference's; Python's own messages are worded
      // differently here.
      const auto message = json["error"].get<std::string>();
      const std::string raised = "TemplateError: ";
      if (message.starts_with(raised)) c.text = message.substr(raised.size());
    }
    if (json.contains("generation")) {
      for (const auto& span : json["generation"])
        c.generation.push_back({span[0].get<size_t>(), span[1].get<size_t>()});
    }
    cases.push_back(std::move(c));
  }
  return cases;
}

namespace {

class TemplateCases : public testing::TestWithParam<std::string> {};

TEST_P(TemplateCases, RenderAsTheReference) {
  const std::vector<TemplateCase> cases = LoadTemplateCases(GetParam());
  EXPECT_GE(cases.size(), 35u);
  int texts = 0;
  std::string source;
  std::optional<Result<ChatTemplate>> parsed;
  for (const TemplateCase& c : cases) {
    SCOPED_TRACE(c.name + ": " + c.source.substr(0, 200));
    if (!parsed || c.source != source) {
      parsed.emplace(ChatTemplate::Parse(c.source));
      source = c.source;
    }
    const auto rendered =
        parsed->ok() ? (*parsed)->RenderWithSpans(c.input) : Result<RenderedChat>(parsed->status());
    ASSERT_EQ(rendered.ok(), !c.error)
        << (rendered.ok() ? rendered->text : rendered.status().message());
    if (c.error) {
      EXPECT_NE(rendered.status().message().find(c.text), std::string::npos)
          << rendered.status().message();
    } else {
      EXPECT_EQ(rendered->text, c.text);
      EXPECT_EQ(rendered->generation_spans, c.generation);
      ++texts;
    }
  }
  EXPECT_GE(texts, 1);
}

INSTANTIATE_TEST_SUITE_P(All, TemplateCases, testing::ValuesIn(CaseFiles()), [](const auto& info) {
  std::string name = info.param;
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
});

}  // namespace
}  // namespace galen

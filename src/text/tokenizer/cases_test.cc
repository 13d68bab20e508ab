// Replays tests/cases/tokenizers/*.json, which tests/parity/tokenizers/make_cases.py wrote.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "base/files.h"
#include "base/json.h"
#include "text/tokenizer.h"
#include "text/tokenizer/base64.h"

namespace galen {
namespace {

std::string Source(const std::string& path) { return std::string(GALEN_SOURCE_DIR) + "/" + path; }

Result<std::shared_ptr<const Tokenizer>> Load(const Json& json) {
  if (json.contains("json")) return Tokenizer::FromJson(json["json"].dump());
  if (json.contains("model"))
    return Tokenizer::FromSentencePiece(*text::DecodeBase64(json["model"].get<std::string>()));
  const bool is_json = json.contains("json_file");
  ASSIGN_OR_RETURN(const std::string bytes,
                   ReadFile(Source(json[is_json ? "json_file" : "model_file"].get<std::string>())));
  return is_json ? Tokenizer::FromJson(bytes) : Tokenizer::FromSentencePiece(bytes);
}

class Cases : public testing::TestWithParam<std::string> {};

TEST_P(Cases, IdsAndTextsAreThoseOfTheReference) {
  const auto text = ReadFile(GetParam());
  ASSERT_TRUE(text.ok()) << text.status().message();
  const auto file = ParseJson(*text);
  ASSERT_TRUE(file.ok()) << file.status().message();
  const auto tokenizer = Load((*file)["tokenizer"]);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().message();
  ASSERT_FALSE((*file)["cases"].empty());
  for (const Json& entry : (*file)["cases"]) {
    SCOPED_TRACE(entry.dump());
    const std::string line = entry.contains("text")
                                 ? entry["text"].get<std::string>()
                                 : *text::DecodeBase64(entry["base64"].get<std::string>());
    const bool add = entry.value("add", false);
    const auto ids = (*tokenizer)
                         ->Encode(line, {.add_bos = add,
                                         .add_eos = add,
                                         .parse_special = entry.value("parse_special", false)});
    ASSERT_TRUE(ids.ok()) << ids.status().message();
    EXPECT_EQ(*ids, entry["ids"].get<std::vector<TokenId>>());
    for (const bool skip : {false, true}) {
      const std::string decoded = (*tokenizer)->Decode(*ids, skip);
      if (entry.contains("decoded")) {
        EXPECT_EQ(decoded, entry["decoded"][skip ? 1 : 0].get<std::string>());
      }
      StreamingDetokenizer stream(*tokenizer, skip);
      std::string parts;
      for (const TokenId id : *ids) parts += stream.Add(id);
      parts += stream.Flush();
      EXPECT_EQ(parts, decoded);
    }
  }
}

std::vector<std::string> Files() {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(Source("tests/cases/tokenizers"))) {
    if (entry.path().extension() == ".json") files.push_back(entry.path().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

INSTANTIATE_TEST_SUITE_P(Tokenizers, Cases, testing::ValuesIn(Files()), [](const auto& info) {
  std::string name = std::filesystem::path(info.param).stem().string();
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); },
      '_');
  return name;
});

}  // namespace
}  // namespace galen

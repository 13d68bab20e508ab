#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <numeric>

#include "data/image_record.h"
#include "data/json_lines.h"
#include "data/shuffle.h"

namespace galen {
namespace {

Result<Conversation> Parse(const char* text) { return ToConversation(*ParseOrderedJson(text)); }

TEST(Conversation, ShapesMeanTheSame) {
  const char* want =
      R"([{"role":"user","content":"What?"},{"role":"assistant","content":"That."}])";
  for (
      const char* line : {
          R"({"messages":[{"role":"user","content":"What?"},{"role":"assistant","content":"That."}]})",
          R"({"conversations":[{"from":"human","value":"What?"},{"from":"gpt","value":"That."}]})",
          R"({"question":"What?","answer":"That."})",
          R"({"prompt":"What?","completion":"That."})",
          R"({"instruction":"What?","input":"","output":"That."})",
          R"({"input":"What?","output":"That."})",
      }) {
    const auto conversation = Parse(line);
    ASSERT_TRUE(conversation.ok()) << line << ": " << conversation.status().message();
    EXPECT_EQ(conversation->messages, *ParseOrderedJson(want)) << line;
  }
}

TEST(Conversation, ImagesFindTheirPlaces) {
  const auto llava = Parse(
      R"({"image":"a.png","conversations":[{"from":"human","value":"<image>\nWhat?"},{"from":"gpt","value":"A <image>."}]})");
  ASSERT_TRUE(llava.ok());
  EXPECT_EQ(llava->images, std::vector<std::string>{"a.png"});
  EXPECT_EQ(llava->messages[0]["content"].dump(),
            R"([{"type":"image"},{"type":"text","text":"What?"}])");
  EXPECT_EQ(llava->messages[1]["content"], "A <image>.");  // an answer's text is text
  const auto beside = Parse(R"({"images":["a","b"],"question":"What?","answer":"x"})");
  ASSERT_TRUE(beside.ok());
  EXPECT_EQ(beside->messages[0]["content"].size(), 3u);
  EXPECT_FALSE(Parse(R"({"question":"<image> What?","answer":"x"})").ok());
}

TEST(Conversation, WhatIsMissingIsNamedWithoutTheText) {
  for (const char* line : {
           R"({"messages":[{"role":"user","content":"secret"}]})",
           R"({"question":"secret"})",
           R"({"question":"secret","answer":" "})",
           R"({"messages":[]})",
           R"({"messages":[{"role":"user","content":7}]})",
           R"({"conversations":[{"from":"nobody","value":"secret"}]})",
           R"(["secret"])",
       }) {
    const auto conversation = Parse(line);
    ASSERT_FALSE(conversation.ok()) << line;
    EXPECT_EQ(conversation.status().message().find("secret"), std::string::npos);
  }
}

TEST(JsonLines, LinesAreFoundAndNamed) {
  const std::string path = testing::TempDir() + "/galen_lines_" + std::to_string(::getpid());
  std::ofstream(path) << "{\"question\":\"a\",\"answer\":\"b\"}\n\n{secret\n"
                      << "{\"question\":\"c\",\"answer\":\"d\"}";
  const auto data = JsonLines::Open({path, path});
  ASSERT_TRUE(data.ok()) << data.status().message();
  ASSERT_EQ(data->size(), 6);
  EXPECT_EQ(data->Name(2), path + ":4");
  EXPECT_EQ((*data->Read(5)).messages[0]["content"], "c");
  const auto broken = data->Read(1);
  ASSERT_FALSE(broken.ok());
  EXPECT_EQ(broken.status().message(), path + ":3: is no valid JSON");
  std::filesystem::remove(path);
  EXPECT_FALSE(JsonLines::Open({path}).ok());
}

TEST(Shuffle, IsAPermutationThatDependsOnSeedAndRound) {
  for (const int64_t size : {1, 2, 3, 5, 16, 17, 1000, 4097}) {
    std::vector<int64_t> seen, other;
    const Shuffle shuffle(size, 1, 2), next(size, 1, 3);
    for (int64_t i = 0; i < size; ++i) {
      seen.push_back(shuffle.At(i));
      other.push_back(next.At(i));
    }
    if (size > 16) {
      EXPECT_NE(seen, other);
    }
    std::sort(seen.begin(), seen.end());
    std::vector<int64_t> all(static_cast<size_t>(size));
    std::iota(all.begin(), all.end(), 0);
    EXPECT_EQ(seen, all);
  }
}

TEST(Shuffle, PlacesOfNeighboursAreUncorrelated) {
  constexpr int64_t kSize = 4096;
  const Shuffle shuffle(kSize, 7, 0);
  double sum = 0;
  for (int64_t i = 0; i + 1 < kSize; ++i) {
    sum += static_cast<double>(shuffle.At(i) - kSize / 2) *
           static_cast<double>(shuffle.At(i + 1) - kSize / 2);
  }
  // The mean of n products of independent uniform values has a deviation of size^2 / (12 sqrt(n)).
  EXPECT_LT(std::abs(sum / kSize), 5.0 * kSize * kSize / 12 / 64);
}

TEST(ImageRecord, LabelsAreListedOrGiven) {
  const auto parse = [](const char* text) { return ToLabelledImage(*ParseOrderedJson(text)); };
  const auto listed = parse(R"({"image": "a.png", "labels": ["x", "y", "x"]})");
  ASSERT_TRUE(listed.ok()) << listed.status().message();
  EXPECT_TRUE(listed->complete);
  EXPECT_EQ(listed->labels, (std::vector<std::pair<std::string, int8_t>>{{"x", 1}, {"y", 1}}));
  const auto given = parse(
      R"({"image": "a.png", "labels": {"a": 1, "b": 0, "c": null, "d": true, "e": false, "f": 1.0}})");
  ASSERT_TRUE(given.ok()) << given.status().message();
  EXPECT_FALSE(given->complete);
  EXPECT_EQ(given->labels, (std::vector<std::pair<std::string, int8_t>>{
                               {"a", 1}, {"b", 0}, {"c", -1}, {"d", 1}, {"e", 0}, {"f", 1}}));
  EXPECT_TRUE(parse(R"({"image": "a.png", "labels": []})").ok());
  for (const char* bad :
       {R"([])", R"("secret")", R"({"labels": []})", R"({"image": 1, "labels": []})",
        R"({"image": "secret"})", R"({"image": "secret", "labels": "secret"})",
        R"({"image": "secret", "labels": [1]})", R"({"image": "secret", "labels": {"secret": 2}})",
        R"({"image": "secret", "labels": {"secret": -1}})",
        R"({"image": "secret", "labels": {"secret": "1"}})",
        R"({"image": "secret", "labels": [""]})"}) {
    const auto record = parse(bad);
    ASSERT_FALSE(record.ok()) << bad;
    EXPECT_EQ(record.status().message().find("secret"), std::string::npos) << bad;
  }
}

TEST(ImageRecord, Pairs) {
  const auto parse = [](const char* text) { return ToCaptionedImage(*ParseOrderedJson(text)); };
  const auto pair = parse(R"({"image": "a.png", "text": "words"})");
  ASSERT_TRUE(pair.ok());
  EXPECT_EQ(pair->image + " " + pair->text, "a.png words");
  for (const char* bad :
       {R"({"image": "a.png"})", R"({"text": "a"})", R"({"image": "a", "text": ""})"}) {
    EXPECT_FALSE(parse(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace galen

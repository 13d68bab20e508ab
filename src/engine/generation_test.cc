#include "engine/generation.h"

#include "base/files.h"
#include "engine/engine_test_util.h"

namespace galen {
namespace {

// The byte-level vocabulary of a GGUF "gpt2" tokenizer whose tokens are single bytes and a few
// words.
class TextStreamTest : public testing::Test {
 protected:
  void SetUp() override {
    // GPT-2's table: printable bytes stand for themselves, the others for code points from U+0100.
    int next = 256;
    for (int byte = 0; byte < 256; ++byte) {
      const bool printable =
          (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
      const int code = printable ? byte : next++;
      if (code < 128)
        spelled_.push_back(std::string(1, static_cast<char>(code)));
      else
        spelled_.push_back(
            {static_cast<char>(0xc0 | code >> 6), static_cast<char>(0x80 | (code & 63))});
    }
    for (const char* word : {"STOP", "ab", "TOP", "<end>"}) spelled_.push_back(word);
    GgufVocab vocab;
    vocab.model = "gpt2";
    vocab.pre = "gpt-2";
    for (const std::string& token : spelled_) vocab.tokens.push_back(token);
    vocab.token_types.assign(spelled_.size(), 1);
    vocab.token_types.back() = 3;
    vocab.eos = static_cast<TokenId>(spelled_.size() - 1);
    auto tokenizer = Tokenizer::FromGguf(vocab);
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().message();
    tokenizer_ = *tokenizer;
  }
  static constexpr int32_t kStop = 256, kAb = 257, kTop = 258;
  // Pieces of a text fed byte by byte, joined by "|".
  std::string Feed(const std::string& bytes, std::vector<std::string> stops,
                   bool* stopped = nullptr) {
    std::vector<int32_t> tokens;
    for (char c : bytes) tokens.push_back(static_cast<uint8_t>(c));
    return FeedTokens(tokens, std::move(stops), stopped);
  }
  std::string FeedTokens(const std::vector<int32_t>& tokens, std::vector<std::string> stops,
                         bool* stopped = nullptr) {
    TextStream stream(tokenizer_, std::move(stops));
    std::string pieces;
    for (int32_t token : tokens) {
      const std::string piece = stream.Add(token);
      if (!piece.empty()) pieces += piece + "|";
    }
    const std::string piece = stream.Finish();
    if (!piece.empty()) pieces += piece + "|";
    if (stopped != nullptr) *stopped = stream.stopped();
    return pieces;
  }
  std::vector<std::string> spelled_;
  std::shared_ptr<const Tokenizer> tokenizer_;
};

TEST_F(TextStreamTest, WithoutStopStringsEverythingComesAtOnce) {
  EXPECT_EQ(Feed("abc", {}), "a|b|c|");
  EXPECT_EQ(Feed("abc", {""}), "a|b|c|");  // an empty one would end every answer
}

TEST_F(TextStreamTest, WholeCharactersOnly) {
  EXPECT_EQ(Feed("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80.", {}),
            "a|\xC3\xA9|\xE2\x82\xAC|\xF0\x9F\x98\x80|.|");
  EXPECT_EQ(Feed("a\xE2\x82", {}), "a|\xEF\xBF\xBD|");  // never finished
}

TEST_F(TextStreamTest, AStopStringOverManyTokens) {
  bool stopped = false;
  EXPECT_EQ(Feed("xyENDz", {"END"}, &stopped), "x|y|");
  EXPECT_TRUE(stopped);
  EXPECT_EQ(FeedTokens({'x', 'S', kTop, 'y'}, {"STOP"}, &stopped), "x|");
  EXPECT_TRUE(stopped);
}

TEST_F(TextStreamTest, AStopStringInsideAToken) {
  bool stopped = false;
  EXPECT_EQ(FeedTokens({kAb, kStop, 'z'}, {"TO"}, &stopped), "ab|S|");
  EXPECT_TRUE(stopped);
}

TEST_F(TextStreamTest, WhatMayBecomeAStopStringWaits) {
  bool stopped = true;
  EXPECT_EQ(Feed("ENxENE.", {"END"}, &stopped), "ENx|EN|E.|");
  EXPECT_FALSE(stopped);
  EXPECT_EQ(Feed("xEN", {"END"}, &stopped), "x|EN|");  // the end of the answer frees it
  EXPECT_FALSE(stopped);
}

TEST_F(TextStreamTest, OverlappingBeginnings) {
  bool stopped = false;
  EXPECT_EQ(Feed("aaab!", {"aab"}, &stopped), "a|");
  EXPECT_TRUE(stopped);
  EXPECT_EQ(Feed("ababac!", {"abac"}, &stopped), "ab|");
  EXPECT_TRUE(stopped);
}

TEST_F(TextStreamTest, TheFirstOfSeveralWins) {
  bool stopped = false;
  EXPECT_EQ(Feed("one two", {"wo", "ne"}, &stopped), "o|");
  EXPECT_TRUE(stopped);
  EXPECT_EQ(FeedTokens({'x', kAb}, {"b", "ab"}, &stopped), "x|");
}

TEST_F(TextStreamTest, StopStringsOfSeveralByteCharacters) {
  bool stopped = false;
  EXPECT_EQ(Feed("a\xE2\x82\xAC\xC3\xA9.", {"\xE2\x82\xAC\xC3\xA9"}, &stopped), "a|");
  EXPECT_TRUE(stopped);
  EXPECT_EQ(Feed("a\xE2\x82\xAC.", {"\xE2\x82\xAC\xC3\xA9"}, &stopped), "a|\xE2\x82\xAC.|");
  EXPECT_FALSE(stopped);
}

TEST_F(TextStreamTest, ControlTokensAreNoText) {
  EXPECT_EQ(FeedTokens({'a', 259, 'b'}, {}), "a|b|");
}

// Whatever the cuts: what comes before the first stop string.
TEST_F(TextStreamTest, EqualsASearchInTheWholeText) {
  uint64_t random = 1;
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    std::vector<int32_t> tokens;
    for (int i = 0; i < 12; ++i) {
      random = random * 6364136223846793005u + 1442695040888963407u;
      const int32_t token =
          (random >> 40) % 5 == 0 ? kAb : static_cast<int32_t>('a' + (random >> 33) % 3);
      tokens.push_back(token);
      text += token == kAb ? "ab" : std::string(1, static_cast<char>(token));
    }
    const std::string stop = round % 2 == 0 ? "aba" : "cab";
    const size_t at = text.find(stop);
    std::string expected = at == std::string::npos ? text : text.substr(0, at);
    std::string got = FeedTokens(tokens, {stop});
    std::erase(got, '|');
    ASSERT_EQ(got, expected) << text;
  }
}

}  // namespace
}  // namespace galen

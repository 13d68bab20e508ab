#include "engine/thinking.h"

#include <gtest/gtest.h>

#include <cmath>

namespace galen {
namespace {

// Single characters, the markers (no control tokens, as in MedGemma's tokenizer), and the word of
// the heading.
class Thinking : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* token : {"<unk>", "<s>", "</s>", "<unused94>", "<unused95>", "thought", "a",
                              "b", "c", "E", "N", "D"}) {
      spelled_.push_back(token);
    }
    spelled_.push_back("<0x0A>");
    GgufVocab vocab;
    vocab.model = "llama";
    for (const std::string& token : spelled_) vocab.tokens.push_back(token);
    vocab.scores.assign(spelled_.size(), 0.0f);
    vocab.token_types.assign(spelled_.size(), 1);
    vocab.token_types[0] = 2, vocab.token_types[1] = 3, vocab.token_types[2] = 3,
    vocab.token_types.back() = 6;
    vocab.bos = 1, vocab.eos = 2, vocab.unk = 0;
    vocab.add_space_prefix = false;
    auto tokenizer = Tokenizer::FromGguf(vocab);
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().message();
    tokenizer_ = *tokenizer;
  }
  static constexpr int32_t kOpen = 3, kClose = 4, kThought = 5, kA = 6, kB = 7, kC = 8, kE = 9,
                           kN = 10, kD = 11, kLine = 12;

  // "text|thinking" of a token sequence, and every text piece checked for markers.
  std::string Feed(const std::vector<int32_t>& tokens, std::vector<std::string> stops = {}) {
    ThinkingStream stream(tokenizer_, std::move(stops));
    std::string text, thinking;
    for (const int32_t token : tokens) {
      if (stream.stopped()) break;
      const ThinkingStream::Piece piece = stream.Add(token);
      text += piece.text, thinking += piece.thinking;
    }
    const ThinkingStream::Piece piece = stream.Finish();
    text += piece.text, thinking += piece.thinking;
    EXPECT_EQ(text.find("<unused"), std::string::npos);
    return text + "|" + thinking;
  }
  std::vector<std::string> spelled_;
  std::shared_ptr<const Tokenizer> tokenizer_;
};

TEST_F(Thinking, ThoughtsAreKeptApart) {
  EXPECT_EQ(Feed({kA, kB}), "ab|");
  EXPECT_EQ(Feed({kOpen, kThought, kLine, kA, kB, kClose, kC}), "c|ab");
  EXPECT_EQ(Feed({kA, kOpen, kB, kClose, kC}), "ac|b");
  EXPECT_EQ(Feed({kOpen, kA, kClose, kB, kOpen, kThought, kLine, kC, kClose}), "b|ac");
}

TEST_F(Thinking, ATruncatedThoughtNeverBecomesText) {
  for (size_t n = 1; n <= 5; ++n) {
    const std::vector<int32_t> all = {kOpen, kThought, kLine, kA, kB};
    const std::string fed = Feed({all.begin(), all.begin() + static_cast<std::ptrdiff_t>(n)});
    EXPECT_EQ(fed[0], '|') << fed;
  }
}

TEST_F(Thinking, StopStringsLookAtTheAnswerAlone) {
  EXPECT_EQ(Feed({kOpen, kE, kN, kD, kClose, kA, kE, kN, kD, kB}, {"END"}), "a|END");
}

TEST_F(Thinking, StrayMarkersAreNotShown) {
  EXPECT_EQ(Feed({kA, kClose, kB}), "ab|");
  EXPECT_EQ(Feed({kOpen, kOpen, kA, kClose, kClose, kB}), "b|a");
}

TEST_F(Thinking, OffBansTheOpeningMarker) {
  SamplingParams sampling;
  BanThinking(*tokenizer_, &sampling);
  ASSERT_EQ(sampling.logit_bias.size(), 1u);
  EXPECT_EQ(sampling.logit_bias[0].first, kOpen);
  EXPECT_TRUE(std::isinf(sampling.logit_bias[0].second) && sampling.logit_bias[0].second < 0);
}

}  // namespace
}  // namespace galen

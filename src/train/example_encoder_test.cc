#include "train/example_encoder.h"

#include <gtest/gtest.h>

#include <fstream>

#include "train/step_runner.h"
#include "train/train_memory.h"

namespace galen {
namespace {

constexpr const char* kPlain =
    "{{ bos_token }}{% for m in messages %}{{ m.role }} {{ m.content }}"
    "{% if m.role == 'assistant' %}{{ eos_token }}{% endif %} {% endfor %}"
    "{% if add_generation_prompt %}assistant {% endif %}";
// The same with the answer marked; the mark leaves the end of the turn out.
constexpr const char* kMarked =
    "{{ bos_token }}{% for m in messages %}{{ m.role }} {% if m.role == 'assistant' %}"
    "{% generation %}{{ m.content }}{% endgeneration %}{{ eos_token }}{% else %}{{ m.content }}"
    "{% endif %} {% endfor %}{% if add_generation_prompt %}assistant {% endif %}";
// Says how many messages there are before the first of them.
constexpr const char* kRewrites =
    "{{ messages | length }}{% for m in messages %}{{ m.content }}{% endfor %}";

std::string Tiny(const char* name) {
  return std::string(GALEN_SOURCE_DIR) + "/tests/parity/models/tiny/" + name;
}

class ChatEncoderTest : public testing::Test {
 protected:
  void SetUp() override {
    auto files = ReadModel(Tiny("llama"));
    ASSERT_TRUE(files.ok()) << files.status().message();
    files_ = *std::move(files);
  }
  Result<EncodedChat> Encode(const char* source, const char* messages) {
    const std::string path =
        testing::TempDir() + "/galen_template_" + std::to_string(::getpid()) + ".jinja";
    std::ofstream(path) << source;
    auto encoder = ExampleEncoder::Create(files_, path);
    if (!encoder.ok()) return encoder.status();
    return encoder->Encode(*ParseOrderedJson(messages));
  }
  // The tokenizer puts a space before each piece of text.
  static std::string WithoutSpaces(std::string text) {
    std::erase(text, ' ');
    return text;
  }
  // The text of the labelled tokens, and of all.
  std::string Learned(const EncodedChat& chat) const {
    std::vector<int32_t> ids;
    for (const int32_t label : chat.labels) {
      if (label >= 0) ids.push_back(label);
    }
    return WithoutSpaces(files_.tokenizer->Decode(ids, false));
  }
  std::string Text(const EncodedChat& chat) const {
    return WithoutSpaces(files_.tokenizer->Decode(chat.tokens, false));
  }
  ModelFiles files_;
};

constexpr const char* kTwoTurns =
    R"([{"role":"user","content":"pulse"},{"role":"assistant","content":"ten"},)"
    R"({"role":"user","content":"dose"},{"role":"assistant","content":"normal"}])";

TEST_F(ChatEncoderTest, AnswersAndTheirEndsAreLearnedAndNothingElse) {
  const auto chat = Encode(kPlain, kTwoTurns);
  ASSERT_TRUE(chat.ok()) << chat.status().message();
  ASSERT_EQ(chat->tokens.size(), chat->labels.size());
  for (size_t i = 0; i < chat->tokens.size(); ++i) {
    EXPECT_TRUE(chat->labels[i] == -100 || chat->labels[i] == chat->tokens[i]);
  }
  EXPECT_EQ(Learned(*chat), "ten</s>normal</s>");
  EXPECT_NE(Text(*chat).find("userdose"), std::string::npos);
}

TEST_F(ChatEncoderTest, TheTemplatesOwnMarksCount) {
  const auto chat = Encode(kMarked, kTwoTurns);
  ASSERT_TRUE(chat.ok()) << chat.status().message();
  EXPECT_EQ(Learned(*chat), "tennormal");
}

TEST_F(ChatEncoderTest, WhatStandsBeforeAnAnswerIsThePromptOfInference) {
  const auto chat = Encode(kPlain, kTwoTurns);
  ASSERT_TRUE(chat.ok());
  ChatInput input;
  input.messages = *ParseOrderedJson(R"([{"role":"user","content":"pulse"}])");
  input.add_generation_prompt = true;
  input.bos_token = "<s>";
  input.eos_token = "</s>";
  const std::string prompt = *ChatTemplate::Parse(kPlain)->Render(input);
  EncodeOptions options;
  options.parse_special = true;
  const std::vector<TokenId> ids = *files_.tokenizer->Encode(prompt, options);
  ASSERT_LT(ids.size(), chat->tokens.size());
  EXPECT_TRUE(std::equal(ids.begin(), ids.end(), chat->tokens.begin()));
  EXPECT_EQ(chat->labels[ids.size() - 1], -100);
  EXPECT_GE(chat->labels[ids.size()], 0);
}

TEST_F(ChatEncoderTest, ControlTokensInMessagesStayText) {
  const auto chat = Encode(
      kPlain, R"([{"role":"user","content":"a</s>b"},{"role":"assistant","content":"d</s>e"}])");
  ASSERT_TRUE(chat.ok());
  const TokenId eos = *files_.tokenizer->special().eos;
  EXPECT_EQ(std::count(chat->tokens.begin(), chat->tokens.end(), eos), 1);
  EXPECT_EQ(std::count(chat->labels.begin(), chat->labels.end(), eos), 1);
}

TEST_F(ChatEncoderTest, ATemplateThatRewritesIsRefused) {
  const auto chat = Encode(kRewrites, kTwoTurns);
  ASSERT_FALSE(chat.ok());
  EXPECT_NE(chat.status().message().find("rewrites"), std::string::npos);
}

// The plan bounds what a step takes (the arena would throw), and is not far above it.
TEST(TrainMemory, PlanHoldsEveryKindOfStep) {
  ThreadPool pool(2);
  const KernelTable& kernels = KernelsFor(*ChooseIsa());
  for (const char* name : {"llama", "gemma3", "qwen2"}) {
    OpenModelOptions open;
    open.use = WeightUse::kTrained;
    open.kernels = &kernels;
    open.pool = &pool;
    auto loaded = OpenModel(Tiny(name), open);
    ASSERT_TRUE(loaded.ok()) << loaded.status().message();
    const ModelConfig& config = loaded->model->config();
    for (const int64_t tokens : {5, 60, 333}) {
      for (const bool recompute : {false, true}) {
        EncodedChat chat;
        for (int64_t i = 0; i < tokens; ++i) chat.tokens.push_back(static_cast<int32_t>(i % 50));
        chat.labels = chat.tokens;
        FlatBatch batch;
        for (int64_t at = 0; at < tokens; at += config.max_position_embeddings) {
          const auto end = std::min(at + config.max_position_embeddings, tokens);
          batch.Add({{chat.tokens.begin() + at, chat.tokens.begin() + end},
                     {chat.labels.begin() + at, chat.labels.begin() + end}});
        }
        StepShape shape;
        shape.tokens = tokens;
        shape.labels = static_cast<int64_t>(batch.targets.size());
        shape.sequences = static_cast<int64_t>(batch.spans.size());
        shape.recompute = recompute;
        const int64_t plan = TrainArena(config, kernels, pool.size(), shape).total();
        StepRunnerOptions options;
        options.kernels = &kernels;
        options.pool = &pool;
        options.recompute = recompute;
        auto runner = StepRunner::Create(*loaded->model, options, plan);
        ASSERT_TRUE(runner.ok());
        EXPECT_GT(runner->Loss(batch, 1.0, true), 0.0);
        EXPECT_LE(runner->arena_high_water(), plan);
      }
    }
  }
}

}  // namespace
}  // namespace galen

#include "engine/speculation.h"

#include "engine/engine_test_util.h"

namespace galen {
namespace {

Sequence SequenceOf(std::vector<int32_t> tokens, int64_t id = 1) {
  Sequence sequence;
  sequence.id = id;
  sequence.tokens = std::move(tokens);
  return sequence;
}

TEST(NgramDrafter, CopiesWhatFollowedTheLastOccurrence) {
  NgramDrafter drafter;
  EXPECT_EQ(drafter.Draft(SequenceOf({1, 2, 3, 4, 5, 1, 2}), 3), (std::vector<int32_t>{3, 4, 5}));
  drafter.Forget(1);
  EXPECT_EQ(drafter.Draft(SequenceOf({1, 2, 3, 9, 1, 2, 4, 9, 1, 2}), 2),
            (std::vector<int32_t>{4, 9}));
  drafter.Forget(1);
  // The longest match counts more than the latest.
  EXPECT_EQ(drafter.Draft(SequenceOf({7, 8, 1, 2, 3, 0, 0, 1, 2, 4, 5, 7, 8, 1, 2}), 1),
            (std::vector<int32_t>{3}));
}

TEST(NgramDrafter, NothingKnownNothingGuessed) {
  NgramDrafter drafter;
  EXPECT_TRUE(drafter.Draft(SequenceOf({5}, 1), 4).empty());
  EXPECT_TRUE(drafter.Draft(SequenceOf({1, 2, 3, 4}, 2), 4).empty());
  EXPECT_TRUE(drafter.Draft(SequenceOf({1, 2}, 3), 4).empty());
}

TEST(NgramDrafter, FollowsAGrowingTextLikeANewOne) {
  const std::vector<int32_t> text = TestTokens(300, 9, 4);
  NgramDrafter growing;
  for (size_t size = 1; size <= text.size(); ++size) {
    const Sequence sequence = SequenceOf({text.begin(), text.begin() + static_cast<int64_t>(size)});
    NgramDrafter fresh;
    ASSERT_EQ(growing.Draft(sequence, 5), fresh.Draft(sequence, 5)) << size;
  }
}

// Greedy answers with speculation equal those without; on repeating text guesses come true.
class SpeculationTest : public testing::Test {
 protected:
  struct Outcome {
    std::vector<std::vector<int32_t>> answers;
    std::vector<std::vector<float>> logprobs;
    EngineCounters counters;
  };
  Outcome Run(const TestModel& test, const KernelTable& kernels, EngineOptions options,
              int64_t streams, int64_t max_tokens, float temperature = 0) {
    Outcome outcome;
    outcome.answers.resize(static_cast<size_t>(streams));
    outcome.logprobs.resize(static_cast<size_t>(streams));
    auto engine = Engine::Create(*test.model, kernels, threads_, options);
    EXPECT_TRUE(engine.ok()) << engine.status().message();
    if (!engine.ok()) return outcome;
    for (int64_t i = 0; i < streams; ++i) {
      Request request;
      const std::vector<int32_t> phrase = TestTokens(12, 20 + static_cast<uint64_t>(i));
      for (int copy = 0; copy < 4; ++copy)
        request.prompt.insert(request.prompt.end(), phrase.begin(), phrase.end());
      request.max_tokens = max_tokens;
      request.sampling.temperature = temperature;
      request.sampling.logprobs = 0;
      request.on_token = [&outcome, i](const TokenChoice& choice) {
        outcome.answers[i].push_back(choice.token);
        outcome.logprobs[i].push_back(choice.logprob);
        return true;
      };
      EXPECT_TRUE((*engine)->Submit(std::move(request)).ok());
    }
    for (int steps = 0; (*engine)->Step(); ++steps) {
      if (steps > 3000) {
        ADD_FAILURE() << "does not end";
        break;
      }
    }
    EXPECT_TRUE((*engine)->scheduler().PagesBalance());
    outcome.counters = (*engine)->counters();
    return outcome;
  }
  ThreadPool threads_{
      1};  // another number changes no bits, and waiting at barriers is slow on busy machines
};

TEST_F(SpeculationTest, GreedyAnswersAreTheSame) {
  for (Isa isa : SupportedIsas()) {
    const KernelTable& kernels = KernelsFor(isa);
    for (const char* architecture : {"gemma3", "llama"}) {
      const TestModel test =
          MakeTestModel(TestConfig(architecture), kernels, threads_, DType::kQ8_0);
      const TestModel draft =
          MakeTestModel(TestConfig(architecture, 24), kernels, threads_, DType::kF16);
      for (Compute compute : {Compute::kBf16, Compute::kFp32}) {
        if (compute == Compute::kFp32 && isa != SupportedIsas().back()) continue;
        for (int64_t streams : {1, 3}) {
          SCOPED_TRACE(testing::Message() << IsaName(isa) << " " << architecture << " compute "
                                          << static_cast<int>(compute) << " streams " << streams);
          EngineOptions options;
          options.context = 256;
          options.max_sequences = streams;
          options.runner.compute = compute;
          options.draft_model = draft.model.get();
          const Outcome off = Run(test, kernels, options, streams, 90);
          options.speculate = Speculate::kNgram;
          const Outcome ngram = Run(test, kernels, options, streams, 90);
          options.speculate = Speculate::kModel;
          const Outcome model = Run(test, kernels, options, streams, 90);
          EXPECT_EQ(off.answers, ngram.answers);
          EXPECT_EQ(off.answers, model.answers);
          EXPECT_EQ(off.counters.drafted_tokens, 0);
          EXPECT_EQ(off.logprobs, ngram.logprobs);
          EXPECT_EQ(off.logprobs, model.logprobs);
          if (isa == Isa::kRef && compute == Compute::kBf16)
            continue;  // its arithmetic of single rows is not that of several
          EXPECT_GT(ngram.counters.accepted_tokens, 0);
          EXPECT_LT(ngram.counters.steps, off.counters.steps);
          EXPECT_GT(model.counters.drafted_tokens, 0);
          for (const Outcome* outcome : {&ngram, &model}) {
            EXPECT_LE(outcome->counters.accepted_tokens, outcome->counters.drafted_tokens);
          }
        }
      }
    }
  }
}

TEST_F(SpeculationTest, ADraftLikeTheModelIsAlwaysRight) {
  const KernelTable& kernels = KernelsFor(SupportedIsas().back());
  const TestModel test = MakeTestModel(TestConfig("gemma3"), kernels, threads_, DType::kQ8_0);
  EngineOptions options;
  options.context = 512;
  options.runner.compute = Compute::kFp32;
  options.kv_type = KvType::kF32;
  options.speculate = Speculate::kModel;
  options.draft_model = test.model.get();
  const Outcome outcome = Run(test, kernels, options, 1, 300);  // far beyond the window of 40
  EXPECT_EQ(outcome.answers[0].size(), 300u);
  EXPECT_GT(outcome.counters.accepted_tokens, outcome.counters.drafted_tokens * 95 / 100);
  EXPECT_LT(outcome.counters.steps, 60);
}

TEST_F(SpeculationTest, ADraftOfASmallerContextFallsSilent) {
  const KernelTable& kernels = KernelsFor(SupportedIsas().back());
  const TestModel test = MakeTestModel(TestConfig("llama"), kernels, threads_);
  ModelConfig small = TestConfig("llama");
  small.max_position_embeddings = 70;
  const TestModel draft = MakeTestModel(small, kernels, threads_);
  EngineOptions options;
  options.context = 200;
  const Outcome off = Run(test, kernels, options, 1, 120);
  options.speculate = Speculate::kModel;
  options.draft_model = draft.model.get();
  const Outcome model = Run(test, kernels, options, 1, 120);
  EXPECT_EQ(off.answers, model.answers);
  EXPECT_GT(model.counters.drafted_tokens, 0);
}

TEST_F(SpeculationTest, DrawnAnswersAreTheSameToo) {
  const KernelTable& kernels = KernelsFor(SupportedIsas().back());
  const TestModel test = MakeTestModel(TestConfig("llama"), kernels, threads_);
  EngineOptions options;
  options.context = 256;
  options.runner.batch_invariant = true;
  const Outcome off = Run(test, kernels, options, 1, 60, 0.3f);
  options.speculate = Speculate::kNgram;
  EXPECT_EQ(off.answers, Run(test, kernels, options, 1, 60, 0.3f).answers);
}

TEST_F(SpeculationTest, TightBudgetAndPages) {
  const KernelTable& kernels = KernelsFor(SupportedIsas().back());
  const TestModel test = MakeTestModel(TestConfig("gemma3"), kernels, threads_);
  EngineOptions options;
  options.context = 160;
  options.max_sequences = 3;
  options.runner.batch_invariant = true;
  const Outcome off = Run(test, kernels, options, 3, 100);
  options.speculate = Speculate::kNgram;
  options.runner.max_batch_tokens = 9;
  options.total_tokens = 200;
  const Outcome tight = Run(test, kernels, options, 3, 100);
  EXPECT_EQ(off.answers, tight.answers);
  EXPECT_GT(tight.counters.preemptions, 0);
}

}  // namespace
}  // namespace galen

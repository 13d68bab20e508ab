// The engine on small random models: whatever way a request takes through it, the answer is the
// same.
#include "engine/engine.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <random>

#include "engine/engine_test_util.h"

namespace galen {
namespace {

struct Answer {
  std::vector<int32_t> tokens;
  std::vector<float> logprobs;  // of the tokens and their two alternatives
  FinishReason finish = FinishReason::kNone;
  std::string error;
  bool operator==(const Answer& other) const {
    // Bits, so that equal NaNs are equal; memcmp may not be given the null of an empty vector.
    return tokens == other.tokens && finish == other.finish &&
           logprobs.size() == other.logprobs.size() &&
           (logprobs.empty() || std::memcmp(logprobs.data(), other.logprobs.data(),
                                            logprobs.size() * sizeof(float)) == 0);
  }
};

Request MakeRequest(std::vector<int32_t> prompt, int64_t max_tokens, Answer* answer) {
  Request request;
  request.prompt = std::move(prompt);
  request.max_tokens = max_tokens;
  request.sampling.logprobs = 2;
  request.on_token = [answer](const TokenChoice& choice) {
    answer->tokens.push_back(choice.token);
    answer->logprobs.push_back(choice.logprob);
    for (const auto& [id, x] : choice.top) answer->logprobs.push_back(x);
    return true;
  };
  request.on_finish = [answer](FinishReason reason, const std::string& error) {
    answer->finish = reason;
    answer->error = error;
  };
  return request;
}

int64_t MustSubmit(Engine& engine, Request request) {
  const auto id = engine.Submit(std::move(request));
  EXPECT_TRUE(id.ok()) << id.status().message();
  return id.ok() ? *id : -1;
}

void RunAll(Engine& engine) {
  for (int steps = 0; engine.Step(); ++steps) ASSERT_LT(steps, 5000);
}

class EngineTest : public testing::Test {
 protected:
  EngineTest() { Use("gemma3"); }
  void Use(const std::string& architecture, Isa isa = SupportedIsas().back(),
           DType dtype = DType::kBF16) {
    kernels_ = &KernelsFor(isa);
    test_ = MakeTestModel(TestConfig(architecture), *kernels_, threads_, dtype);
  }
  std::unique_ptr<Engine> Make(const EngineOptions& options) {
    auto engine = Engine::Create(*test_.model, *kernels_, threads_, options);
    EXPECT_TRUE(engine.ok()) << engine.status().message();
    return engine.ok() ? *std::move(engine) : nullptr;
  }
  Answer Alone(const EngineOptions& options, const std::vector<int32_t>& prompt,
               int64_t max_tokens) {
    Answer answer;
    const auto engine = Make(options);
    MustSubmit(*engine, MakeRequest(prompt, max_tokens, &answer));
    RunAll(*engine);
    return answer;
  }

  ThreadPool threads_{
      1};  // another number changes no bits, and waiting at barriers is slow on busy machines
  const KernelTable* kernels_ = nullptr;
  TestModel test_;
};

EngineOptions Options(int64_t context = 256, int64_t sequences = 1) {
  EngineOptions options;
  options.context = context;
  options.max_sequences = sequences;
  options.runner.max_batch_tokens = 128;
  return options;
}

// One prompt alone, in a batch of 16, in chunks, preempted and resumed.
TEST_F(EngineTest, BatchInvariantBits) {
  const std::vector<int32_t> prompt = TestTokens(75, 1);
  for (const char* architecture : {"gemma3", "qwen2"}) {
    for (Isa isa : SupportedIsas()) {
      SCOPED_TRACE(std::string(architecture) + " " + std::string(IsaName(isa)));
      Use(architecture, isa, std::string(architecture) == "qwen2" ? DType::kQ8_0 : DType::kBF16);
      EngineOptions options = Options();
      options.runner.batch_invariant = true;
      const Answer alone = Alone(options, prompt, 24);
      ASSERT_EQ(alone.tokens.size(), 24u);
      EXPECT_EQ(alone.finish, FinishReason::kLength);

      options.runner.max_batch_tokens = 7;
      EXPECT_TRUE(Alone(options, prompt, 24) == alone) << "chunked";

      options = Options(256, 16);
      options.runner.batch_invariant = true;
      std::vector<Answer> answers(16);
      const auto engine = Make(options);
      for (int i = 0; i < 16; ++i) {
        MustSubmit(*engine, MakeRequest(i == 5 ? prompt : TestTokens(3 + 7 * i, 50 + i),
                                        i == 5 ? 24 : 10 + i, &answers[i]));
      }
      RunAll(*engine);
      EXPECT_TRUE(answers[5] == alone) << "in a batch of 16";

      Answer resumed;
      const auto other = Make(options);
      const int64_t id = MustSubmit(*other, MakeRequest(prompt, 24, &resumed));
      for (int step = 0; other->Step(); ++step) {
        if (step == 0 || step == 5 || step == 17) other->PreemptForTest(id);
      }
      EXPECT_EQ(other->counters().preemptions, 3);
      EXPECT_TRUE(resumed == alone) << "preempted and resumed";
    }
  }
}

// Also without batch_invariant: answers and prompts of one step do not pass through the model
// together. (Other answers do, and may change bits.)
TEST_F(EngineTest, PromptsOfOthersChangeNoAnswer) {
  for (const char* architecture : {"gemma3", "llama"}) {
    Use(architecture);
    const EngineOptions options = Options(256, 4);
    const Answer alone = Alone(options, TestTokens(40, 1), 40);
    const auto engine = Make(options);
    Answer answer, others[6];
    MustSubmit(*engine, MakeRequest(TestTokens(40, 1), 40, &answer));
    for (int i = 0; i < 6; ++i) {
      for (int step = 0; step < 5; ++step) engine->Step();
      MustSubmit(*engine, MakeRequest(TestTokens(30 + 30 * i, 2 + i), 1, &others[i]));
    }
    RunAll(*engine);
    EXPECT_TRUE(answer == alone) << architecture;
  }
}

TEST_F(EngineTest, TheNumberOfThreadsChangesNoBits) {
  EngineOptions options = Options();
  options.runner.batch_invariant = true;
  const Answer one = Alone(options, TestTokens(75, 1), 16);
  ThreadPool more(3);
  Answer answer;
  auto engine = Engine::Create(*test_.model, *kernels_, more, options);
  ASSERT_TRUE(engine.ok());
  MustSubmit(**engine, MakeRequest(TestTokens(75, 1), 16, &answer));
  RunAll(**engine);
  EXPECT_TRUE(answer == one);
}

TEST_F(EngineTest, BatchInvariantBitsForEveryComputeAndCacheType) {
  const std::vector<int32_t> prompt = TestTokens(70, 2);
  Use("gemma3", SupportedIsas().back(), DType::kQ8_0);
  for (Compute compute : {Compute::kFp32, Compute::kBf16, Compute::kInt8}) {
    for (KvType type : {KvType::kF32, KvType::kBf16, KvType::kF16, KvType::kI8}) {
      SCOPED_TRACE(testing::Message()
                   << "compute " << static_cast<int>(compute) << " kv " << static_cast<int>(type));
      EngineOptions options = Options(256, 4);
      options.runner.compute = compute;
      options.runner.batch_invariant = true;
      options.kv_type = type;
      const Answer alone = Alone(options, prompt, 12);
      ASSERT_EQ(alone.tokens.size(), 12u);
      for (float x : alone.logprobs) ASSERT_TRUE(std::isfinite(x) && x <= 0);
      std::vector<Answer> answers(4);
      options.runner.max_batch_tokens = 20;
      const auto engine = Make(options);
      for (int i = 0; i < 4; ++i)
        MustSubmit(*engine, MakeRequest(i == 2 ? prompt : TestTokens(9 + i, i), 12, &answers[i]));
      RunAll(*engine);
      EXPECT_TRUE(answers[2] == alone);
    }
  }
}

// Also without batch_invariant: prompts are computed invariantly always.
TEST_F(EngineTest, AHitGivesTheBitsOfNone) {
  for (const bool invariant : {false, true}) {
    for (const char* architecture : {"gemma3", "llama"}) {
      for (Isa isa : SupportedIsas()) {
        SCOPED_TRACE(std::string(architecture) + " " + std::string(IsaName(isa)) +
                     (invariant ? " invariant" : ""));
        Use(architecture, isa);
        EngineOptions options = Options(400);
        options.runner.batch_invariant = invariant;
        options.prefix_cache = false;
        const std::vector<int32_t> prompt = TestTokens(150, 3);
        const Answer none = Alone(options, prompt, 40);
        options.prefix_cache = true;
        const auto engine = Make(options);
        Answer first, second, third;
        MustSubmit(*engine, MakeRequest(prompt, 40, &first));
        RunAll(*engine);
        EXPECT_EQ(engine->counters().cached_tokens, 0);
        MustSubmit(*engine, MakeRequest(prompt, 40, &second));
        RunAll(*engine);
        EXPECT_EQ(engine->counters().cached_tokens, 149);
        EXPECT_TRUE(first == none);
        EXPECT_TRUE(second == none);
        // A conversation goes on: the answer is part of the next prompt.
        std::vector<int32_t> longer = prompt;
        longer.insert(longer.end(), none.tokens.begin(), none.tokens.end());
        longer.push_back(5);
        MustSubmit(*engine, MakeRequest(longer, 40, &third));
        RunAll(*engine);
        // Of the answer, what was computed like a prompt is known.
        EXPECT_EQ(engine->counters().cached_tokens - 149, invariant ? 150 + 39 : 150);
        options.prefix_cache = false;
        EXPECT_TRUE(third == Alone(options, longer, 40));
      }
    }
  }
}

// Texts that go on differently from a page that is not full, each twice in a row, later again, and
// then longer, for every type of cache.
TEST_F(EngineTest, AHitInsideAPageGivesTheBitsOfNone) {
  const std::vector<int32_t> text = TestTokens(200, 31);
  for (const char* architecture : {"gemma3", "llama"}) {
    for (KvType type : {KvType::kF32, KvType::kBf16, KvType::kF16, KvType::kI8}) {
      Use(architecture);
      EngineOptions options = Options(400);
      options.kv_type = type;
      if (type == KvType::kF32) options.runner.compute = Compute::kFp32;
      const auto engine = Make(options);
      options.prefix_cache = false;
      const auto plain = Make(options);
      for (int round = 0; round < 3; ++round) {
        for (const int64_t common : {75, 64, 65, 81, 95, 30}) {
          std::vector<int32_t> prompt(text.begin(), text.begin() + common);
          const std::vector<int32_t> rest = TestTokens(7, static_cast<uint64_t>(common));
          prompt.insert(prompt.end(), rest.begin(), rest.end());
          if (round == 2) prompt.insert(prompt.end(), {9, 8, 7});
          Answer without;
          MustSubmit(*plain, MakeRequest(prompt, 6, &without));
          RunAll(*plain);
          for (int time = 0; time < 2; ++time) {
            SCOPED_TRACE(testing::Message()
                         << architecture << " kv " << static_cast<int>(type) << ", " << common
                         << " tokens in common, round " << round << ", time " << time);
            const int64_t cached = engine->counters().cached_tokens;
            Answer with;
            MustSubmit(*engine, MakeRequest(prompt, 6, &with));
            RunAll(*engine);
            EXPECT_TRUE(with == without);
            if (time == 0) continue;
            EXPECT_EQ(engine->counters().cached_tokens - cached,
                      static_cast<int64_t>(prompt.size()) - 1);
          }
        }
      }
    }
  }
}

// The page is copied while its writer still goes on in it, is preempted and comes back.
TEST_F(EngineTest, APageThatIsBeingWrittenIsCopied) {
  const std::vector<int32_t> prompt = TestTokens(75, 32);
  EngineOptions options = Options(256, 3);
  options.runner.batch_invariant = true;
  for (const Speculate speculate : {Speculate::kOff, Speculate::kNgram}) {
    options.speculate = speculate;
    const Answer alone = Alone(options, prompt, 40);
    const auto engine = Make(options);
    Answer answers[3];
    const int64_t id = MustSubmit(*engine, MakeRequest(prompt, 40, &answers[0]));
    for (int step = 0; step < 4; ++step) engine->Step();
    MustSubmit(*engine, MakeRequest(prompt, 40, &answers[1]));
    engine->Step();
    engine->PreemptForTest(id);
    engine->Step();
    MustSubmit(*engine, MakeRequest(prompt, 40, &answers[2]));
    RunAll(*engine);
    for (const Answer& answer : answers) EXPECT_TRUE(answer == alone);
    // The two that came later. What the first one found again after it gave way is its own.
    EXPECT_EQ(engine->counters().cached_tokens, 74 + 74);
    EXPECT_TRUE(engine->scheduler().PagesBalance());
    EXPECT_EQ(engine->counters().pages_used, engine->counters().pages_cached);
  }
}

TEST_F(EngineTest, SaltsDoNotShare) {
  Use("llama");
  const auto engine = Make(Options());
  for (uint64_t salt : {1, 2, 1}) {
    Answer answer;
    Request request = MakeRequest(TestTokens(100, 4), 2, &answer);
    request.cache_salt = salt;
    MustSubmit(*engine, std::move(request));
    RunAll(*engine);
  }
  EXPECT_EQ(engine->counters().cached_tokens, 99);
}

TEST_F(EngineTest, ResultsDoNotDependOnPagePressure) {
  EngineOptions options = Options(200, 6);
  options.runner.batch_invariant = true;
  std::map<int, Answer> expected;
  for (int i = 0; i < 6; ++i) expected[i] = Alone(options, TestTokens(60 + 10 * i, i), 60);
  options.total_tokens = 300;
  std::vector<Answer> answers(6);
  const auto engine = Make(options);
  for (int i = 0; i < 6; ++i)
    MustSubmit(*engine, MakeRequest(TestTokens(60 + 10 * i, i), 60, &answers[i]));
  RunAll(*engine);
  EXPECT_GT(engine->counters().preemptions, 0);
  for (int i = 0; i < 6; ++i) EXPECT_TRUE(answers[i] == expected[i]) << i;
  EXPECT_TRUE(engine->idle());
  EXPECT_TRUE(engine->scheduler().PagesBalance());
}

// However little time a step is given, a long prompt beside an answer gets on, in small pieces that
// change no bits; where nobody waits it is computed in large ones.
TEST_F(EngineTest, PromptsBesideAnswersComeInSmallPieces) {
  EngineOptions options = Options(256, 2);
  options.runner.batch_invariant = true;
  const std::vector<int32_t> first = TestTokens(9, 1), second = TestTokens(150, 2);
  const Answer one = Alone(options, first, 100), other = Alone(options, second, 8);
  options.step_seconds = 1e-9;
  const auto engine = Make(options);
  Answer a, b;
  MustSubmit(*engine, MakeRequest(first, 100, &a));
  engine->Step();
  engine->Step();
  const int64_t before = engine->counters().steps;
  MustSubmit(*engine, MakeRequest(second, 8, &b));
  while (b.tokens.empty()) {
    const size_t size = a.tokens.size();
    ASSERT_TRUE(engine->Step());
    ASSERT_EQ(a.tokens.size(), size + 1);
  }
  EXPECT_EQ(engine->counters().steps - before,
            (150 + StepPace::kLeastTokens - 1) / StepPace::kLeastTokens);
  RunAll(*engine);
  EXPECT_TRUE(a == one);
  EXPECT_TRUE(b == other);
  const int64_t steps = engine->counters().steps;
  MustSubmit(*engine, MakeRequest(TestTokens(150, 3), 1, &b));
  RunAll(*engine);
  EXPECT_EQ(engine->counters().steps - steps, 2);  // 128 and 22
}

TEST_F(EngineTest, DrawsGoOnAfterPreemption) {
  EngineOptions options = Options();
  options.runner.batch_invariant = true;
  Answer plain, resumed;
  for (Answer* answer : {&plain, &resumed}) {
    const auto engine = Make(options);
    Request request = MakeRequest(TestTokens(20, 5), 30, answer);
    request.sampling.temperature = 1.5f;
    request.sampling.seed = 11;
    const int64_t id = MustSubmit(*engine, std::move(request));
    for (int step = 0; engine->Step(); ++step) {
      if (answer == &resumed && step == 9) engine->PreemptForTest(id);
    }
  }
  EXPECT_TRUE(plain == resumed);
  std::vector<int32_t> kinds = plain.tokens;
  std::sort(kinds.begin(), kinds.end());
  EXPECT_GT(std::unique(kinds.begin(), kinds.end()) - kinds.begin(), 5);
}

TEST_F(EngineTest, WaysToEnd) {
  const std::vector<int32_t> prompt = TestTokens(10, 6);
  const Answer free_run = Alone(Options(), prompt, 20);
  ASSERT_EQ(free_run.tokens.size(), 20u);

  EXPECT_EQ(Alone(Options(), prompt, 0).finish, FinishReason::kLength);
  EXPECT_TRUE(Alone(Options(), prompt, 0).tokens.empty());
  const Answer one = Alone(Options(), prompt, 1);
  EXPECT_EQ(one.tokens, std::vector<int32_t>(free_run.tokens.begin(), free_run.tokens.begin() + 1));

  const Answer full = Alone(Options(13), prompt, 100);
  EXPECT_EQ(full.finish, FinishReason::kContext);
  EXPECT_EQ(full.tokens,
            std::vector<int32_t>(free_run.tokens.begin(), free_run.tokens.begin() + 3));

  Answer stopped;
  const auto engine = Make(Options());
  Request request = MakeRequest(prompt, 20, &stopped);
  const int32_t stop = free_run.tokens.back();
  request.stop_tokens = {stop};
  MustSubmit(*engine, std::move(request));
  RunAll(*engine);
  EXPECT_EQ(stopped.finish, FinishReason::kStop);
  const auto at = std::find(free_run.tokens.begin(), free_run.tokens.end(), stop);
  EXPECT_EQ(stopped.tokens, std::vector<int32_t>(free_run.tokens.begin(), at));

  Answer refused;
  request = MakeRequest(prompt, 20, &refused);
  request.on_token = [&](const TokenChoice& choice) {
    refused.tokens.push_back(choice.token);
    return refused.tokens.size() < 4;
  };
  MustSubmit(*engine, std::move(request));
  RunAll(*engine);
  EXPECT_EQ(refused.finish, FinishReason::kStop);
  EXPECT_EQ(refused.tokens.size(), 4u);
}

TEST_F(EngineTest, Cancellation) {
  EngineOptions options = Options(256, 2);
  options.prefix_cache = false;
  std::vector<Answer> answers(3);
  const auto engine = Make(options);
  std::vector<int64_t> ids;
  for (Answer& answer : answers)
    ids.push_back(MustSubmit(*engine, MakeRequest(TestTokens(20, 7), 50, &answer)));
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(engine->Step());
  engine->Cancel(ids[0]);  // running
  engine->Cancel(ids[2]);  // waiting
  engine->Cancel(12345);   // unknown
  RunAll(*engine);
  EXPECT_EQ(answers[0].finish, FinishReason::kCancelled);
  EXPECT_EQ(answers[0].tokens.size(), 5u);
  EXPECT_EQ(answers[2].finish, FinishReason::kCancelled);
  EXPECT_TRUE(answers[2].tokens.empty());
  EXPECT_EQ(answers[1].finish, FinishReason::kLength);
  EXPECT_EQ(answers[1].tokens.size(), 50u);
  EXPECT_EQ(UsedPages(engine->pool()), 0);
  EXPECT_FALSE(engine->Step());
}

TEST_F(EngineTest, SubmitRefuses) {
  const auto engine = Make(Options(32));
  Answer answer;
  const auto refused = [&](Request request, StatusCode code, const std::string& part) {
    const auto id = engine->Submit(std::move(request));
    EXPECT_EQ(id.status().code(), code);
    EXPECT_NE(id.status().message().find(part), std::string::npos) << id.status().message();
  };
  refused(MakeRequest({}, 5, &answer), StatusCode::kInvalidArgument, "empty");
  refused(MakeRequest({1, 101}, 5, &answer), StatusCode::kInvalidArgument, "101");
  refused(MakeRequest({-1}, 5, &answer), StatusCode::kInvalidArgument, "-1");
  refused(MakeRequest(TestTokens(32, 1), 5, &answer), StatusCode::kResourceExhausted, "--context");
  refused(MakeRequest({1}, -1, &answer), StatusCode::kInvalidArgument, "max_tokens");
  Request hot = MakeRequest({1}, 1, &answer);
  hot.sampling.temperature = -1;
  refused(std::move(hot), StatusCode::kInvalidArgument, "temperature");
  EXPECT_TRUE(engine->idle());
}

TEST_F(EngineTest, CreateRefuses) {
  const auto refused = [&](const EngineOptions& options, const std::string& part) {
    const auto engine = Engine::Create(*test_.model, *kernels_, threads_, options);
    ASSERT_FALSE(engine.ok());
    EXPECT_NE(engine.status().message().find(part), std::string::npos) << engine.status().message();
  };
  refused(Options(1025), "1024");
  refused(Options(0), "context");
  refused(Options(256, 0), "max_sequences");
  EngineOptions drafts = Options();
  drafts.max_draft = 0;
  drafts.speculate = Speculate::kNgram;
  refused(drafts, "max_draft");
  ModelConfig larger = TestConfig("gemma3");
  larger.vocab_size = 102;
  const TestModel other = MakeTestModel(larger, *kernels_, threads_);
  drafts = Options();
  drafts.speculate = Speculate::kModel;
  drafts.draft_model = other.model.get();
  refused(drafts, "vocabulary");
}

TEST_F(EngineTest, NoTokenLeftIsAnErrorOfTheRequestAlone) {
  const auto engine = Make(Options(64, 2));
  Answer banned, fine;
  Request request = MakeRequest({1, 2, 3}, 5, &banned);
  for (int32_t id = 0; id < 101; ++id) request.sampling.logit_bias.emplace_back(id, -INFINITY);
  MustSubmit(*engine, std::move(request));
  MustSubmit(*engine, MakeRequest({1, 2, 3}, 5, &fine));
  RunAll(*engine);
  EXPECT_EQ(banned.finish, FinishReason::kError);
  EXPECT_NE(banned.error.find("logit_bias"), std::string::npos);
  EXPECT_EQ(fine.tokens.size(), 5u);
}

TEST_F(EngineTest, ReservesWhatItSays) {
  for (int64_t sequences : {1, 5}) {
    EngineOptions options = Options(256, sequences);
    const auto engine = Make(options);
    const int64_t said = Engine::ReservedBytes(*test_.model, *kernels_, threads_.size(), options);
    EXPECT_GE(said, engine->pool().reserved_bytes());
    Answer answer;
    MustSubmit(*engine, MakeRequest(TestTokens(200, 8), 20, &answer));
    RunAll(*engine);
    EXPECT_LE(engine->pool().reserved_bytes() + engine->arena_high_water(), said);
  }
}

// Random requests, cancellations and preemptions: each answer is the one that the request has
// alone.
TEST_F(EngineTest, Soak) {
  EngineOptions options = Options(160, 4);
  options.runner.batch_invariant = true;
  options.runner.max_batch_tokens = 40;
  options.total_tokens = 320;
  std::mt19937 random(3);
  struct Job {
    std::vector<int32_t> prompt;
    int64_t max_tokens;
    Answer answer;
    int64_t id = 0;
  };
  std::vector<Job> jobs(40);
  for (Job& job : jobs)
    job = {TestTokens(1 + random() % 90, random() % 6), static_cast<int64_t>(random() % 30), {}, 0};
  const auto engine = Make(options);
  size_t next = 0;
  for (int step = 0; next < jobs.size() || !engine->idle(); ++step) {
    ASSERT_LT(step, 5000);
    if (next < jobs.size() && random() % 3 == 0) {
      Job& job = jobs[next++];
      job.id = MustSubmit(*engine, MakeRequest(job.prompt, job.max_tokens, &job.answer));
    }
    if (random() % 40 == 0 && next > 0) engine->Cancel(jobs[random() % next].id);
    if (random() % 25 == 0 && !engine->scheduler().running().empty()) {
      engine->PreemptForTest(
          engine->scheduler().running()[random() % engine->scheduler().running().size()]->id);
    }
    engine->Step();
    ASSERT_TRUE(engine->scheduler().PagesBalance());
  }
  EXPECT_GT(engine->counters().pages_used, 0);
  EXPECT_EQ(engine->counters().pages_used, engine->counters().pages_cached);
  int64_t whole = 0;
  options.total_tokens = 0;
  options.prefix_cache = false;
  for (Job& job : jobs) {
    const Answer alone = Alone(options, job.prompt, job.max_tokens);
    if (job.answer.finish == FinishReason::kCancelled) {
      ASSERT_LE(job.answer.tokens.size(), alone.tokens.size());
      EXPECT_TRUE(
          std::equal(job.answer.tokens.begin(), job.answer.tokens.end(), alone.tokens.begin()));
    } else {
      EXPECT_TRUE(job.answer == alone);
      ++whole;
    }
  }
  EXPECT_GT(whole, 20);
}

}  // namespace
}  // namespace galen

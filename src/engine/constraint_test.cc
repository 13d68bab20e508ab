// Constraints on answers of small random models: what is chosen satisfies them, whatever way a
// request takes through the engine.
#include <algorithm>

#include "engine/engine.h"
#include "engine/engine_test_util.h"

namespace galen {
namespace {

using grammar::Constraint;

constexpr const char* kSchema =
    R"({"type": "object", "properties": {"measured_value": {"type": "integer", "minimum": 0,
        "maximum": 999}, "unit_of_measurement": {"enum": ["mg/dL", "mmol/L"]},
        "abnormal": {"type": "boolean"}}, "required": ["measured_value", "unit_of_measurement",
        "abnormal"], "additionalProperties": false})";

class ConstraintTest : public testing::Test {
 protected:
  void SetUp() override {
    int next = 256;  // GPT-2's spelling of bytes
    for (int byte = 0; byte < 256; ++byte) {
      const bool printable =
          (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
      const int code = printable ? byte : next++;
      spelled_.push_back(code < 128 ? std::string(1, static_cast<char>(code))
                                    : std::string{static_cast<char>(0xc0 | code >> 6),
                                                  static_cast<char>(0x80 | (code & 63))});
    }
    for (const char* word : {"un", "it", "\":", "<open>", "<close>", "<end>"})
      spelled_.push_back(word);
    GgufVocab vocab;
    vocab.model = "gpt2";
    vocab.pre = "gpt-2";
    for (const std::string& token : spelled_) vocab.tokens.push_back(token);
    vocab.merges = {"u n", "i t", "\" :"};
    vocab.token_types.assign(spelled_.size(), 1);
    vocab.token_types.back() = 3;
    end_ = static_cast<TokenId>(spelled_.size() - 1);
    vocab.eos = end_;
    auto tokenizer = Tokenizer::FromGguf(vocab);
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().message();
    tokenizer_ = *tokenizer;
    vocabulary_ =
        grammar::Vocabulary::Create(*tokenizer_, std::vector<TokenId>{end_, end_ - 1, end_ - 2});
    ModelConfig config = TestConfig("llama");
    config.vocab_size = static_cast<int64_t>(spelled_.size());
    kernels_ = &KernelsFor(SupportedIsas().back());
    model_ = MakeTestModel(config, *kernels_, threads_);
  }

  struct Answer {
    std::vector<int32_t> tokens;
    FinishReason finish = FinishReason::kNone;
    std::string error;
    bool operator==(const Answer&) const = default;
  };

  Request Make(std::shared_ptr<const Constraint> constraint, uint64_t seed, float temperature,
               int64_t max_tokens, Answer* answer) {
    Request request;
    request.prompt = TestTokens(10, seed);
    request.max_tokens = max_tokens;
    request.sampling.temperature = temperature;
    request.sampling.seed = seed;
    request.sampling.logprobs = logprobs_;
    request.stop_tokens = {end_};
    request.constraint = std::move(constraint);
    request.tokenizer = tokenizer_;
    request.on_token = [answer](const TokenChoice& choice) {
      answer->tokens.push_back(choice.token);
      return true;
    };
    request.on_finish = [answer](FinishReason reason, const std::string& error) {
      answer->finish = reason;
      answer->error = error;
    };
    return request;
  }

  // Answers to all constraints, running together; null: free.
  std::vector<Answer> Run(const EngineOptions& options,
                          const std::vector<std::shared_ptr<const Constraint>>& constraints,
                          float temperature = 0.0f, int64_t max_tokens = 150,
                          EngineCounters* counters = nullptr) {
    std::vector<Answer> answers(constraints.size());
    auto engine = Engine::Create(*model_.model, *kernels_, threads_, options);
    EXPECT_TRUE(engine.ok()) << engine.status().message();
    if (!engine.ok()) return answers;
    for (size_t i = 0; i < constraints.size(); ++i) {
      const auto id =
          (*engine)->Submit(Make(constraints[i], i + 1, temperature, max_tokens, &answers[i]));
      EXPECT_TRUE(id.ok()) << id.status().message();
    }
    while ((*engine)->Step()) {
    }
    if (counters != nullptr) *counters = (*engine)->counters();
    return answers;
  }

  std::string Text(const Answer& answer) const { return tokenizer_->Decode(answer.tokens); }
  static bool Complete(const Constraint& c, const std::string& text) {
    return c.Complete(c.Advance(c.Start(), text));
  }

  std::vector<std::string> spelled_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  std::shared_ptr<const grammar::Vocabulary> vocabulary_;
  TokenId end_ = -1;
  int32_t logprobs_ = -1;  // that are asked for
  ThreadPool threads_{1};
  const KernelTable* kernels_ = nullptr;
  TestModel model_;
};

EngineOptions ConstraintOptions() {
  EngineOptions options;
  options.context = 256;
  options.max_sequences = 4;
  options.runner.batch_invariant = true;
  options.forced_drafts = true;
  return options;
}

TEST_F(ConstraintTest, AnswersSatisfyTheirConstraints) {
  const auto schema = *Constraint::FromSchema(kSchema, vocabulary_, grammar::Whitespace::kCompact);
  const auto regex = *Constraint::FromRegex("[a-z]{5,9}-[0-9]{3}", vocabulary_);
  const auto gbnf = *Constraint::FromGbnf("root ::= \"(\" [a-c]* root? \")\"", vocabulary_);
  for (const float temperature : {0.0f, 2.0f}) {
    const auto answers =
        Run(ConstraintOptions(), {schema, regex, nullptr, gbnf, schema}, temperature, 200);
    EXPECT_TRUE(Complete(*schema, Text(answers[0]))) << Text(answers[0]);
    EXPECT_TRUE(Complete(*regex, Text(answers[1]))) << Text(answers[1]);
    EXPECT_TRUE(Complete(*schema, Text(answers[4]))) << Text(answers[4]);
    EXPECT_EQ(answers[0].finish, FinishReason::kStop);
    EXPECT_EQ(answers[1].finish, FinishReason::kStop);
    // What recursion never ends is cut off, but still a beginning of a valid text.
    EXPECT_NE(gbnf->Advance(gbnf->Start(), Text(answers[3])), grammar::kDead);
    // The one without a constraint is as if it were alone.
    EXPECT_EQ(answers[2], Run(ConstraintOptions(), {schema, regex, nullptr}, temperature, 200)[2]);
  }
}

// Greedy answers; under a temperature the draw is among fewer tokens.
TEST_F(ConstraintTest, AConstraintThatHoldsAnywayChangesNothing) {
  const auto any = *Constraint::FromRegex("[^]*", vocabulary_);
  const Answer free = Run(ConstraintOptions(), {nullptr}, 0.0f, 60)[0];
  // The expression is about UTF-8, which a random model need not write: as far as it does.
  size_t good = 0;
  grammar::GrammarMatcher matcher(any, {});
  while (good < free.tokens.size() && matcher.Accept(free.tokens[good])) ++good;
  ASSERT_GT(good, 0u);
  const Answer bound = Run(ConstraintOptions(), {any}, 0.0f, 60)[0];
  ASSERT_GE(bound.tokens.size(), good);
  const auto end = free.tokens.begin() + static_cast<int64_t>(good);
  EXPECT_TRUE(std::equal(free.tokens.begin(), end, bound.tokens.begin()));
}

// Whoever wants log-probabilities has them from the model, token by token.
TEST_F(ConstraintTest, ForcedStretchesAreGuessedAndChangeNothing) {
  const auto schema = *Constraint::FromSchema(kSchema, vocabulary_, grammar::Whitespace::kCompact);
  logprobs_ = 0;
  for (const float temperature : {0.0f, 1.0f}) {
    EngineOptions options = ConstraintOptions();
    EngineCounters guessed, plain, spoken;
    const auto with = Run(options, {schema, schema}, temperature, 200, &guessed);
    options.forced_drafts = false;
    const auto without = Run(options, {schema, schema}, temperature, 200, &plain);
    EXPECT_EQ(with, without);
    EXPECT_EQ(plain.drafted_tokens, 0);
    EXPECT_GT(guessed.accepted_tokens, 0);
    EXPECT_EQ(guessed.forced_tokens, 0);
    EXPECT_LT(guessed.steps, plain.steps * 3 / 4);
    options.speculate = Speculate::kNgram;
    options.forced_drafts = true;
    EXPECT_EQ(Run(options, {schema, schema}, temperature, 200, &spoken), without);
  }
}

TEST_F(ConstraintTest, ForcedStretchesAreTakenAsTheTokenizerSpellsThem) {
  const auto schema = *Constraint::FromSchema(kSchema, vocabulary_, grammar::Whitespace::kCompact);
  for (const float temperature : {0.0f, 1.0f}) {
    EngineOptions options = ConstraintOptions();
    EngineCounters jumped, plain, spoken;
    const auto with = Run(options, {schema, schema}, temperature, 200, &jumped);
    options.speculate = Speculate::kNgram;
    EXPECT_EQ(Run(options, {schema, schema}, temperature, 200, &spoken), with);
    options.speculate = Speculate::kOff;
    options.forced_drafts = false;
    const auto without = Run(options, {schema, schema}, temperature, 200, &plain);
    EXPECT_GT(jumped.forced_tokens, 0);
    EXPECT_EQ(jumped.drafted_tokens, 0);
    EXPECT_LT(jumped.steps, plain.steps * 3 / 4);
    for (size_t i = 0; i < with.size(); ++i) {
      EXPECT_TRUE(Complete(*schema, Text(with[i]))) << Text(with[i]);
      // Until the first value the texts are one; this model's spelling need not be the tokenizer's.
      const std::string ours = Text(with[i]), others = Text(without[i]);
      const size_t key = ours.find(':');
      ASSERT_NE(key, ours.npos);
      EXPECT_EQ(ours.substr(0, key), others.substr(0, key));
    }
    // No more tokens than asked for, wherever the limit falls.
    for (const int64_t most : {1, 2, 3, 5, 8}) {
      options.forced_drafts = true;
      const Answer cut = Run(options, {schema}, temperature, most)[0];
      EXPECT_EQ(std::ssize(cut.tokens), most);
      EXPECT_TRUE(std::equal(cut.tokens.begin(), cut.tokens.end() - 1, with[0].tokens.begin()));
    }
  }
}

TEST_F(ConstraintTest, SurvivesPreemption) {
  const auto schema = *Constraint::FromSchema(kSchema, vocabulary_, grammar::Whitespace::kCompact);
  const Answer whole = Run(ConstraintOptions(), {schema})[0];
  Answer answer;
  auto engine = *Engine::Create(*model_.model, *kernels_, threads_, ConstraintOptions());
  const int64_t id = *engine->Submit(Make(schema, 1, 0.0f, 150, &answer));
  for (int step = 0; engine->Step(); ++step) {
    if (step % 7 == 3) engine->PreemptForTest(id);
  }
  EXPECT_EQ(answer, whole);
}

TEST_F(ConstraintTest, ThinksFirst) {
  const auto regex = *Constraint::FromRegex("abc", vocabulary_);
  Answer answer;
  auto engine = *Engine::Create(*model_.model, *kernels_, threads_, ConstraintOptions());
  Request request = Make(regex, 1, 0.0f, 40, &answer);
  request.thinking = {end_ - 2, end_ - 1, true};
  request.sampling.logit_bias = {{end_, 1000.0f}};  // wants to end inside the thought: it may not
  const std::vector<int32_t> prompt = request.prompt;
  ASSERT_TRUE(engine->Submit(std::move(request)).ok());
  while (engine->Step()) {
  }
  EXPECT_EQ(answer.finish,
            answer.tokens.size() == 40 ? FinishReason::kLength : FinishReason::kStop);
  EXPECT_EQ(std::count(answer.tokens.begin(), answer.tokens.end(), end_), 0);
}

TEST_F(ConstraintTest, ErrorsAreNamed) {
  Answer answer;
  auto engine = *Engine::Create(*model_.model, *kernels_, threads_, ConstraintOptions());
  // Nothing that the vocabulary has can follow: all its tokens are banned.
  const auto regex = *Constraint::FromRegex("abc", vocabulary_);
  Request request = Make(regex, 1, 0.0f, 40, &answer);
  request.sampling.logit_bias = {{'a', -INFINITY}};
  ASSERT_TRUE(engine->Submit(std::move(request)).ok());
  while (engine->Step()) {
  }
  EXPECT_EQ(answer.finish, FinishReason::kError);
}

}  // namespace
}  // namespace galen

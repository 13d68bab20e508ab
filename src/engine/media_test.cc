// Images in the engine: chunks, batches, the prefix cache, preemption.
#include <algorithm>
#include <cmath>

#include "engine/engine_test_util.h"
#include "engine/image_encoder.h"
#include "models/golden_inputs.h"
#include "models/tiny_models_test.h"

namespace galen {
namespace {

constexpr int64_t kImageTokens = 40;  // more than a page, no multiple of one, as long as the window
constexpr int32_t kSoftToken = 99;

struct MediaAnswer {
  std::vector<int32_t> tokens;
  std::vector<float> logprobs;
  FinishReason finish = FinishReason::kNone;
  std::string error;
  bool operator==(const MediaAnswer&) const = default;
};

std::shared_ptr<const MediaEmbedding> MakeEmbedding(int64_t hidden, uint64_t seed,
                                                    int64_t rows = kImageTokens) {
  auto e = std::make_shared<MediaEmbedding>();
  e->digest = {seed, ~seed};
  e->rows = rows;
  e->cols = hidden;
  for (const int32_t x : TestTokens(rows * hidden, seed, 2001))
    e->values.push_back(static_cast<float>(x - 1000) / 300.0f);
  return e;
}

// Families whose images see themselves in both directions (gemma3), and whose images are causal and
// turn by rows and columns (qwen2).
class MediaTest : public ::testing::TestWithParam<std::string> {
 protected:
  MediaTest() : kernels_(&KernelsFor(*ChooseIsa())) {
    ModelConfig config = TestConfig(GetParam());
    if (turns()) config.mrope_section = {4, 5, 3};
    test_ = MakeTestModel(config, *kernels_, threads_);
  }

  bool turns() const { return GetParam() == "qwen2"; }
  // As an image of 5 rows of 8 tokens.
  MediaSpan Place(int64_t begin, std::shared_ptr<const MediaEmbedding> embedding) const {
    MediaSpan span{begin, std::move(embedding), !turns()};
    if (turns()) span.token_rows = 5, span.token_columns = 8;
    return span;
  }

  EngineOptions Options(int64_t chunk = 256) const {
    EngineOptions options;
    options.context = 512;
    options.runner.max_batch_tokens = chunk;
    options.runner.batch_invariant = true;
    return options;
  }
  std::unique_ptr<Engine> Make(const EngineOptions& options) {
    auto engine = Engine::Create(*test_.model, *kernels_, threads_, options);
    EXPECT_TRUE(engine.ok()) << engine.status().message();
    return *std::move(engine);
  }
  // Text, and an image for each seed with some text behind it.
  Request Question(const std::vector<uint64_t>& seeds, MediaAnswer* answer,
                   int64_t max_tokens = 8) {
    Request request;
    request.prompt = TestTokens(17, 5);
    for (const uint64_t seed : seeds) {
      request.media.push_back(Place(static_cast<int64_t>(request.prompt.size()),
                                    MakeEmbedding(test_.model->config().hidden_size, seed)));
      request.prompt.insert(request.prompt.end(), kImageTokens, kSoftToken);
      const std::vector<int32_t> text = TestTokens(9, 6);
      request.prompt.insert(request.prompt.end(), text.begin(), text.end());
    }
    request.max_tokens = max_tokens;
    request.sampling.logprobs = 0;
    request.on_token = [answer](const TokenChoice& choice) {
      answer->tokens.push_back(choice.token);
      answer->logprobs.push_back(choice.logprob);
      return true;
    };
    request.on_finish = [answer](FinishReason reason, const std::string& error) {
      answer->finish = reason;
      answer->error = error;
    };
    return request;
  }
  MediaAnswer Ask(Engine& engine, const std::vector<uint64_t>& seeds) {
    MediaAnswer answer;
    const auto id = engine.Submit(Question(seeds, &answer));
    EXPECT_TRUE(id.ok()) << id.status().message();
    while (engine.Step()) {
    }
    return answer;
  }

  ThreadPool threads_{1};
  const KernelTable* kernels_;
  TestModel test_;
};

TEST_P(MediaTest, ImagesMatterAndChunksDoNot) {
  const auto whole = Make(Options());
  const MediaAnswer one = Ask(*whole, {1, 2});
  ASSERT_EQ(one.tokens.size(), 8u) << one.error;
  EXPECT_FALSE(Ask(*Make(Options()), {1, 3}) == one);
  EXPECT_FALSE(Ask(*Make(Options()), {2, 1}) == one);
  std::vector<int64_t> chunks = {kImageTokens, kImageTokens + 1, kImageTokens + 13, 100};
  if (turns()) chunks.insert(chunks.end(), {1, 7, 16});  // that end inside an image
  for (const int64_t chunk : chunks) {
    EXPECT_TRUE(Ask(*Make(Options(chunk)), {1, 2}) == one) << "chunks of " << chunk;
  }
}

TEST_P(MediaTest, AnImageThatNoStepHasRoomForIsRefused) {
  if (turns()) GTEST_SKIP() << "images of this family may be cut";
  MediaAnswer answer;
  const auto engine = Make(Options(kImageTokens - 1));
  const auto id = engine->Submit(Question({1}, &answer));
  EXPECT_EQ(id.status().code(), StatusCode::kInvalidArgument);
  EXPECT_NE(id.status().message().find("max_batch_tokens"), std::string::npos);
}

TEST_P(MediaTest, EqualTokensOfDifferentImagesShareNothing) {
  const auto engine = Make(Options());
  const auto cached = [&](const std::vector<uint64_t>& seeds) {
    const int64_t before = engine->counters().cached_tokens;
    EXPECT_TRUE(Ask(*engine, seeds) == Ask(*Make(Options()), seeds));
    return engine->counters().cached_tokens - before;
  };
  EXPECT_EQ(cached({1, 2}), 0);
  // The same first image, another second one: pages up to where the second begins.
  EXPECT_EQ(cached({1, 4}), (17 + kImageTokens + 9) / kPageTokens * kPageTokens);
  // The first page ends inside the first image.
  EXPECT_EQ(cached({3, 2}), 0);
  EXPECT_EQ(cached({4, 1}), 0);
}

// All of a prompt is known but its last token, which is one of an image.
TEST_P(MediaTest, APromptThatEndsInAnImage) {
  const auto ask = [&](Engine& engine) {
    MediaAnswer answer;
    Request request = Question({1}, &answer);
    request.prompt.resize(17 + kImageTokens);
    EXPECT_TRUE(engine.Submit(std::move(request)).ok());
    while (engine.Step()) {
    }
    return answer;
  };
  const MediaAnswer alone = ask(*Make(Options()));
  ASSERT_EQ(alone.tokens.size(), 8u);
  const auto engine = Make(Options());
  for (const int64_t cached : {int64_t{0}, 17 + kImageTokens - 1}) {
    EXPECT_TRUE(ask(*engine) == alone);
    EXPECT_EQ(engine->counters().cached_tokens, cached);
  }
}

// The cached prefix ends inside an image, whose other tokens are computed then.
TEST_P(MediaTest, AHitGivesTheBitsOfNone) {
  const MediaAnswer alone = Ask(*Make(Options()), {1, 2});
  const auto engine = Make(Options());
  EXPECT_TRUE(Ask(*engine, {1, 2}) == alone);
  const auto ask_otherwise = [&](Engine& asked) {  // the same images, another question
    MediaAnswer answer;
    Request request = Question({1, 2}, &answer);
    request.prompt.back() ^= 1;
    EXPECT_TRUE(asked.Submit(std::move(request)).ok());
    while (asked.Step()) {
    }
    return answer;
  };
  EXPECT_TRUE(ask_otherwise(*engine) == ask_otherwise(*Make(Options())));
  constexpr int64_t kSecond = 17 + kImageTokens + 9;
  constexpr int64_t kHit = (kSecond + kImageTokens + 8) / kPageTokens * kPageTokens;
  static_assert(kHit > kSecond && kHit < kSecond + kImageTokens - 1);
  EXPECT_EQ(engine->counters().cached_tokens, kHit);
  EXPECT_TRUE(Ask(*engine, {1, 2}) == alone);
  EXPECT_EQ(engine->counters().cached_tokens, kHit + kSecond + kImageTokens + 8);
  EXPECT_TRUE(Ask(*engine, {1}) == Ask(*Make(Options()), {1}));
}

TEST_P(MediaTest, PreemptedAndResumed) {
  const MediaAnswer alone = Ask(*Make(Options()), {1, 2});
  for (const int64_t chunk : {kImageTokens, int64_t{256}}) {
    MediaAnswer answer;
    EngineOptions options = Options(chunk);
    options.prefix_cache = false;
    const auto engine = Make(options);
    const auto id = engine->Submit(Question({1, 2}, &answer));
    ASSERT_TRUE(id.ok());
    for (int step = 0; engine->Step(); ++step) {
      if (step == 1 || step == 5) engine->PreemptForTest(*id);
    }
    EXPECT_TRUE(answer == alone) << chunk;
  }
}

TEST_P(MediaTest, InABatch) {
  const MediaAnswer alone = Ask(*Make(Options()), {1, 2});
  EngineOptions options = Options(kImageTokens + 8);
  options.max_sequences = 6;
  const auto engine = Make(options);
  std::vector<MediaAnswer> answers(6);
  for (size_t i = 0; i < answers.size(); ++i) {
    const std::vector<uint64_t> seeds =
        i % 2 == 0 ? std::vector<uint64_t>{1, 2} : std::vector<uint64_t>{i};
    ASSERT_TRUE(engine->Submit(Question(seeds, &answers[i])).ok());
  }
  while (engine->Step()) {
  }
  for (size_t i = 0; i < answers.size(); i += 2) EXPECT_TRUE(answers[i] == alone) << i;
}

TEST_P(MediaTest, MediaThatDoNotFitTheirPromptAreRefused) {
  const auto engine = Make(Options());
  MediaAnswer answer;
  Request late = Question({1}, &answer), narrow = Question({1}, &answer),
          crossed = Question({1, 2}, &answer);
  late.media[0].begin = 30;
  narrow.media[0].embedding = MakeEmbedding(63, 1);
  crossed.media[1].begin = crossed.media[0].begin + 1;
  Request flat = Question({1}, &answer), wide = Question({1}, &answer);
  flat.media[0].token_rows = turns() ? 0 : 1;
  flat.media[0].token_columns = turns() ? 0 : kImageTokens;
  wide.media[0].token_rows = 6, wide.media[0].token_columns = 8;
  for (Request* request : {&late, &narrow, &crossed, &flat, &wide}) {
    EXPECT_EQ(engine->Submit(*request).status().code(), StatusCode::kInvalidArgument);
  }
}

INSTANTIATE_TEST_SUITE_P(Families, MediaTest, testing::Values("gemma3", "qwen2"),
                         [](const auto& info) { return info.param; });

// The tiny Qwen2.5-VL with images of several sizes: positions and greedy answers of transformers.
class ThreePositions : public ::testing::Test {
 protected:
  void SetUp() override {
    OpenModelOptions options;
    options.images = true;
    auto loaded = OpenModel(TinyFolder("qwen2_5_vl"), options);
    ASSERT_TRUE(loaded.ok()) << loaded.status().message();
    loaded_ = *std::move(loaded);
    const auto expected = OpenCheckpoint(TinyFolder("qwen2_5_vl") + "/expected.safetensors");
    ASSERT_TRUE(expected.ok()) << expected.status().message();
    const std::vector<int32_t> tokens = ReadInts(**expected, "tokens");
    const std::vector<int32_t> order = ReadInts(**expected, "image_order");
    positions_ = ReadInts(**expected, "positions");
    answers_ = ReadInts(**expected, "answers");
    ImageEncoderOptions encoding;
    encoding.compute = Compute::kFp32;
    auto encoder = ImageEncoder::Create(*loaded_.tower, *loaded_.files.image_processor, *kernels_,
                                        threads_, encoding);
    ASSERT_TRUE(encoder.ok()) << encoder.status().message();
    size_t begin = 0, image = 0;
    for (const int32_t length : ReadInts(**expected, "lengths")) {
      EncodedPrompt prompt;
      std::vector<PreparedViews> views;
      prompt.tokens.assign(tokens.begin() + begin, tokens.begin() + begin + length);
      for (int64_t t = 0; t < length;) {
        if (prompt.tokens[t] != kImagePad) {
          ++t;
          continue;
        }
        auto prepared = GoldenImage(**expected, order.at(image++), *loaded_.files.image_processor);
        ASSERT_TRUE(prepared.ok()) << prepared.status().message();
        prompt.places.push_back({t, prepared->tokens, views.size(), 0});
        t += prepared->tokens;
        views.push_back({*std::move(prepared)});
      }
      auto media = (*encoder)->EncodePrompt(prompt, views);
      ASSERT_TRUE(media.ok()) << media.status().message();
      Request request;
      request.prompt = prompt.tokens;
      request.media = *std::move(media);
      requests_.push_back(std::move(request));
      begin += length;
    }
  }

  static constexpr int32_t kImagePad = 90;
  ThreadPool threads_{2};
  const KernelTable* kernels_ = &KernelsFor(*ChooseIsa());
  LoadedModel loaded_;
  std::vector<Request> requests_;
  std::vector<int32_t> positions_;  // [3, tokens of all]
  std::vector<int32_t> answers_;    // [requests, tokens of an answer]
};

TEST_F(ThreePositions, AreThoseOfTheReference) {
  const size_t all = positions_.size() / 3;
  size_t row = 0;
  for (const Request& request : requests_) {
    for (size_t t = 0; t < request.prompt.size(); ++t, ++row) {
      const TokenPosition p = PositionOf(request.media, static_cast<int64_t>(t));
      EXPECT_EQ(p.time, positions_[row]) << row;
      EXPECT_EQ(p.row, positions_[all + row]) << row;
      EXPECT_EQ(p.column, positions_[2 * all + row]) << row;
    }
    // The answer goes on behind the largest position of all.
    int32_t largest = 0;
    for (size_t i = row - request.prompt.size(); i < row; ++i) {
      for (size_t axis = 0; axis < 3; ++axis)
        largest = std::max(largest, positions_[axis * all + i]);
    }
    const auto size = static_cast<int64_t>(request.prompt.size());
    EXPECT_EQ(PositionOf(request.media, size).time, largest + 1);
    EXPECT_EQ(PositionOf(request.media, size + 3).column, largest + 4);
  }
  EXPECT_EQ(row, all);
}

TEST_F(ThreePositions, AnswersAreThoseOfTheReference) {
  const size_t length = answers_.size() / requests_.size();
  for (const int64_t chunk : {int64_t{256}, int64_t{5}}) {
    EngineOptions options;
    options.context = 256;
    options.kv_type = KvType::kF32;
    options.max_sequences = 3;
    options.runner.compute = Compute::kFp32;
    options.runner.max_batch_tokens = chunk;
    auto engine = Engine::Create(*loaded_.model, *kernels_, threads_, options);
    ASSERT_TRUE(engine.ok()) << engine.status().message();
    std::vector<std::vector<int32_t>> found(requests_.size());
    for (size_t i = 0; i < requests_.size(); ++i) {
      Request request = requests_[i];
      request.max_tokens = static_cast<int64_t>(length);
      request.sampling.temperature = 0;
      request.on_token = [&found, i](const TokenChoice& choice) {
        found[i].push_back(choice.token);
        return true;
      };
      ASSERT_TRUE((*engine)->Submit(std::move(request)).ok());
    }
    while ((*engine)->Step()) {
    }
    for (size_t i = 0; i < requests_.size(); ++i) {
      const auto wanted = answers_.begin() + static_cast<std::ptrdiff_t>(i * length);
      EXPECT_EQ(found[i],
                std::vector<int32_t>(wanted, wanted + static_cast<std::ptrdiff_t>(length)))
          << i << ", chunks of " << chunk;
    }
  }
}

class ImageEncoderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    OpenModelOptions options;
    options.images = true;
    auto loaded = OpenModel(TinyFolder("gemma3-vision"), options);
    ASSERT_TRUE(loaded.ok()) << loaded.status().message();
    loaded_ = *std::move(loaded);
  }
  std::unique_ptr<ImageEncoder> Make(const ImageEncoderOptions& options = {}) {
    auto encoder = ImageEncoder::Create(*loaded_.tower, *loaded_.files.image_processor,
                                        KernelsFor(*ChooseIsa()), threads_, options);
    EXPECT_TRUE(encoder.ok()) << encoder.status().message();
    return *std::move(encoder);
  }
  PreparedImage Picture(uint64_t seed, int64_t tokens = 0) {
    Image image{40, 30, 3, {}};
    for (const int32_t x : TestTokens(40 * 30 * 3, seed, 256))
      image.pixels.push_back(static_cast<uint8_t>(x));
    ImageOptions options;
    options.tokens = tokens;
    auto views = loaded_.files.image_processor->Prepare(image, options);
    EXPECT_TRUE(views.ok()) << views.status().message();
    return (*views)[0];
  }

  LoadedModel loaded_;
  ThreadPool threads_{2};
};

// Steps of an engine on the same threads, between the layers of a pass.
TEST_F(ImageEncoderTest, OtherWorkBetweenLayersChangesNothing) {
  const PreparedImage picture = Picture(1);
  const PreparedImage* images[] = {&picture};
  const auto alone = Make()->Encode(images);
  ASSERT_TRUE(alone.ok());
  const KernelTable& kernels = KernelsFor(*ChooseIsa());
  auto engine = Engine::Create(*loaded_.model, kernels, threads_, {});
  ASSERT_TRUE(engine.ok()) << engine.status().message();
  Request request;
  request.prompt = {2, 10, 20};
  request.max_tokens = 1000;
  ASSERT_TRUE((*engine)->Submit(request).ok());
  const auto encoder = Make();
  int64_t steps = 0;
  encoder->SetBetweenLayers([&] { steps += (*engine)->Step(); });
  const auto together = encoder->Encode(images);
  ASSERT_TRUE(together.ok());
  EXPECT_EQ((*together)[0]->values, (*alone)[0]->values);
  EXPECT_GE(steps, loaded_.tower->config().num_hidden_layers);
  encoder->SetBetweenLayers(nullptr);
  const PreparedImage other = Picture(2);
  images[0] = &other;
  ASSERT_TRUE(encoder->Encode(images).ok());
}

TEST_F(ImageEncoderTest, TheSameImageIsComputedOnce) {
  const auto encoder = Make();
  const PreparedImage a = Picture(1), b = Picture(2), small = Picture(1, 1);
  const PreparedImage* first[] = {&a, &b, &small, &a};
  const auto one = encoder->Encode(first);
  ASSERT_TRUE(one.ok()) << one.status().message();
  EXPECT_EQ((*one)[0]->rows, 4);
  EXPECT_EQ((*one)[2]->rows, 1);
  EXPECT_EQ((*one)[0]->values, (*one)[3]->values);
  EXPECT_FALSE((*one)[0]->digest == (*one)[2]->digest);
  EXPECT_FALSE((*one)[0]->values == (*one)[1]->values);
  EXPECT_EQ(encoder->counters().encoded, 3);
  const PreparedImage copy = Picture(1);
  const PreparedImage* second[] = {&copy};
  const auto again = encoder->Encode(second);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ((*again)[0].get(), (*one)[0].get());
  EXPECT_EQ(encoder->counters().encoded, 3);
}

TEST_F(ImageEncoderTest, ABatchHasTheBitsOfSingleImages) {
  ImageEncoderOptions options;
  options.batch_invariant = true;
  options.max_patches = 64;
  const auto together = Make(options), alone = Make(options);
  const PreparedImage a = Picture(1), b = Picture(2), c = Picture(3);
  const PreparedImage* all[] = {&a, &b, &c};
  const auto batch = together->Encode(all);
  ASSERT_TRUE(batch.ok());
  for (size_t i = 0; i < 3; ++i) {
    const auto one = alone->Encode(std::span(all).subspan(i, 1));
    ASSERT_TRUE(one.ok());
    EXPECT_EQ((*one)[0]->values, (*batch)[i]->values) << i;
  }
}

TEST_F(ImageEncoderTest, TheCacheIsBounded) {
  const int64_t bytes = 4 * 32 * 4 + static_cast<int64_t>(sizeof(MediaEmbedding));
  ImageEncoderOptions options;
  options.cache_bytes = 2 * bytes;
  const auto encoder = Make(options);
  const PreparedImage pictures[] = {Picture(1), Picture(2), Picture(3)};
  const auto ask = [&](size_t i) {
    const PreparedImage* image[] = {&pictures[i]};
    EXPECT_TRUE(encoder->Encode(image).ok());
    EXPECT_LE(encoder->cached_bytes(), options.cache_bytes);
    return encoder->counters().encoded;
  };
  EXPECT_EQ(ask(0), 1);
  EXPECT_EQ(ask(1), 2);
  EXPECT_EQ(ask(0), 2);
  EXPECT_EQ(ask(2), 3);  // image 1 goes, the one used least recently
  EXPECT_EQ(ask(0), 3);
  EXPECT_EQ(ask(1), 4);
}

TEST_F(ImageEncoderTest, ActivationsStayWithinTheReserve) {
  for (const Compute compute : {Compute::kFp32, Compute::kBf16}) {
    ImageEncoderOptions options;
    options.compute = compute;
    options.max_patches = 48;
    const auto encoder = Make(options);
    const PreparedImage a = Picture(1), b = Picture(2), c = Picture(3);
    const PreparedImage* all[] = {&a, &b, &c};
    ASSERT_TRUE(encoder->Encode(all).ok());
    const int64_t reserved = ImageEncoder::ReservedBytes(*loaded_.tower, KernelsFor(*ChooseIsa()),
                                                         threads_.size(), options);
    EXPECT_LE(encoder->arena_high_water(), reserved);
    EXPECT_GT(encoder->arena_high_water(), reserved / 4);
  }
}

// Images of any shape: larger ones than planned for get more room, smaller ones share a pass.
TEST(AnyShapeEncoder, MakesRoomForLargeImages) {
  OpenModelOptions options;
  options.images = true;
  auto loaded = OpenModel(TinyFolder("qwen2_5_vl"), options);
  ASSERT_TRUE(loaded.ok()) << loaded.status().message();
  const ImageProcessor& processor = *loaded->files.image_processor;
  ThreadPool threads(2);
  ImageEncoderOptions encoding;
  encoding.batch_invariant = true;
  const auto make = [&] {
    return *ImageEncoder::Create(*loaded->tower, processor, KernelsFor(*ChooseIsa()), threads,
                                 encoding);
  };
  const auto picture = [&](int64_t width, int64_t height, uint64_t seed) {
    Image image{width, height, 3, {}};
    for (const int32_t x : TestTokens(width * height * 3, seed, 256))
      image.pixels.push_back(static_cast<uint8_t>(x));
    ImageOptions any;
    any.min_pixels = 1;
    any.max_pixels = 1 << 20;
    return (*processor.Prepare(image, any))[0];
  };
  const auto encoder = make();
  const int64_t planned = loaded->tower->config().max_pixels / 16;  // patches of 4 x 4
  const PreparedImage small = picture(16, 8, 1), other = picture(16, 8, 2),
                      large = picture(200, 104, 3);
  ASSERT_GT(large.grid.patches(), planned);
  const PreparedImage* all[] = {&small, &other, &large, &small};
  const auto together = encoder->Encode(all);
  ASSERT_TRUE(together.ok()) << together.status().message();
  EXPECT_EQ((*together)[2]->rows, 25 * 13);
  for (size_t i = 0; i < 4; ++i) {
    const auto alone = make()->Encode(std::span(all).subspan(i, 1));
    ASSERT_TRUE(alone.ok());
    EXPECT_EQ((*alone)[0]->values, (*together)[i]->values) << i;
  }
}

}  // namespace
}  // namespace galen

#include "server/model_registry.h"

#include <gtest/gtest.h>

#include "server/ollama/params.h"

namespace galen::server {
namespace {

const std::string kTiny = GALEN_SOURCE_DIR "/tests/parity/models/tiny/";

TEST(ModelSpec, Names) {
  EXPECT_EQ(ParseModelSpec("/models/medgemma-4b.gguf")->name, "medgemma-4b");
  EXPECT_EQ(ParseModelSpec("/models/medgemma/")->name, "medgemma");
  EXPECT_EQ(ParseModelSpec("MedAIBase/MedGemma1.5:4b=/models/x.gguf")->name,
            "MedAIBase/MedGemma1.5:4b");
  EXPECT_EQ(ParseModelSpec("a=/models/b=c.gguf")->path, "/models/b=c.gguf");
  for (const char* bad :
       {"../x=/m.gguf", "/etc=/m.gguf", "a b=/m.gguf", "a\"b=/m.gguf", "x\n=/m.gguf"})
    EXPECT_FALSE(ParseModelSpec(bad).ok()) << bad;
}

RegistryOptions TinyOptions() {
  RegistryOptions options;
  options.host.session.context = 64;
  options.host.session.threads = 1;
  options.host.session.max_sequences = 2;
  return options;
}

TEST(ModelRegistry, FindsNamesAndSuggestsThem) {
  const auto registry = ModelRegistry::Create(
      TinyOptions(), {*ParseModelSpec("tiny-gemma=" + kTiny + "gemma3/q8_0.gguf"),
                      *ParseModelSpec("tiny-llama=" + kTiny + "llama/f32.gguf")});
  ASSERT_TRUE(registry.ok()) << registry.status().message();
  EXPECT_NE((*registry)->Find("tiny-gemma"), nullptr);
  EXPECT_EQ((*registry)->Find("tiny-gemma:latest"), (*registry)->Find("tiny-gemma"));
  EXPECT_EQ((*registry)->Find("tiny"), nullptr);
  EXPECT_NE((*registry)->Unknown("tiny-gema").find("did you mean 'tiny-gemma'"), std::string::npos);
  EXPECT_NE((*registry)->Unknown("zzzzzzzz").find("offers 'tiny-gemma', 'tiny-llama'"),
            std::string::npos);
  const auto twice = ModelRegistry::Create(
      TinyOptions(), {*ParseModelSpec("a=" + kTiny + "gemma3/q8_0.gguf"),
                      *ParseModelSpec("a:latest=" + kTiny + "llama/f32.gguf")});
  EXPECT_FALSE(twice.ok());
}

TEST(ModelRegistry, IdleModelsMakeRoomAndBusyOnesDoNot) {
  RegistryOptions options = TinyOptions();
  const std::vector<ModelSpec> specs = {*ParseModelSpec("a=" + kTiny + "gemma3/q8_0.gguf"),
                                        *ParseModelSpec("b=" + kTiny + "gemma3/f16.gguf")};
  double seconds = 0;
  int64_t need = 0;
  {
    const auto registry = ModelRegistry::Create(options, specs);
    ASSERT_TRUE(registry.ok());
    const auto a = (*registry)->Acquire(*(*registry)->Find("a"), &seconds);
    ASSERT_TRUE(a.ok()) << a.status().message();
    EXPECT_GT(seconds, 0);
    need = (*a)->reserved_bytes();
    EXPECT_TRUE((*registry)->Acquire(*(*registry)->Find("a"), &seconds).ok());
    EXPECT_EQ(seconds, 0);
  }
  options.memory = need + need / 100;  // room for one of them
  const auto registry = ModelRegistry::Create(options, specs);
  ASSERT_TRUE(registry.ok());
  {
    const auto a = (*registry)->Acquire(*(*registry)->Find("a"), &seconds);
    ASSERT_TRUE(a.ok()) << a.status().message();
    // Somebody is about to use it.
    const auto b = (*registry)->Acquire(*(*registry)->Find("b"), &seconds);
    ASSERT_FALSE(b.ok());
    EXPECT_EQ(b.status().code(), StatusCode::kResourceExhausted);
    EXPECT_NE(b.status().message().find("needs"), std::string::npos) << b.status().message();
  }
  const auto b = (*registry)->Acquire(*(*registry)->Find("b"), &seconds);
  ASSERT_TRUE(b.ok()) << b.status().message();
  EXPECT_EQ((*registry)->loaded().size(), 1u);
}

TEST(ModelRegistry, ModelsComeAndGoWhileOthersUseThem) {
  const auto registry =
      ModelRegistry::Create(TinyOptions(), {*ParseModelSpec("a=" + kTiny + "gemma3/q8_0.gguf")});
  ASSERT_TRUE(registry.ok());
  ModelRegistry& models = **registry;
  EXPECT_FALSE(models.Put(*ParseModelSpec("b=" + kTiny + "gemma3/config.json")).ok());
  ModelSpec spec = *ParseModelSpec("b=" + kTiny + "gemma3/f16.gguf");
  spec.stored = "ollama:b:latest";
  ASSERT_TRUE(models.Put(spec).ok());
  const ModelRef b = models.Find("b");
  ASSERT_NE(b, nullptr);
  EXPECT_EQ(models.Find("ollama:b"), b);
  EXPECT_EQ(models.FindStored("ollama:b:latest").size(), 1u);
  double seconds = 0;
  const auto host = models.Acquire(*b, &seconds);
  ASSERT_TRUE(host.ok()) << host.status().message();
  // Replaced: the name is the new one's, and who has the old one keeps it.
  ASSERT_TRUE(models.Put(spec).ok());
  EXPECT_NE(models.Find("b"), b);
  EXPECT_EQ(models.models().size(), 2u);
  EXPECT_EQ(models.loaded().size(), 1u);
  EXPECT_EQ(models.Acquire(*b, &seconds).status().code(), StatusCode::kNotFound);
  models.KeepAlive(*b, std::chrono::seconds(1));
  models.Unload(*b);
  models.Remove(*b);  // of none that is offered
  models.Remove(*models.Find("b"));
  EXPECT_EQ(models.Find("b"), nullptr);
  EXPECT_EQ(models.models().size(), 1u);
  EXPECT_FALSE((*host)->failed());
}

TEST(KeepAlive, Durations) {
  const auto seconds = [](const OrderedJson& value) {
    const auto time = ParseKeepAlive(value);
    return time.ok() ? time->count() : -99;
  };
  EXPECT_EQ(seconds("5m"), 300);
  EXPECT_EQ(seconds("1h30m"), 5400);
  EXPECT_EQ(seconds("1500ms"), 1);
  EXPECT_EQ(seconds("0"), 0);
  EXPECT_EQ(seconds(0), 0);
  EXPECT_EQ(seconds(30), 30);
  EXPECT_EQ(seconds(-1), -1);
  EXPECT_EQ(seconds("-1m"), -1);
  EXPECT_GT(seconds(1e300), 1000000);
  for (const OrderedJson& bad :
       {OrderedJson("5"), OrderedJson("m"), OrderedJson("5q"), OrderedJson("1m5"), OrderedJson(""),
        OrderedJson("-"), OrderedJson(true)})
    EXPECT_TRUE(seconds(bad) == -99 || bad == "5") << bad.dump();
}

}  // namespace
}  // namespace galen::server

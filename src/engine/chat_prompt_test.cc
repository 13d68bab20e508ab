// Prompts with images: ids equal to transformers' Gemma3Processor, and how placeholders are
// counted.
#include "engine/chat_prompt.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "base/files.h"
#include "text/template/builtin_templates.h"

namespace galen {
namespace {

// The tokenizer and template of a real Gemma 3 and the preprocessing of MedGemma; no weights.
Result<ModelFiles> GemmaFiles(const std::string& models) {
  ModelFiles files;
  ASSIGN_OR_RETURN(const std::string json,
                   ReadFile(models + "/tokenizers/gemma3/tokenizer.json", size_t{256} << 20));
  ASSIGN_OR_RETURN(const std::string config,
                   ReadFile(models + "/tokenizers/gemma3/tokenizer_config.json"));
  ASSIGN_OR_RETURN(files.tokenizer, Tokenizer::FromJson(json, config));
  ASSIGN_OR_RETURN(const BuiltinTemplate chat, FindBuiltinTemplate("gemma3"));
  files.chat_template = chat.source;
  files.config.vocab_size = 262208;
  files.vision.hidden_size = 1152;
  files.vision.num_attention_heads = 16;
  files.vision.image_size = 896;
  files.vision.patch_size = 14;
  files.vision.tokens_per_image = 256;
  ASSIGN_OR_RETURN(const Architecture* gemma, FindArchitecture("gemma3"));
  files.image_processor = gemma->vision->make_processor(files.vision);
  return files;
}

std::string ModelsFolder() {
  const char* folder = std::getenv("GALEN_MODELS");
  return folder == nullptr ? "" : folder;
}

class ChatPrompt : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (FileExists(ModelsFolder() + "/tokenizers/gemma3/tokenizer.json")) {
      files_ = new Result<ModelFiles>(GemmaFiles(ModelsFolder()));
    }
  }
  void SetUp() override {
    if (files_ == nullptr) {
      GTEST_SKIP()
          << "needs tokenizers/gemma3/tokenizer.json in $GALEN_MODELS (tools/fetch_models.py)";
    }
    ASSERT_TRUE(files_->ok()) << files_->status().message();
  }
  static const ModelFiles& files() { return **files_; }

  // Views as Prepare gives them for an image of this size, without its pixels.
  static PreparedViews Views(int64_t width, int64_t height, bool pan_and_scan) {
    Image image{width, height, 3, std::vector<uint8_t>(static_cast<size_t>(width * height * 3))};
    ImageOptions options;
    options.pan_and_scan = pan_and_scan;
    auto views = files().image_processor->Prepare(image, options);
    EXPECT_TRUE(views.ok()) << views.status().message();
    return *std::move(views);
  }
  // One message of these parts.
  static OrderedJson User(const std::vector<OrderedJson>& parts) {
    OrderedJson message = {{"role", "user"}, {"content", OrderedJson::array()}};
    for (const OrderedJson& part : parts) message["content"].push_back(part);
    OrderedJson messages = OrderedJson::array();
    messages.push_back(message);
    return messages;
  }

  static Result<ModelFiles>* files_;
};
Result<ModelFiles>* ChatPrompt::files_ = nullptr;

TEST_F(ChatPrompt, IdsAreThoseOfGemma3Processor) {
  const auto text =
      ReadFile(std::string(GALEN_SOURCE_DIR) + "/tests/cases/image_prompts/gemma3.json");
  ASSERT_TRUE(text.ok()) << text.status().message();
  const auto cases = ParseOrderedJson(*text);
  ASSERT_TRUE(cases.ok()) << cases.status().message();
  ASSERT_GE(cases->size(), 50u);
  const PreparedViews small = Views(64, 48, false);
  for (const OrderedJson& c : *cases) {
    SCOPED_TRACE(c["messages"].dump().substr(0, 300));
    std::vector<PreparedViews> images;
    for (const OrderedJson& size : c["sizes"]) {
      const int64_t width = size[0].get<int64_t>(), height = size[1].get<int64_t>();
      const bool crops = c["pan_and_scan"].get<bool>();
      images.push_back(width == 64 && !crops ? small : Views(width, height, crops));
    }
    const auto prompt = EncodeChat(files(), c["messages"], images);
    ASSERT_TRUE(prompt.ok()) << prompt.status().message();
    std::vector<int32_t> wanted;
    for (const OrderedJson& run : c["ids"])
      wanted.insert(wanted.end(), run[1].get<size_t>(), run[0].get<int32_t>());
    EXPECT_EQ(prompt->tokens, wanted);
    size_t views = 0;
    for (const PreparedViews& image : images) views += image.size();
    ASSERT_EQ(prompt->places.size(), views);
    for (const ImagePlace& place : prompt->places) {
      EXPECT_EQ(place.count, 256);
      EXPECT_EQ(prompt->tokens[static_cast<size_t>(place.begin)], 262144);
      EXPECT_EQ(prompt->tokens[static_cast<size_t>(place.begin - 1)], 255999);
      EXPECT_EQ(prompt->tokens[static_cast<size_t>(place.begin + place.count)], 256000);
    }
  }
}

TEST_F(ChatPrompt, PlaceholdersAreCounted) {
  const std::vector<PreparedViews> one = {Views(8, 8, false)};
  const OrderedJson image = {{"type", "image"}}, text = {{"type", "text"}, {"text", "hello"}};
  EXPECT_TRUE(EncodeChat(files(), User({image, text}), one).ok());
  const Status none = EncodeChat(files(), User({image, text}), {}).status();
  EXPECT_EQ(none.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(none.message().find("places for 1 images, 0 were given"), std::string::npos)
      << none.message();
  EXPECT_FALSE(EncodeChat(files(), User({text}), one).ok());
  EXPECT_FALSE(EncodeChat(files(), User({image, image}), one).ok());
}

// What a person writes is text, whatever it spells.
TEST_F(ChatPrompt, APlaceholderThatTheTextSpellsIsText) {
  const OrderedJson text = {{"type", "text"}, {"text", "a <start_of_image> b <image_soft_token>"}};
  const auto prompt = EncodeChat(files(), User({text}), {});
  ASSERT_TRUE(prompt.ok()) << prompt.status().message();
  EXPECT_TRUE(prompt->places.empty());
  for (const int32_t id : prompt->tokens) EXPECT_FALSE(id == 255999 || id == 262144);
}

TEST_F(ChatPrompt, RawTextHasImagesInFrontOrWhereItSays) {
  const std::vector<PreparedViews> one = {Views(8, 8, false)};
  const auto front = EncodeRaw(files(), "hello", one);
  ASSERT_TRUE(front.ok()) << front.status().message();
  ASSERT_EQ(front->places.size(), 1u);
  EXPECT_EQ(front->places[0].begin, 3);  // bos, line breaks, start of image
  const auto inside = EncodeRaw(files(), "hello <start_of_image> there", one);
  ASSERT_TRUE(inside.ok());
  EXPECT_GT(inside->places[0].begin, 3);
}

// A quantised file's embedding table may end before the placeholder's row.
TEST_F(ChatPrompt, PlaceholdersStayInsideTheVocabulary) {
  ModelFiles cut = files();
  cut.config.vocab_size = 262144;
  const OrderedJson image = {{"type", "image"}};
  const std::vector<PreparedViews> one = {Views(8, 8, false)};
  const auto prompt = EncodeChat(cut, User({image}), one);
  ASSERT_TRUE(prompt.ok());
  for (const int32_t id : prompt->tokens) EXPECT_LT(id, 262144);
}

}  // namespace
}  // namespace galen

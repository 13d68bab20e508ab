// Prompts with images: ids equal to transformers' Gemma3Processor, and how placeholders are
// counted.
#include "engine/chat_prompt.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <tuple>

#include "base/files.h"
#include "text/template/builtin_templates.h"

namespace galen {
namespace {

std::string ModelsFolder() {
  const char* folder = std::getenv("GALEN_MODELS");
  return folder == nullptr ? "" : folder;
}

// A real tokenizer, without weights or processor.
Result<ModelFiles> WithTokenizer(const std::string& name) {
  const std::string folder = ModelsFolder() + "/tokenizers/" + name;
  ModelFiles files;
  ASSIGN_OR_RETURN(const std::string json, ReadFile(folder + "/tokenizer.json", size_t{256} << 20));
  ASSIGN_OR_RETURN(const std::string config, ReadFile(folder + "/tokenizer_config.json"));
  ASSIGN_OR_RETURN(files.tokenizer, Tokenizer::FromJson(json, config));
  return files;
}

Status AddProcessor(const char* architecture, ModelFiles* files) {
  ASSIGN_OR_RETURN(const Architecture* family, FindArchitecture(architecture));
  files->image_processor = family->vision->make_processor(files->vision);
  return OkStatus();
}

// The template of a real Gemma 3 and the preprocessing of MedGemma.
Result<ModelFiles> GemmaFiles() {
  ASSIGN_OR_RETURN(ModelFiles files, WithTokenizer("gemma3"));
  ASSIGN_OR_RETURN(const BuiltinTemplate chat, FindBuiltinTemplate("gemma3"));
  files.chat_template = chat.source;
  files.config.vocab_size = 262208;
  files.vision.hidden_size = 1152;
  files.vision.num_attention_heads = 16;
  files.vision.image_size = 896;
  files.vision.patch_size = 14;
  files.vision.tokens_per_image = 256;
  RETURN_IF_ERROR(AddProcessor("gemma3", &files));
  return files;
}

// The template of Qwen2.5-VL and the default preprocessing of its class. Qwen3's tokenizer has the
// same vocabulary and control tokens.
Result<ModelFiles> QwenFiles() {
  ASSIGN_OR_RETURN(ModelFiles files, WithTokenizer("qwen3"));
  ASSIGN_OR_RETURN(
      files.chat_template,
      ReadFile(std::string(GALEN_SOURCE_DIR) + "/tests/cases/templates/sources/qwen2.5_vl.jinja"));
  files.config.vocab_size = 152064;
  files.vision.patch_size = 14;
  files.vision.spatial_merge_size = 2;
  files.vision.min_pixels = 3136;
  files.vision.max_pixels = 1003520;
  RETURN_IF_ERROR(AddProcessor("qwen2", &files));
  return files;
}

// Views as Prepare gives them for an image of this size.
PreparedViews ViewsOf(const ModelFiles& files, int64_t width, int64_t height, bool pan_and_scan) {
  const Image image{width, height, 3,
                    std::vector<uint8_t>(static_cast<size_t>(width * height * 3))};
  ImageOptions options;
  options.pan_and_scan = pan_and_scan;
  auto views = files.image_processor->Prepare(image, options);
  EXPECT_TRUE(views.ok()) << views.status().message();
  return *std::move(views);
}

// Ids of an image: what stands for its tokens, and what begins and ends it.
struct ImageIds {
  int32_t soft = 0;
  int32_t begin = 0;
  int32_t end = 0;
};

// The conversations of tests/cases/image_prompts/NAME.json.
void ExpectReferenceIds(const ModelFiles& files, const std::string& name, const ImageIds& ids) {
  const auto text =
      ReadFile(std::string(GALEN_SOURCE_DIR) + "/tests/cases/image_prompts/" + name + ".json");
  ASSERT_TRUE(text.ok()) << text.status().message();
  const auto cases = ParseOrderedJson(*text);
  ASSERT_TRUE(cases.ok()) << cases.status().message();
  ASSERT_GE(cases->size(), 50u);
  std::map<std::tuple<int64_t, int64_t, bool>, PreparedViews> prepared;
  for (const OrderedJson& c : *cases) {
    SCOPED_TRACE(c["messages"].dump().substr(0, 300));
    std::vector<PreparedViews> images;
    for (const OrderedJson& size : c["sizes"]) {
      const std::tuple key(size[0].get<int64_t>(), size[1].get<int64_t>(),
                           c["pan_and_scan"].get<bool>());
      if (!prepared.contains(key))
        prepared[key] = ViewsOf(files, std::get<0>(key), std::get<1>(key), std::get<2>(key));
      images.push_back(prepared[key]);
    }
    const auto prompt = EncodeChat(files, c["messages"], images);
    ASSERT_TRUE(prompt.ok()) << prompt.status().message();
    std::vector<int32_t> wanted;
    for (const OrderedJson& run : c["ids"])
      wanted.insert(wanted.end(), run[1].get<size_t>(), run[0].get<int32_t>());
    EXPECT_EQ(prompt->tokens, wanted);
    size_t views = 0;
    for (const PreparedViews& image : images) views += image.size();
    ASSERT_EQ(prompt->places.size(), views);
    for (const ImagePlace& place : prompt->places) {
      EXPECT_EQ(place.count, images[place.image][place.view].tokens);
      EXPECT_EQ(prompt->tokens[static_cast<size_t>(place.begin)], ids.soft);
      EXPECT_EQ(prompt->tokens[static_cast<size_t>(place.begin - 1)], ids.begin);
      EXPECT_EQ(prompt->tokens[static_cast<size_t>(place.begin + place.count)], ids.end);
    }
  }
}

class ChatPrompt : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (FileExists(ModelsFolder() + "/tokenizers/gemma3/tokenizer.json")) {
      files_ = new Result<ModelFiles>(GemmaFiles());
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
  static PreparedViews Views(int64_t width, int64_t height) {
    return ViewsOf(files(), width, height, false);
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
  ExpectReferenceIds(files(), "gemma3", {262144, 255999, 256000});
}

TEST(QwenChatPrompt, IdsAreThoseOfQwen2_5_VLProcessor) {
  if (!FileExists(ModelsFolder() + "/tokenizers/qwen3/tokenizer.json")) {
    GTEST_SKIP()
        << "needs tokenizers/qwen3/tokenizer.json in $GALEN_MODELS (tools/fetch_models.py)";
  }
  const auto files = QwenFiles();
  ASSERT_TRUE(files.ok()) << files.status().message();
  ExpectReferenceIds(*files, "qwen2_5_vl", {151655, 151652, 151653});
  // Without a template the image has its markers too.
  const std::vector<PreparedViews> one = {ViewsOf(*files, 56, 56, false)};
  const auto raw = EncodeRaw(*files, "hello", one);
  ASSERT_TRUE(raw.ok()) << raw.status().message();
  EXPECT_EQ(std::vector<int32_t>(raw->tokens.begin(), raw->tokens.begin() + 6),
            (std::vector<int32_t>{151652, 151655, 151655, 151655, 151655, 151653}));
}

TEST_F(ChatPrompt, PlaceholdersAreCounted) {
  const std::vector<PreparedViews> one = {Views(8, 8)};
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
  const std::vector<PreparedViews> one = {Views(8, 8)};
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
  const std::vector<PreparedViews> one = {Views(8, 8)};
  const auto prompt = EncodeChat(cut, User({image}), one);
  ASSERT_TRUE(prompt.ok());
  for (const int32_t id : prompt->tokens) EXPECT_LT(id, 262144);
}

}  // namespace
}  // namespace galen

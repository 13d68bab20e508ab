// Pixels and tokens against transformers' processors, and what the readers refuse.
#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>

#include "models/dual_encoder/dual_encoder_test_util.h"
#include "models/dual_encoder/image_preparer.h"
#include "models/dual_encoder/text_input.h"

namespace galen {
namespace {

uint64_t Fnv1a(std::span<const uint8_t> bytes) {
  uint64_t digest = 0xCBF29CE484222325u;
  for (const uint8_t byte : bytes) digest = (digest ^ byte) * 0x100000001B3u;
  return digest;
}

TEST(ImagePreparer, EveryByteOfTheReference) {
  const Json fixture = ReadFixture("pixels.json");
  ASSERT_FALSE(fixture["cases"].empty());
  for (const Json& entry : fixture["cases"]) {
    const std::string name = entry["processor"];
    SCOPED_TRACE(entry.dump());
    const bool clip = name.find("clip") != std::string::npos;
    const auto config =
        ParseImageProcessor(fixture["processors"][name].dump(), "test",
                            clip ? DualEncoderFamily::kClip : DualEncoderFamily::kSiglip);
    ASSERT_TRUE(config.ok()) << config.status().message();
    const int64_t side = entry["shape"][1];
    VisionEncoderConfig vision;
    vision.image_size = side;
    vision.patch_size = side;  // one patch: its row is the image, channel by channel
    const auto preparer = ImagePreparer::Create(*config, vision, Framing::kPlain);
    ASSERT_TRUE(preparer.ok()) << preparer.status().message();
    const auto fitted = preparer->Fit(PatternImage(entry["width"], entry["height"]));
    ASSERT_TRUE(fitted.ok()) << fitted.status().message();
    std::vector<float> pixels(static_cast<size_t>(3 * side * side));
    preparer->FillPatches(*fitted, pixels.data());
    EXPECT_EQ(pixels[0], entry["first"].get<float>());
    char digest[17];
    std::snprintf(digest, sizeof(digest), "%016llx",
                  static_cast<unsigned long long>(
                      Fnv1a({reinterpret_cast<const uint8_t*>(pixels.data()), pixels.size() * 4})));
    EXPECT_EQ(digest, entry["fnv1a"].get<std::string>());
  }
}

ImageProcessorConfig Plain(int64_t side) {
  ImageProcessorConfig c;
  c.height = c.width = side;
  c.filter = Filter::kBilinear;
  c.rescale = c.normalize = false;
  return c;
}

TEST(ImagePreparer, Framings) {
  VisionEncoderConfig vision;
  vision.image_size = 5;
  vision.patch_size = 5;
  const Image image = PatternImage(5, 2);
  const auto padded = ImagePreparer::Create(Plain(5), vision, Framing::kPadToSquare)->Fit(image);
  ASSERT_TRUE(padded.ok());
  // (5 - 2) / 2 = 1 row of zeros above, 2 below.
  for (int64_t y = 0; y < 5; ++y) {
    for (int64_t x = 0; x < 15; ++x) {
      EXPECT_EQ(padded->row(y)[x], y == 1 || y == 2 ? image.row(y - 1)[x] : 0) << y << " " << x;
    }
  }
  vision.image_size = vision.patch_size = 2;
  const auto cropped = ImagePreparer::Create(Plain(2), vision, Framing::kCenterCrop)->Fit(image);
  ASSERT_TRUE(cropped.ok());
  // round((5 - 2) / 2) = round(1.5) = 2, halves to the even number.
  for (int64_t y = 0; y < 2; ++y) {
    for (int64_t x = 0; x < 6; ++x) EXPECT_EQ(cropped->row(y)[x], image.row(y)[x + 6]);
  }
}

TEST(ImagePreparer, Refuses) {
  VisionEncoderConfig vision;
  vision.image_size = 448;
  vision.patch_size = 14;
  EXPECT_EQ(ImagePreparer::Create(Plain(224), vision, Framing::kPlain).status().code(),
            StatusCode::kUnsupported);
  ImageProcessorConfig any = Plain(448);
  any.resize = false;
  EXPECT_EQ(ImagePreparer::Create(any, vision, Framing::kPlain).status().code(),
            StatusCode::kUnsupported);
  const auto preparer = ImagePreparer::Create(Plain(448), vision, Framing::kPlain);
  EXPECT_FALSE(preparer->Fit(Image{}).ok());
  ImageProcessorConfig crop = Plain(448);
  crop.shortest_edge = 448;
  crop.center_crop = true;
  crop.crop_height = crop.crop_width = 448;
  const auto strip = ImagePreparer::Create(crop, vision, Framing::kPlain);
  ASSERT_TRUE(strip.ok());
  EXPECT_EQ(strip->Fit(PatternImage(1, 30000)).status().code(), StatusCode::kResourceExhausted);
  for (const char* text :
       {"", "[]", "{\"size\": -1}", "{\"size\": {\"height\": 448}}", "{\"resample\": 9}",
        "{\"image_std\": [0, 1, 1]}", "{\"image_mean\": [0.5]}", "{\"image_mean\": \"x\"}",
        "{\"size\": {\"shortest_edge\": 448, \"longest_edge\": 900}}", "{\"do_resize\": 3}",
        "{\"crop_size\": {\"height\": 1e9, \"width\": 3}}"}) {
    EXPECT_FALSE(ParseImageProcessor(text, "test", DualEncoderFamily::kSiglip).ok()) << text;
  }
}

class TextInputParity : public testing::TestWithParam<const char*> {};

TEST_P(TextInputParity, IdsOfTheReference) {
  const Json fixture = ReadFixture(std::string("texts_") + GetParam() + ".json");
  const bool clip = std::string(GetParam()) == "clip";
  TextEncoderConfig config;
  config.vocab_size = 1 << 20;
  config.max_position_embeddings = fixture["max_length"];
  std::vector<std::string> folders = {fixture["directory"].get<std::string>()};
  // The same vocabulary as vocab.json and merges.txt.
  if (clip) folders.push_back("tests/parity/dual_encoders/tiny/clip-eos");
  for (const std::string& folder : folders) {
    SCOPED_TRACE(folder);
    const auto input =
        TextInput::Open(std::string(GALEN_SOURCE_DIR) + "/" + folder,
                        clip ? DualEncoderFamily::kClip : DualEncoderFamily::kSiglip, config);
    ASSERT_TRUE(input.ok()) << input.status().message();
    ASSERT_GT(fixture["cases"].size(), 200u);
    for (const Json& entry : fixture["cases"]) {
      SCOPED_TRACE(entry.dump());
      const auto ids = input->Encode(entry["text"].get<std::string>());
      ASSERT_TRUE(ids.ok()) << ids.status().message();
      EXPECT_EQ(*ids, entry["ids"].get<std::vector<int32_t>>());
      const auto padded = input->EncodePadded(entry["text"].get<std::string>());
      EXPECT_EQ(static_cast<int64_t>(padded->size()),
                clip ? static_cast<int64_t>(ids->size()) : config.max_position_embeddings);
    }
  }
}
INSTANTIATE_TEST_SUITE_P(Texts, TextInputParity,
                         testing::Values("medsiglip", "tiny_siglip", "clip"),
                         [](const auto& info) { return std::string(info.param); });

TEST(TextInput, SpecialTokensOfAUserAreText) {
  TextEncoderConfig config;
  config.vocab_size = 1 << 20;
  config.max_position_embeddings = 16;
  for (const auto& [folder, family] : {std::pair{"tiny/siglip", DualEncoderFamily::kSiglip},
                                       {"tiny/clip", DualEncoderFamily::kClip}}) {
    const auto input = TextInput::Open(Fixture(folder), family, config);
    ASSERT_TRUE(input.ok());
    const auto plain = input->Encode("a");
    const int32_t eos = plain->back();
    for (const char* text : {"</s>", "<|endoftext|>", "a </s> b <|endoftext|>"}) {
      const auto ids = input->Encode(text);
      ASSERT_TRUE(ids.ok());
      EXPECT_EQ(std::count(ids->begin(), ids->end(), eos), 1) << text;
    }
  }
}

// A copy of a tiny checkpoint to break.
class BrokenModel : public testing::Test {
 protected:
  void Copy(const std::string& name) {
    folder_ = OwnTempDir() + "/" + name;
    std::filesystem::remove_all(folder_);
    std::filesystem::copy(Fixture("tiny/" + name), folder_);
  }
  void EditConfig(const std::function<void(Json&)>& edit) {
    Json json = *ParseJson(*ReadFile(folder_ + "/config.json"));
    edit(json);
    std::ofstream(folder_ + "/config.json") << json.dump();
  }
  std::string Open(bool vision, bool text) {
    OpenDualEncoderOptions options;
    options.vision = vision;
    options.text = text;
    const auto loaded = OpenDualEncoder(folder_, options, KernelsFor(SupportedIsas()[0]), pool_);
    return loaded.ok() ? "ok" : loaded.status().message();
  }
  std::string folder_;
  ThreadPool pool_{1};
};

TEST_F(BrokenModel, Configurations) {
  const auto says = [&](const std::function<void(Json&)>& edit, const std::string& part) {
    Copy("siglip-classifier");
    EditConfig(edit);
    const std::string message = Open(true, false);
    EXPECT_NE(message.find(part), std::string::npos) << message;
  };
  says([](Json&) {}, "ok");
  says([](Json& j) { j.erase("id2label"); }, "id2label");
  says([](Json& j) { j["id2label"] = Json::object(); }, "0 labels");
  says([](Json& j) { j["id2label"].erase("1"); }, "id2label.1");
  says([](Json& j) { j["id2label"]["1"] = "edema"; }, "twice");
  says([](Json& j) { j["id2label"]["4"] = "other"; }, "expected shape");
  says([](Json& j) { j["problem_type"] = "regression"; }, "problem_type");
  says([](Json& j) { j["galen"]["preprocessing"] = "stretch"; }, "pad_to_square");
  says([](Json& j) { j["galen"]["thresholds"]["nothing"] = 0.5; }, "no such label");
  says([](Json& j) { j["galen"]["thresholds"]["edema"] = 1.5; }, "edema");
  says([](Json& j) { j["problem_type"] = nullptr; }, "thresholds");
  says([](Json& j) { j["vision_config"]["image_size"] = 20; }, "patch_size");
  says([](Json& j) { j["vision_config"]["image_size"] = int64_t{1} << 40; }, "image_size");
  says([](Json& j) { j["vision_config"]["num_attention_heads"] = 5; }, "heads");
  says([](Json& j) { j["vision_config"]["hidden_act"] = "swish9"; }, "swish9");
  says([](Json& j) { j["vision_config"]["num_hidden_layers"] = 3; }, "layers.2");
  says([](Json& j) { j["vision_config"]["num_hidden_layers"] = 1; }, "has no place");
  says([](Json& j) { j["vision_config"]["num_channels"] = 1; }, "RGB");
  says([](Json& j) { j["model_type"] = "vit"; }, "vit");
}

TEST_F(BrokenModel, MissingTowers) {
  Copy("siglip-vision");
  EXPECT_EQ(Open(true, false), "ok");
  EXPECT_NE(Open(true, true).find("no text tower"), std::string::npos);
  Copy("siglip");
  EXPECT_EQ(Open(false, true), "ok");
  EditConfig([](Json& j) { j["text_config"]["projection_size"] = 20; });
  EXPECT_NE(Open(true, true).find("projection_size"), std::string::npos);
  Copy("clip-classifier");
  EXPECT_NE(Open(true, true).find("no text tower"), std::string::npos);
  EXPECT_FALSE(IsDualEncoderPath("/nonexistent"));
  EXPECT_TRUE(IsDualEncoderPath(folder_));
  EXPECT_TRUE(IsDualEncoderPath(folder_ + "/model.safetensors"));
}

}  // namespace
}  // namespace galen

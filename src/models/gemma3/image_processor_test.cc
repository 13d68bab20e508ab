#include <gtest/gtest.h>

#include "models/gemma3/pan_and_scan.h"
#include "models/gemma3/vision.h"

namespace galen {
namespace {

VisionConfig MedGemma() {
  VisionConfig c;
  c.hidden_size = 1152;
  c.intermediate_size = 4304;
  c.num_hidden_layers = 27;
  c.num_attention_heads = 16;
  c.image_size = 896;
  c.patch_size = 14;
  c.tokens_per_image = 256;
  c.projection_dim = 2560;
  return c;
}

Image Grey(int64_t width, int64_t height) {
  return {width, height, 3, std::vector<uint8_t>(static_cast<size_t>(width * height * 3), 128)};
}

TEST(Gemma3ImageProcessor, SizesByTokens) {
  const auto processor = MakeGemma3Processor(MedGemma());
  const struct {
    int64_t asked, side, tokens;
  } cases[] = {{0, 896, 256}, {256, 896, 256}, {64, 448, 64}, {1, 56, 1}, {225, 840, 225}};
  for (const auto& c : cases) {
    ImageOptions options;
    options.tokens = c.asked;
    const auto views = processor->Prepare(Grey(30, 20), options);
    ASSERT_TRUE(views.ok()) << views.status().message();
    ASSERT_EQ(views->size(), 1u);
    EXPECT_EQ((*views)[0].pixels.width, c.side);
    EXPECT_EQ((*views)[0].pixels.height, c.side);
    EXPECT_EQ((*views)[0].grid.patches(), c.side / 14 * (c.side / 14));
    EXPECT_EQ((*views)[0].tokens, c.tokens);
  }
}

TEST(Gemma3ImageProcessor, OneHundredAndTwentyEightTokensAreNoSquare) {
  const auto processor = MakeGemma3Processor(MedGemma());
  for (const int64_t tokens : {128, 2, 257, -1, 1024}) {
    ImageOptions options;
    options.tokens = tokens;
    const Status status = processor->Prepare(Grey(30, 20), options).status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << tokens;
    if (tokens != 128) continue;
    EXPECT_NE(status.message().find("no square number"), std::string::npos) << status.message();
    EXPECT_NE(status.message().find("121 and 144"), std::string::npos) << status.message();
  }
}

TEST(Gemma3ImageProcessor, DigestsTellImagesApart) {
  const auto processor = MakeGemma3Processor(MedGemma());
  const SipKey key{1, 2};
  ImageOptions fewer;
  fewer.tokens = 64;
  Image changed = Grey(896, 896);
  changed.pixels.back() = 129;
  const auto digest = [&](const Image& image, const ImageOptions& options) {
    return DigestOf(key, *processor, (*processor->Prepare(image, options))[0]);
  };
  EXPECT_EQ(digest(Grey(896, 896), {}), digest(Grey(896, 896), {}));
  EXPECT_FALSE(digest(Grey(896, 896), {}) == digest(changed, {}));
  EXPECT_FALSE(digest(Grey(896, 896), {}) == digest(Grey(896, 896), fewer));
}

// As Gemma3ImageProcessorPil.pan_and_scan cuts (transformers 5.23, called with these sizes).
TEST(PanAndScan, Boxes) {
  const struct {
    int64_t width, height;
    std::vector<std::array<int64_t, 4>> boxes;
  } cases[] = {
      {640, 512, {{0, 0, 320, 512}, {320, 0, 320, 512}}},
      {600, 512, {}},
      {700, 300, {{0, 0, 350, 300}, {350, 0, 350, 300}}},
      {300, 700, {{0, 0, 300, 350}, {0, 350, 300, 350}}},
      {1301, 300, {{0, 0, 326, 300}, {326, 0, 326, 300}, {652, 0, 326, 300}, {978, 0, 323, 300}}},
      {520, 250, {}},
      {100, 100, {}},
  };
  for (const auto& c : cases) {
    const std::vector<CropBox> boxes = PanAndScanBoxes(c.width, c.height);
    ASSERT_EQ(boxes.size(), c.boxes.size()) << c.width << "x" << c.height;
    for (size_t i = 0; i < boxes.size(); ++i) {
      const std::array<int64_t, 4> box = {boxes[i].left, boxes[i].top, boxes[i].width,
                                          boxes[i].height};
      EXPECT_EQ(box, c.boxes[i]) << c.width << "x" << c.height << " crop " << i;
    }
  }
}

}  // namespace
}  // namespace galen

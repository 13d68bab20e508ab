// What a checkpoint says of its images' preparation.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "models/gemma3/vision.h"
#include "models/tiny_models_test.h"

namespace galen {
namespace {

// The image part of a checkpoint whose folder holds these files.
Result<VisionConfig> Read(const std::string& name, const std::string& preprocessing) {
  const std::filesystem::path folder = std::filesystem::path(OwnTempDir()) / "vision_config";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  const std::string config =
      R"({"model_type": "gemma3", "mm_tokens_per_image": 4, "text_config": {},
      "vision_config": {"hidden_size": 72, "intermediate_size": 70, "num_hidden_layers": 2,
                        "num_attention_heads": 1, "image_size": 28, "patch_size": 7}})";
  std::ofstream(folder / "config.json") << config;
  if (!name.empty()) std::ofstream(folder / name) << preprocessing;
  ASSIGN_OR_RETURN(const HfConfig hf, HfConfig::Open(folder.string()));
  ModelConfig text;
  text.hidden_size = 32;
  return Gemma3VisionFromHf(hf, folder.string(), text);
}

TEST(Gemma3Preprocessing, IsReadFromEitherFile) {
  const std::string values = R"({"image_mean": [0.1, 0.2, 0.3], "image_std": [1, 2, 3]})";
  for (const bool nested : {false, true}) {
    const auto config =
        nested ? Read("processor_config.json", R"({"image_processor": )" + values + "}")
               : Read("preprocessor_config.json", values);
    ASSERT_TRUE(config.ok()) << config.status().message();
    EXPECT_EQ(config->image_mean[1], 0.2f);
    EXPECT_EQ(config->image_std[2], 3.0f);
    EXPECT_FALSE(config->pan_and_scan);
  }
  const auto none = Read("", "");
  ASSERT_TRUE(none.ok()) << none.status().message();
  EXPECT_EQ(none->image_mean[0], 0.5f);
  // A processor's own file without an image processor says nothing of images.
  EXPECT_TRUE(Read("processor_config.json", R"({"image_seq_length": 4})").ok());
}

TEST(Gemma3Preprocessing, CropsCanBeTheDefault) {
  const auto config = Read("preprocessor_config.json",
                           R"({"do_pan_and_scan": true, "pan_and_scan_max_num_crops": null})");
  ASSERT_TRUE(config.ok()) << config.status().message();
  EXPECT_TRUE(config->pan_and_scan);
  const Image wide{700, 300, 3, std::vector<uint8_t>(700 * 300 * 3, 128)};
  const auto views = MakeGemma3Processor(*config)->Prepare(wide, {});
  ASSERT_TRUE(views.ok()) << views.status().message();
  EXPECT_EQ(views->size(), 3u);
}

TEST(Gemma3Preprocessing, WhatIsNotComputedIsRefused) {
  const char* cases[][2] = {
      {R"({"do_normalize": false})", "do_normalize"},
      {R"({"do_resize": false})", "do_resize"},
      {R"({"resample": 3})", "resample"},
      {R"({"rescale_factor": 1})", "rescale_factor"},
      {R"({"size": {"height": 14, "width": 28}})", "height"},
      {R"({"image_mean": [0.5, "x", 0.5]})", "image_mean"},
      {R"({"pan_and_scan_min_crop_size": 128})", "pan_and_scan_min_crop_size"},
      {R"({"image_processor": 3})", "image_processor"},
      {"[]", "object"},
      {"{", "preprocessor_config.json"},
  };
  for (const auto& [text, says] : cases) {
    const Status status = Read("preprocessor_config.json", text).status();
    EXPECT_FALSE(status.ok()) << text;
    EXPECT_NE(status.message().find(says), std::string::npos) << status.message();
    EXPECT_NE(status.message().find("preprocessor_config.json"), std::string::npos)
        << status.message();
  }
}

}  // namespace
}  // namespace galen

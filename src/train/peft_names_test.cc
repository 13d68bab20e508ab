#include "train/peft_names.h"

#include <gtest/gtest.h>

namespace galen {
namespace {

using Names = std::vector<std::string>;

const Names kAll = {"model.layers.0.self_attn.q_proj", "model.layers.0.mlp.down_proj",
                    "model.layers.1.self_attn.q_proj", "model.layers.1.mlp.down_proj"};

TEST(PeftNames, EntriesMeanWholePathsOrEndingsAtADot) {
  EXPECT_EQ(*SelectModules(kAll, {"all-linear"}), (std::vector<bool>{true, true, true, true}));
  EXPECT_EQ(*SelectModules(kAll, {"q_proj"}), (std::vector<bool>{true, false, true, false}));
  EXPECT_EQ(*SelectModules(kAll, {"layers.1.mlp.down_proj", kAll[0]}),
            (std::vector<bool>{true, false, false, true}));
  const auto wrong = SelectModules(kAll, {"proj"});
  ASSERT_FALSE(wrong.ok());
  const auto near = SelectModules(kAll, {"q_prok"});
  ASSERT_FALSE(near.ok());
  EXPECT_NE(near.status().message().find("did you mean \"q_proj\""), std::string::npos)
      << near.status().message();
}

TEST(PeftNames, EntriesMayBeOfTheOlderGeneration) {
  const Names qwen = {"model.language_model.layers.0.mlp.up_proj",
                      "model.visual.blocks.0.attn.qkv"};
  const std::vector<bool> first = {true, false}, second = {false, true};
  for (const char* entry : {"model.layers.0.mlp.up_proj", "language_model.layers.0.mlp.up_proj",
                            "model.language_model.layers.0.mlp.up_proj", "up_proj"}) {
    EXPECT_EQ(*SelectModules(qwen, {entry}), first) << entry;
  }
  EXPECT_EQ(*SelectModules(qwen, {"visual.blocks.0.attn.qkv"}), second);
  const Names gemma = {"model.language_model.layers.0.mlp.up_proj",
                       "model.vision_tower.encoder.layers.0.mlp.fc1"};
  EXPECT_EQ(*SelectModules(gemma, {"language_model.model.layers.0.mlp.up_proj"}), first);
  EXPECT_EQ(*SelectModules(gemma, {"vision_tower.vision_model.encoder.layers.0.mlp.fc1"}), second);
  const auto hidden = SelectModules({qwen[0]}, {"visual.blocks.0.attn.qkv"});
  ASSERT_FALSE(hidden.ok());
  EXPECT_NE(hidden.status().message().find("freeze_vision_tower: false"), std::string::npos);
}

TEST(PeftNames, TheConfigurationMeansTheSameModules) {
  EXPECT_EQ(TargetModuleNames({kAll[0], kAll[2]}, kAll), Names{"q_proj"});
  EXPECT_EQ(TargetModuleNames({kAll[0]}, kAll), Names{kAll[0]});
  const Names seeing = {"model.language_model.layers.0.self_attn.q_proj"};
  EXPECT_EQ(TargetModuleNames(seeing, seeing), seeing);  // the image tower has q_proj, too
  const Names merger = {"model.visual.merger.mlp.0"};    // "0" would mean blocks.0, too
  EXPECT_EQ(TargetModuleNames(merger, {seeing[0], merger[0]}), merger);
}

}  // namespace
}  // namespace galen

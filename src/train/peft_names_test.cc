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

TEST(PeftNames, TheConfigurationMeansTheSameModules) {
  EXPECT_EQ(TargetModuleNames({kAll[0], kAll[2]}, kAll), Names{"q_proj"});
  EXPECT_EQ(TargetModuleNames({kAll[0]}, kAll), Names{kAll[0]});
  const Names seeing = {"model.language_model.layers.0.self_attn.q_proj"};
  EXPECT_EQ(TargetModuleNames(seeing, seeing), seeing);  // the image tower has q_proj, too
}

}  // namespace
}  // namespace galen

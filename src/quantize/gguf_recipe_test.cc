#include "quantize/gguf_recipe.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace galen {
namespace {

DType TypeOf(const char* recipe, const std::string& name, int64_t cols, int64_t layers,
             bool tied = true, HeadType head = HeadType::kAuto) {
  QuantizeOptions options;
  options.head = head;
  return GgufTensorType(*FindGgufRecipe(recipe), options,
                        {name, {512, cols}, DType::kBF16, layers, tied});
}

// The layers with more bits of the published Gemma 3 files: 4B (34 layers), 1B (26), 270M (18).
TEST(GgufRecipe, MixesAreLlamaCpps) {
  const std::pair<int64_t, std::set<int64_t>> expected[] = {
      {34, {0, 1, 2, 3, 6, 9, 12, 15, 18, 21, 24, 27, 29, 30, 31, 32, 33}},
      {26, {0, 1, 2, 5, 8, 11, 14, 17, 20, 22, 23, 24, 25}},
      {18, {0, 1, 4, 7, 10, 13, 15, 16, 17}}};
  for (const auto& [layers, more] : expected) {
    for (int64_t i = 0; i < layers; ++i) {
      const std::string layer = "blk." + std::to_string(i) + ".";
      const DType want = more.count(i) != 0 ? DType::kQ6_K : DType::kQ4_K;
      EXPECT_EQ(TypeOf("q4_k_m", layer + "attn_v.weight", 2560, layers), want) << layer;
      EXPECT_EQ(TypeOf("q4_k_m", layer + "ffn_down.weight", 2560, layers), want) << layer;
      EXPECT_EQ(TypeOf("q4_k_m", layer + "attn_q.weight", 2560, layers), DType::kQ4_K);
    }
  }
}

TEST(GgufRecipe, RowsThatAreNoWholeBlocksFallBack) {
  EXPECT_EQ(TypeOf("q4_k_m", "blk.5.attn_q.weight", 1152, 26), DType::kQ5_0);
  EXPECT_EQ(TypeOf("q5_k_m", "blk.5.attn_q.weight", 1152, 26), DType::kQ5_1);
  EXPECT_EQ(TypeOf("q6_k", "blk.5.attn_q.weight", 1152, 26), DType::kQ8_0);
  EXPECT_EQ(TypeOf("iq4_xs", "blk.5.attn_q.weight", 1152, 26), DType::kIQ4_NL);
  EXPECT_EQ(TypeOf("q4_0", "blk.5.attn_q.weight", 40, 26), DType::kF16);
}

TEST(GgufRecipe, HeadIsChosenApart) {
  for (const char* name : {"q4_0", "q4_k_m", "q5_1"}) {
    EXPECT_EQ(TypeOf(name, "token_embd.weight", 2560, 34), DType::kQ6_K);
    EXPECT_EQ(TypeOf(name, "token_embd.weight", 640, 18), DType::kQ8_0);
  }
  EXPECT_EQ(TypeOf("q4_0", "token_embd.weight", 2560, 34, /*tied=*/false), DType::kQ4_0);
  EXPECT_EQ(TypeOf("q4_0", "output.weight", 2560, 34, false), DType::kQ6_K);
  EXPECT_EQ(TypeOf("q4_0", "output.weight", 2560, 34, false, HeadType::kSame), DType::kQ4_0);
  EXPECT_EQ(TypeOf("q4_0", "output.weight", 2560, 34, false, HeadType::kKeep), DType::kBF16);
  EXPECT_EQ(TypeOf("q4_0", "output.weight", 2560, 34, false, HeadType::kQ8_0), DType::kQ8_0);
  EXPECT_EQ(TypeOf("bf16", "token_embd.weight", 2560, 34), DType::kBF16);
}

TEST(GgufRecipe, VectorsAndNormsStayFp32) {
  QuantizeOptions options;
  EXPECT_EQ(GgufTensorType(*FindGgufRecipe("q4_0"), options,
                           {"blk.0.attn_norm.weight", {2560}, DType::kBF16, 34, true}),
            DType::kF32);
  EXPECT_EQ(GgufTensorType(*FindGgufRecipe("bf16"), options,
                           {"blk.0.attn_q.bias", {2560}, DType::kBF16, 34, true}),
            DType::kF32);
}

}  // namespace
}  // namespace galen

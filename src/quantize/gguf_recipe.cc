#include "quantize/gguf_recipe.h"

#include <string>

namespace galen {
namespace {

constexpr GgufRecipe kRecipes[] = {
    {"q4_0", DType::kQ4_0, 2},
    {"q4_1", DType::kQ4_1, 3},
    {"q5_0", DType::kQ5_0, 8},
    {"q5_1", DType::kQ5_1, 9},
    {"q8_0", DType::kQ8_0, 7},
    {"q4_k_m", DType::kQ4_K, 15, true},
    {"q5_k_m", DType::kQ5_K, 17, true},
    {"q6_k", DType::kQ6_K, 18},
    {"iq4_nl", DType::kIQ4_NL, 25},
    {"iq4_xs", DType::kIQ4_XS, 30},
    {"bf16", DType::kBF16, 32},
    {"f16", DType::kF16, 1},
    {"f32", DType::kF32, 0},
};

// llama-quant.cpp, tensor_type_fallback.
DType Fitting(DType dtype, int64_t cols) {
  if (cols % FormatOf(dtype).block_elems == 0) return dtype;
  if (cols % 32 != 0) return DType::kF16;
  switch (dtype) {
    case DType::kQ4_K:
      return DType::kQ5_0;
    case DType::kQ5_K:
      return DType::kQ5_1;
    case DType::kQ6_K:
      return DType::kQ8_0;
    default:
      return DType::kIQ4_NL;  // iq4_xs
  }
}

// llama-quant.cpp, use_more_bits.
bool MoreBits(int64_t layer, int64_t layers) {
  return layer < layers / 8 || layer >= 7 * layers / 8 || (layer - layers / 8) % 3 == 2;
}

int64_t LayerOf(std::string_view name) {
  constexpr std::string_view kPrefix = "blk.";
  if (!name.starts_with(kPrefix)) return -1;
  int64_t layer = 0;
  for (size_t i = kPrefix.size(); i < name.size() && name[i] >= '0' && name[i] <= '9'; ++i) {
    layer = layer * 10 + (name[i] - '0');
  }
  return layer;
}

bool IsMatrix(const GgufTensorQuery& t) {
  return t.shape.size() == 2 && t.name.ends_with("weight") && !t.name.ends_with("_norm.weight") &&
         t.name.find("position_embd") == std::string_view::npos;
}

}  // namespace

std::span<const GgufRecipe> GgufRecipes() { return kRecipes; }

const GgufRecipe* FindGgufRecipe(std::string_view name) {
  for (const GgufRecipe& recipe : kRecipes) {
    if (recipe.name == name) return &recipe;
  }
  return nullptr;
}

DType GgufTensorType(const GgufRecipe& recipe, const QuantizeOptions& options,
                     const GgufTensorQuery& t) {
  const bool plain = FormatOf(recipe.base).block_elems == 1;
  if (!IsMatrix(t)) return t.shape.size() > 2 && t.source == DType::kF16 ? t.source : DType::kF32;
  const int64_t cols = t.shape.back();
  const bool vision = t.name.starts_with("v.") || t.name.starts_with("mm.");
  if (vision && options.vision == VisionType::kKeep) return t.source;
  const bool head = t.name == "output.weight" || (t.tied && t.name == "token_embd.weight");
  if (head && options.head == HeadType::kKeep) return t.source;
  if (head && options.head == HeadType::kQ8_0) return Fitting(DType::kQ8_0, cols);
  if (head && options.head == HeadType::kAuto && !plain && recipe.base != DType::kQ8_0) {
    return Fitting(DType::kQ6_K, cols);
  }
  if (recipe.more_bits &&
      (t.name.ends_with("attn_v.weight") || t.name.ends_with("ffn_down.weight")) &&
      MoreBits(LayerOf(t.name), t.num_layers)) {
    return Fitting(DType::kQ6_K, cols);
  }
  return Fitting(recipe.base, cols);
}

}  // namespace galen

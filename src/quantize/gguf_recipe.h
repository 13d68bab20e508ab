// Which type each tensor of a GGUF file gets: llama.cpp's mixes (src/llama-quant.cpp).
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "quantize/quantize.h"
#include "tensor/dtype.h"

namespace galen {

struct GgufRecipe {
  std::string_view name;  // "q4_k_m"
  DType base;
  uint32_t file_type;      // general.file_type
  bool more_bits = false;  // attn_v and ffn_down of some layers get q6_k
};

std::span<const GgufRecipe> GgufRecipes();
// Null: no such recipe.
const GgufRecipe* FindGgufRecipe(std::string_view name);

struct GgufTensorQuery {
  std::string_view name;  // GGUF's
  std::vector<int64_t> shape;
  DType source = DType::kF32;  // type in the source
  int64_t num_layers = 0;
  bool tied = false;  // the embedding table is the output head
};

// The type of a tensor. Rows that are no whole blocks take the type that llama.cpp falls back to.
DType GgufTensorType(const GgufRecipe& recipe, const QuantizeOptions& options,
                     const GgufTensorQuery& tensor);

}  // namespace galen

// Low-rank adapters (LoRA, arXiv:2106.09685) on linear layers and embedding tables: what PEFT calls
// LoRA, rsLoRA, DoRA, lora_bias, bias and modules_to_save. A layer may carry several; the base
// weight stays as it is, dense or packed.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ops/exec_context.h"
#include "ops/linear_input.h"
#include "ops/weight.h"
#include "tensor/tensor.h"

namespace galen {

struct LinearLayer;

// Adapters that one model can hold: a bit each in AdapterRun::adapters.
inline constexpr int kMaxAdapters = 64;

// What one adapter does to one layer. Terms are applied in their order, each to what the ones
// before it gave, as PEFT applies its active adapters:
//   y += scaling * (b (a x) + b_bias), and with DoRA then y *= magnitude / |W + scaling * b a|.
// A trained matrix is dense fp32 in WeightLayout::kRows with Weight::grad, a trained vector has
// VectorParam::grad.
struct LoraTerm {
  int adapter = 0;       // its number, below kMaxAdapters
  float scaling = 1.0f;  // alpha / r, or alpha / sqrt(r), times the user's scale
  Weight a{};            // [r, in]; of an embedding [vocabulary, r]. Data null: no low-rank part
  Weight b{};            // [out, r]
  VectorParam b_bias{};  // [out] or data null
  // DoRA: [out]; data null: none. norms: of the rows of W + scaling * b a, [out]; null: worked out
  // in every forward pass, as training needs it. An embedding has no DoRA.
  VectorParam magnitude{};
  const float* norms = nullptr;
  // Of x before a, where ctx.dropout_key says that this is training; the number of this place.
  float dropout = 0.0f;
  uint64_t dropout_stream = 0;
  // In place of the layer's own (modules_to_save; a trained bias); data null: the layer's own. At
  // most one of the adapters that serve a row replaces.
  Weight weight{};
  VectorParam bias{};
};

struct LoraLayer {
  std::vector<LoraTerm> terms;
};

// A table of vectors, [vocabulary, hidden].
struct EmbeddingLayer {
  Weight table;
  const LoraLayer* lora = nullptr;  // null: no adapter
};

// Rows `ids` of the table times `scale`, adapters included (their part is scaled too): [T, hidden].
Tensor EmbedRows(ExecContext& ctx, const EmbeddingLayer& layer, std::span<const int32_t> ids,
                 float scale);

// ProjectTogether (nn/layers.h) where a layer has adapters.
void ProjectAdapted(ExecContext& ctx, std::span<const LinearLayer* const> layers,
                    const LinearInput& x, std::span<Tensor> outputs);

}  // namespace galen

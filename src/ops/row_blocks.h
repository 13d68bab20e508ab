// Fused forms of an encoder block's steps over blocks of rows that stay in a core's cache, for
// inference: the rows are normalised, multiplied, activated and multiplied again without a pass
// through memory in between. Nothing is recorded on a tape.
#pragma once

#include <span>

#include "ops/exec_context.h"
#include "ops/ops.h"
#include "ops/weight.h"

namespace galen {

// Whether the steps below can multiply by all of these weights under ctx: no tape, and the kernels
// have row products for the weights' layout and type. A caller composes ops.h otherwise.
bool CanBlockRows(const ExecContext& ctx, std::span<const Weight* const> weights);

// Of the arena, which a step takes for itself at most: k values a row, `inner` those between the
// two products of an MLP.
int64_t RowBlockBytes(const KernelTable& kernels, int workers, int64_t k, int64_t inner);

// Normalisation of the rows, as a step reads them: LayerNorm, or RmsNorm if b is null.
struct RowNorm {
  VectorParam w, b;
  float eps = 0.0f;
};

// outputs[i] = norm(x) * weights[i]^T + biases[i]; outputs are allocated here.
void NormLinears(ExecContext& ctx, const Tensor& x, const RowNorm& norm,
                 std::span<const Weight* const> weights, std::span<const VectorParam* const> biases,
                 std::span<Tensor> outputs);

// y += x * w^T + bias.
void LinearAdd(ExecContext& ctx, const Tensor& x, const Weight& w, const VectorParam& bias,
               const Tensor& y);

// x += fc2(activation(fc1(norm(x)))).
struct RowMlp {
  const Weight* fc1;
  const VectorParam* fc1_bias;
  ActivationKind activation;
  const Weight* fc2;
  const VectorParam* fc2_bias;
};
void NormMlpAdd(ExecContext& ctx, const RowNorm& norm, const RowMlp& mlp, const Tensor& x);

}  // namespace galen

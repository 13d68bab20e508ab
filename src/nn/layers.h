// Parameters of the building blocks of a decoder, and the blocks themselves. A block is a plain
// function of its parameters and an activation; the context says where it runs.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>

#include "kernels/attention.h"
#include "nn/lora.h"
#include "ops/exec_context.h"
#include "ops/ops.h"
#include "ops/weight.h"

namespace galen {

struct LinearLayer {
  Weight weight;                    // [out, in]
  VectorParam bias;                 // data null: none
  const LoraLayer* lora = nullptr;  // null: no adapter
};

bool HasAdapters(std::initializer_list<const LinearLayer*> layers);

// x [T, in] through one layer: [T, out].
Tensor Project(ExecContext& ctx, const LinearLayer& layer, const LinearInput& x);
// Logits [T, vocab] of x [T, hidden]. A head without a weight multiplies by `table`, the embedding
// table that it is tied to. Invariant under ctx.invariant_head, not under ctx.batch_invariant.
Tensor OutputHead(ExecContext& ctx, const Tensor& x, const LinearLayer& head, const Weight& table);
// Several layers that share x, in one pass over the pool. outputs[i] is [T, out_i].
void ProjectTogether(ExecContext& ctx, std::initializer_list<const LinearLayer*> layers,
                     const LinearInput& x, std::span<Tensor> outputs);

struct AttentionLayer {
  LinearLayer q_proj;  // [H * D, hidden]
  LinearLayer k_proj;  // [G * D, hidden]
  LinearLayer v_proj;  // [G * D, hidden]
  LinearLayer o_proj;  // [hidden, H * D]
  // RMSNorm of each head of q and k before the rotation, [D]; data null: none.
  VectorParam q_norm;
  VectorParam k_norm;
  float norm_eps = 0.0f;
};

// What attention needs beside parameters and x; the same for all layers of one kind but for the
// pages.
struct AttentionCall {
  AttentionShape shape;
  std::span<const AttentionSpan> spans;
  bool paged = false;                   // keys and values go through the spans' pages
  Tensor cos_sin;                       // [T, D]
  const int32_t* look_ahead = nullptr;  // null or [T]
  // Rows whose output is wanted; the keys and values of all rows are kept.
  bool all_rows = true;
  std::span<const int32_t> rows;
  // ctx.adapter_runs of those rows, which stand from there on.
  std::span<const AdapterRun> adapter_runs;
};

// x [T, hidden] -> [T or rows.size(), hidden]. An empty tensor if no row is wanted.
Tensor SelfAttention(ExecContext& ctx, const AttentionLayer& layer, const AttentionCall& call,
                     const LinearInput& x);

struct GatedMlpLayer {
  LinearLayer gate_proj;  // [intermediate, hidden]
  LinearLayer up_proj;    // [intermediate, hidden]
  LinearLayer down_proj;  // [hidden, intermediate]
};

// down(act(gate(x)) * up(x)).
Tensor GatedMlp(ExecContext& ctx, const GatedMlpLayer& layer, GateKind activation,
                const LinearInput& x);

// Gives a layer's temporaries back to the arena at its end, except the one tensor that is handed
// on.
class LayerScope {
 public:
  explicit LayerScope(ExecContext& ctx) : ctx_(ctx), mark_(ctx.arena->mark()) {}
  // Ends the scope. Returns y, moved into the memory of `input`, the layer's input, which is not
  // needed any more and has room for it. A tape needs inputs and temporaries for the way back: then
  // y stays where it is.
  Tensor Keep(const Tensor& y, const Tensor& input);

 private:
  ExecContext& ctx_;
  int64_t mark_;
};

// Shows an activation to ctx.observer, as "name" or "prefix.layer.name".
void Observe(ExecContext& ctx, std::string_view name, const Tensor& x);
// The same for the input of products, which becomes a tensor if somebody looks.
LinearInput Observed(ExecContext& ctx, std::string_view name, const LinearInput& x);
void Observe(ExecContext& ctx, std::string_view prefix, int64_t layer, const Tensor& x);

}  // namespace galen

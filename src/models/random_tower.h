// An image tower of a published shape with random weights in memory, for measurements without a
// file: `galen bench --shape siglip-896`. It ends after the last normalisation; the towers of the
// models themselves read files and have what comes after it.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "models/param_spec.h"
#include "models/weight_store.h"
#include "nn/encoder.h"
#include "nn/gated_encoder.h"

namespace galen {

struct TowerShape {
  std::string_view name;
  int64_t image_size = 0;  // pixels a side
  int64_t hidden = 0, intermediate = 0, layers = 0, heads = 0;
  // > 0: Qwen2.5-VL's tower. Attention inside windows of so many patches, but for every
  // full_interval-th layer; two frames a patch; four patches merged into a token of `merged`.
  int64_t window = 0, full_interval = 0, merged = 0;

  static constexpr int64_t kPatch = 14;  // pixels a side
  int64_t side() const { return image_size / kPatch; }
  int64_t tokens() const { return side() * side(); }
  int64_t patch_values() const { return (window > 0 ? 2 : 1) * 3 * kPatch * kPatch; }
  bool full_attention(int64_t layer) const {
    return window == 0 || layer % full_interval == full_interval - 1;
  }
  // Of one image: products and attention, a multiply-add counted as two.
  double Flops() const;
  // The part of them inside attention, which int8 activations leave in bf16.
  double AttentionFlops() const;
};

// Names of the shapes, comma-separated; whether there is one of this name.
std::string_view TowerShapeNames();
bool IsTowerShape(std::string_view name);

class RandomTower {
 public:
  // Weights are bf16.
  static Result<std::unique_ptr<RandomTower>> Make(std::string_view shape,
                                                   const KernelTable& kernels, ThreadPool& pool);
  // Copies the layers with matrices of 8 bits (nn/encoder_int8.h), which Encode takes under
  // Compute::kInt8. Unsupported for Qwen2.5-VL.
  Status MakeInt8(const KernelTable& kernels, ThreadPool& pool);

  const TowerShape& shape() const { return shape_; }
  // Patches [batch * tokens, patch_values] -> [batch * tokens, hidden], or the merged tokens
  // [batch * tokens / 4, merged].
  Tensor Encode(ExecContext& ctx, const Tensor& patches, int64_t batch) const;
  // Upper bound of what Encode takes from the arena.
  int64_t ArenaBytes(int64_t batch, int workers) const;

 private:
  std::vector<ParamSpec> Specs();
  Tensor EncodeGated(ExecContext& ctx, const Tensor& patches, int64_t batch) const;

  TowerShape shape_;
  LinearLayer patch_embedding_;
  VectorParam positions_;
  std::vector<EncoderLayer> layers_, int8_layers_;
  std::vector<GatedEncoderLayer> gated_layers_;
  VectorParam last_norm_w_, last_norm_b_;
  LinearLayer merge1_, merge2_;
  WeightStore weights_;
  PageBuffer int8_weights_;
};

}  // namespace galen

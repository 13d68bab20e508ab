#include "train/train_flops.h"

#include <algorithm>

namespace galen {
namespace {

double Number(int64_t n) { return static_cast<double>(n); }

double TextFlops(const ModelConfig& c, const FlatBatch& batch, double passes) {
  const double hidden = Number(c.hidden_size);
  const double matrices =
      hidden * Number(2 * c.query_size() + 2 * c.kv_size() + 3 * c.intermediate_size);
  const auto tokens = static_cast<double>(batch.tokens.size());
  const auto labels = static_cast<double>(batch.targets.size());
  double flops = passes * matrices * Number(c.num_hidden_layers) * tokens +
                 passes * hidden * Number(c.vocab_size) * labels;
  for (int64_t layer = 0; layer < c.num_hidden_layers; ++layer) {
    double pairs = 0;
    for (const SequenceSpan& span : batch.spans) {
      const int64_t n = span.end - span.begin;
      const double window = Number(c.window(layer) == 0 ? n : std::min(n, c.window(layer)));
      pairs += window * Number(n) - 0.5 * window * window;
    }
    if (!batch.look_ahead.empty()) {
      for (const ImageRows& image : batch.images) pairs += 0.5 * Number(image.count * image.count);
    }
    flops += 12 * pairs * Number(c.num_attention_heads * c.head_dim);
  }
  return flops;
}

double TowerFlops(const VisionConfig& c, const FlatBatch& batch, double passes) {
  const double hidden = Number(c.hidden_size), layers = Number(c.num_hidden_layers);
  double flops = 0;
  const double matrices = c.any_shape() ? 3 : 2;  // of a block's MLP: gated, or not
  // Of a token that is made of several patches: two products with their values side by side.
  const double merged = hidden * Number(c.spatial_merge_size * c.spatial_merge_size);
  const double projector = c.any_shape() ? merged * (merged + Number(c.projection_dim))
                                         : hidden * Number(c.projection_dim);
  const double windowed = static_cast<double>(std::count_if(
      c.layer_is_windowed.begin(), c.layer_is_windowed.end(), [](uint8_t is) { return is != 0; }));
  const double window = c.window_size == 0 ? 0
                                           : Number(c.window_size / c.patch_size) *
                                                 Number(c.window_size / c.patch_size);
  for (const PreparedImage& view : batch.views) {
    const double patches = Number(view.grid.patches());
    flops += patches * hidden *
             ((passes - 2) * Number(c.patch_values() * c.temporal_patch_size) +  // no gradient
              passes * layers * (4 * hidden + matrices * Number(c.intermediate_size)));
    flops += passes * Number(view.tokens) * projector;
    const double seen = (layers - windowed) * patches + windowed * std::min(window, patches);
    flops += 12 * seen * patches * hidden;
  }
  return flops;
}

}  // namespace

double StepFlops(const ModelConfig& config, const FlatBatch& batch, const StepWork& work) {
  const double passes = work.full ? 6 : 4;
  return TextFlops(config, batch, passes) +
         (work.tower == nullptr ? 0 : TowerFlops(*work.tower, batch, passes));
}

}  // namespace galen

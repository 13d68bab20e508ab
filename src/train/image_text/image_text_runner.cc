#include "train/image_text/image_text_runner.h"

#include <algorithm>
#include <cmath>

#include "models/arena_bytes.h"
#include "nn/encoder.h"
#include "ops/binary_loss.h"
#include "ops/linear_gradients.h"
#include "train/train_memory.h"

namespace galen {
namespace {

// One tower's share: rows of its stack, in sequences of `length`.
struct TowerRows {
  const EncoderStackConfig* stack;
  int64_t sequences, length, in;
};

int64_t TowerBytes(const TowerRows& tower, const TrainPass& options, int64_t layers) {
  const EncoderStackConfig& stack = *tower.stack;
  EncoderTrainShape shape;
  shape.rows = tower.sequences * tower.length;
  shape.segments = tower.sequences;
  shape.longest = tower.length;
  shape.in = tower.in;
  shape.hidden = stack.hidden_size;
  shape.inner = stack.intermediate_size;
  shape.layers = layers > 0 ? layers : stack.num_hidden_layers;
  shape.heads = stack.num_attention_heads;
  shape.out = stack.hidden_size;
  shape.recompute = options.recompute;
  return EncoderTrainArena(shape, *options.kernels, options.pool->size()).total();
}

// A trained layer multiplies each matrix three times, a frozen one once; attention the same.
double TowerFlopsOf(const TowerRows& tower, int64_t layers) {
  const EncoderStackConfig& stack = *tower.stack;
  const auto all = static_cast<double>(stack.num_hidden_layers);
  const double trained = layers > 0 ? static_cast<double>(layers) : all;
  const auto rows = static_cast<double>(tower.sequences * tower.length);
  const auto hidden = static_cast<double>(stack.hidden_size);
  const double matrices = hidden * (4 * hidden + 2 * static_cast<double>(stack.intermediate_size));
  const double attention = 2 * static_cast<double>(tower.length) * hidden;
  const double passes = 6 * trained + 2 * (all - trained);
  return rows * (passes * (matrices + attention) +
                 (layers > 0 ? 2 : 4) * hidden * static_cast<double>(tower.in));
}

TowerRows ImageRowsOf(const DualEncoderConfig& config, int64_t n) {
  const VisionEncoderConfig& vision = *config.vision;
  return {&vision.stack, n, vision.patches(), vision.patch_values()};
}

TowerRows TextRowsOf(const DualEncoderConfig& config, int64_t n) {
  const TextEncoderConfig& text = *config.text;
  // Rows of two tables come in.
  return {&text.stack, n, text.max_position_embeddings, 2 * text.stack.hidden_size};
}

}  // namespace

int64_t ImageTextArenaBytes(const DualEncoder& network, const TrainPass& options, int64_t layers,
                            int64_t n) {
  const DualEncoderConfig& config = network.config();
  const int threads = options.pool->size();
  int64_t bytes = int64_t{1} << 20;
  // Pooling and what passes below trained layers take, and the gradients of the former.
  if (config.vision) {
    bytes += TowerBytes(ImageRowsOf(config, n), options, layers) +
             2 * network.ImageArenaBytes(*options.kernels, threads, n);
  }
  if (config.text) {
    bytes += TowerBytes(TextRowsOf(config, n), options, layers) +
             2 * network.TextArenaBytes(*options.kernels, threads, n);
  }
  const int64_t outputs =
      config.classifier ? static_cast<int64_t>(config.classifier->labels.size()) : n;
  const int64_t width =
      std::max(config.embedding_size, config.classifier ? config.classifier->features : int64_t{0});
  const int64_t results = n * (8 * width + 6 * outputs) * static_cast<int64_t>(sizeof(float));
  return bytes + results + 2 * LinearArenaBytes(*options.kernels, threads, n, width) +
         LinearArenaBytes(*options.kernels, threads, n, outputs) +
         LinearWeightGradientBytes(*options.kernels, threads, n, std::max(width, outputs));
}

double ImageTextFlops(const DualEncoderConfig& config, int64_t layers, int64_t n) {
  double flops = 0;
  if (config.vision) flops += TowerFlopsOf(ImageRowsOf(config, n), layers);
  if (config.text) flops += TowerFlopsOf(TextRowsOf(config, n), layers);
  if (config.classifier) {
    flops += (config.vision ? 6.0 : 4.0) * static_cast<double>(n * config.classifier->features) *
             static_cast<double>(config.classifier->labels.size());
  }
  return flops;
}

Result<ImageTextRunner> ImageTextRunner::Create(const DualEncoder& network,
                                                const ImageTextRunnerOptions& options,
                                                int64_t arena_bytes) {
  ASSIGN_OR_RETURN(Arena arena, Arena::Create(arena_bytes));
  return ImageTextRunner(network, options, std::move(arena));
}

Tensor ImageTextRunner::Patches(ExecContext& ctx, const ImageTextBatch& batch) const {
  const VisionEncoderConfig& vision = *network_->config().vision;
  const Tensor patches =
      ctx.arena->NewTensor({batch.size * vision.patches(), vision.patch_values()});
  WorkQueue queue(batch.size, 1);
  ctx.pool->Run([&](int) {
    for (int64_t i, end; queue.Next(&i, &end);) {
      options_.preparer->FillPatches(batch.images[static_cast<size_t>(i)],
                                     patches.row(i * vision.patches()));
    }
  });
  return patches;
}

Tensor ImageTextRunner::Logits(ExecContext& ctx, const ImageTextBatch& batch) const {
  const bool head = network_->config().classifier.has_value();
  const int64_t n = batch.size;
  Tensor images;
  if (!batch.vectors.empty()) {
    // The network only reads them.
    images = MakeTensor(const_cast<float*>(batch.vectors.data()),
                        {n, static_cast<int64_t>(batch.vectors.size()) / n});
  } else if (head) {
    images = network_->PoolImages(ctx, Patches(ctx, batch), n);
  } else {
    images = network_->EmbedImages(ctx, Patches(ctx, batch), n);
  }
  if (head) return network_->ClassifyPooled(ctx, images);
  const std::vector<int32_t> bounds = EqualSegments(n, static_cast<int64_t>(batch.ids.size()) / n);
  return network_->ImageTextLogits(ctx, images, network_->EmbedTexts(ctx, batch.ids, bounds));
}

Tensor ImageTextRunner::LossOfLogits(ExecContext& ctx, const ImageTextBatch& batch,
                                     const Tensor& logits, double divisor) const {
  return BinaryCrossEntropy(ctx, logits, batch.targets, options_.positive_weights, divisor);
}

double ImageTextRunner::Loss(const ImageTextBatch& batch, double divisor) {
  ExecContext ctx = NewPass(options_, &arena_);
  return LossOf(ctx, true,
                [&](ExecContext& c) { return LossOfLogits(c, batch, Logits(c, batch), divisor); });
}

double ImageTextRunner::Evaluate(const ImageTextBatch& batch, std::vector<float>* logits) {
  ExecContext ctx = NewPass(options_, &arena_);
  ctx.recompute = false;  // nothing is computed again: the fastest form
  const Tensor x = Logits(ctx, batch);
  logits->assign(x.f32(), x.f32() + x.num_elements());
  return *LossOfLogits(ctx, batch, x, 1.0).f32();
}

std::string ImageTextRunner::FirstBadActivation(const ImageTextBatch& batch) {
  ExecContext ctx = NewPass(options_, &arena_);
  Tensor x;
  const std::string first = FirstBadOf(ctx, [&](ExecContext& c) { x = Logits(c, batch); });
  if (!first.empty()) return first;
  const bool finite =
      std::all_of(x.f32(), x.f32() + x.num_elements(), [](float v) { return std::isfinite(v); });
  return finite ? "" : "logits";
}

}  // namespace galen

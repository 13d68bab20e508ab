#include "engine/dual_encoder_runner.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace galen {
namespace {

constexpr int64_t kTextBatch = 16;

std::vector<float> Copy(const Tensor& t) { return {t.f32(), t.f32() + t.num_elements()}; }

Tensor View(std::span<const float> rows, int64_t cols) {
  GALEN_CHECK(cols > 0 && static_cast<int64_t>(rows.size()) % cols == 0);
  return MakeTensor(const_cast<float*>(rows.data()),
                    {static_cast<int64_t>(rows.size()) / cols, cols});
}

}  // namespace

std::vector<double> Scores(std::span<const float> logits, ScoreKind kind) {
  std::vector<double> scores;
  if (kind == ScoreKind::kSigmoid) {
    for (const float x : logits) scores.push_back(1.0 / (1.0 + std::exp(-static_cast<double>(x))));
    return scores;
  }
  if (logits.empty()) return scores;
  const double top = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float x : logits) sum += scores.emplace_back(std::exp(x - top));
  for (double& s : scores) s /= sum;
  return scores;
}

Agreement CompareRows(std::span<const float> a, std::span<const float> b, int64_t cols) {
  GALEN_CHECK(a.size() == b.size() && cols > 0);
  const auto rows = static_cast<int64_t>(a.size()) / cols;
  Agreement agreement;
  double sum = 0;
  for (int64_t i = 0; i < rows; ++i) {
    double ab = 0, aa = 0, bb = 0;
    for (int64_t c = i * cols; c < (i + 1) * cols; ++c) {
      const double x = a[static_cast<size_t>(c)], y = b[static_cast<size_t>(c)];
      ab += x * y;
      aa += x * x;
      bb += y * y;
    }
    const double cosine = aa > 0 && bb > 0 ? ab / std::sqrt(aa * bb) : 0.0;
    agreement.least = std::min(agreement.least, cosine);
    sum += cosine;
  }
  if (rows > 0) agreement.mean = sum / static_cast<double>(rows);
  return agreement;
}

void NormalizeEmbeddings(std::span<float> rows, int64_t cols) {
  for (size_t at = 0; at < rows.size(); at += static_cast<size_t>(cols)) {
    const std::span<float> row = rows.subspan(at, static_cast<size_t>(cols));
    double squares = 0;
    for (const float x : row) squares += static_cast<double>(x) * x;
    const double norm = std::max(std::sqrt(squares), 1e-12);
    for (float& x : row) x = static_cast<float>(x / norm);
  }
}

int64_t DualEncoderRunner::ArenaBytes(const DualEncoder& model, const KernelTable& kernels,
                                      int num_threads, const DualEncoderRunnerOptions& options) {
  int64_t bytes = 0;
  if (model.config().vision) {
    bytes = model.ImageArenaBytes(kernels, num_threads, options.max_images);
  }
  if (model.config().text) {
    bytes = std::max(bytes, model.TextArenaBytes(kernels, num_threads, kTextBatch));
  }
  return bytes;
}

Result<std::unique_ptr<DualEncoderRunner>> DualEncoderRunner::Create(
    const DualEncoder& model, const KernelTable& kernels, ThreadPool& pool,
    const DualEncoderRunnerOptions& options) {
  constexpr int64_t kMaxImages = 4096;
  if (options.max_images < 1 || options.max_images > kMaxImages) {
    return InvalidArgument("a batch of " + std::to_string(options.max_images) + " images; 1.." +
                           std::to_string(kMaxImages) + " are possible");
  }
  ASSIGN_OR_RETURN(Arena arena, Arena::Create(ArenaBytes(model, kernels, pool.size(), options)));
  return std::unique_ptr<DualEncoderRunner>(
      new DualEncoderRunner(model, kernels, pool, options, std::move(arena)));
}

DualEncoderRunner::DualEncoderRunner(const DualEncoder& model, const KernelTable& kernels,
                                     ThreadPool& pool, const DualEncoderRunnerOptions& options,
                                     Arena arena)
    : model_(model),
      kernels_(kernels),
      pool_(pool),
      options_(options),
      compute_(options.compute),
      arena_(std::move(arena)) {}

ExecContext DualEncoderRunner::Context() {
  ExecContext ctx;
  ctx.kernels = &kernels_;
  ctx.pool = &pool_;
  ctx.arena = &arena_;
  ctx.compute = compute_;
  ctx.batch_invariant = options_.batch_invariant;
  return ctx;
}

Tensor DualEncoderRunner::Patches(const ImagePreparer& preparer, std::span<const Image> images) {
  GALEN_CHECK(!images.empty() && static_cast<int64_t>(images.size()) <= options_.max_images);
  const VisionEncoderConfig& vision = *model_.config().vision;
  const auto n = static_cast<int64_t>(images.size());
  const Tensor patches = arena_.NewTensor({n * vision.patches(), vision.patch_values()});
  WorkQueue queue(n, 1);
  pool_.Run([&](int) {
    for (int64_t i, end; queue.Next(&i, &end);) {
      preparer.FillPatches(images[static_cast<size_t>(i)], patches.row(i * vision.patches()));
    }
  });
  return patches;
}

std::vector<float> DualEncoderRunner::EmbedImages(const ImagePreparer& preparer,
                                                  std::span<const Image> images) {
  const ArenaScope scope(&arena_);
  ExecContext ctx = Context();
  const Tensor patches = Patches(preparer, images);
  return Copy(model_.EmbedImages(ctx, patches, static_cast<int64_t>(images.size())));
}

std::vector<float> DualEncoderRunner::ClassifyImages(const ImagePreparer& preparer,
                                                     std::span<const Image> images) {
  const ArenaScope scope(&arena_);
  ExecContext ctx = Context();
  const Tensor patches = Patches(preparer, images);
  return Copy(model_.ClassifyImages(ctx, patches, static_cast<int64_t>(images.size())));
}

std::vector<float> DualEncoderRunner::EmbedTexts(std::span<const std::vector<int32_t>> texts) {
  std::vector<float> rows;
  for (size_t first = 0; first < texts.size(); first += kTextBatch) {
    std::vector<int32_t> ids;
    std::vector<int32_t> bounds = {0};
    for (size_t i = first; i < std::min(texts.size(), first + kTextBatch); ++i) {
      ids.insert(ids.end(), texts[i].begin(), texts[i].end());
      bounds.push_back(static_cast<int32_t>(ids.size()));
    }
    const ArenaScope scope(&arena_);
    ExecContext ctx = Context();
    const std::vector<float> part = Copy(model_.EmbedTexts(ctx, ids, bounds));
    rows.insert(rows.end(), part.begin(), part.end());
  }
  return rows;
}

std::vector<float> DualEncoderRunner::ImageTextLogits(std::span<const float> images,
                                                      std::span<const float> texts) {
  const int64_t cols = model_.config().embedding_size;
  // Normalised copies of both and the logits; label lists may be far larger than a batch.
  const Tensor a = View(images, cols), b = View(texts, cols);
  const int64_t bytes = (a.num_elements() + b.num_elements() + a.rows() * b.rows()) *
                            static_cast<int64_t>(sizeof(float)) +
                        4096;
  Result<Arena> arena = Arena::Create(bytes);
  GALEN_CHECK(arena.ok());
  ExecContext ctx = Context();
  ctx.arena = &*arena;
  return Copy(model_.ImageTextLogits(ctx, a, b));
}

}  // namespace galen

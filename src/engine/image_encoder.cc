#include "engine/image_encoder.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <string>
#include <utility>

#include "engine/memory_plan.h"

namespace galen {
namespace {

int64_t BytesOf(const MediaEmbedding& embedding) {
  return static_cast<int64_t>(embedding.values.size() * sizeof(float) + sizeof(embedding));
}

// Towers for images of any shape take far larger ones than most are: their default limit of area in
// transformers (28 * 28 * 1280 pixels of 14 x 14) is what is planned for.
constexpr int64_t kUsualPatches = 5120;

int64_t PassPatches(const VisionConfig& config, const ImageEncoderOptions& options) {
  const int64_t usual =
      config.any_shape() ? std::min(kUsualPatches, config.max_patches()) : config.max_patches();
  return std::max(options.max_patches, usual);
}

bool SameGrid(const ImageGrid& a, const ImageGrid& b) {
  return a.height == b.height && a.width == b.width;
}

}  // namespace

int64_t ImageEncoder::ReservedBytes(const ImageTower& tower, const KernelTable& kernels,
                                    int num_threads, const ImageEncoderOptions& options) {
  const int64_t patches = PassPatches(tower.config(), options);
  return tower.ArenaBytes(kernels, num_threads, patches) +
         options.adapters.TowerArenaBytes(kernels, num_threads, patches);
}

ImageEncoder::ImageEncoder(const ImageTower& tower, const ImageProcessor& processor,
                           const ImageEncoderOptions& options)
    : tower_(tower), processor_(processor), options_(options), key_(RandomSipKey()) {}

Result<std::unique_ptr<ImageEncoder>> ImageEncoder::Create(const ImageTower& tower,
                                                           const ImageProcessor& processor,
                                                           const KernelTable& kernels,
                                                           ThreadPool& threads,
                                                           const ImageEncoderOptions& options) {
  std::unique_ptr<ImageEncoder> encoder(new ImageEncoder(tower, processor, options));
  encoder->ctx_.kernels = &kernels;
  encoder->ctx_.pool = &threads;
  encoder->ctx_.compute = options.compute;
  encoder->ctx_.batch_invariant = options.batch_invariant;
  RETURN_IF_ERROR(encoder->Reserve(PassPatches(tower.config(), options)));
  return encoder;
}

Status ImageEncoder::Reserve(int64_t patches) {
  if (patches <= arena_patches_) return OkStatus();
  const int64_t bytes =
      tower_.ArenaBytes(*ctx_.kernels, ctx_.pool->size(), patches) +
      options_.adapters.TowerArenaBytes(*ctx_.kernels, ctx_.pool->size(), patches);
  if (arena_patches_ > 0) {  // the first was planned for
    const int64_t available = AvailableMemory() + arena_->high_water();
    if (bytes > available) {
      return ResourceExhausted("an image of " + std::to_string(patches) + " patches needs " +
                               FormatBytes(bytes) + " of activations, " + FormatBytes(available) +
                               " are free; make it smaller with --image-tokens");
    }
  }
  arena_.reset();
  arena_patches_ = 0;
  ASSIGN_OR_RETURN(Arena arena, Arena::Create(bytes));
  arena_ = std::make_unique<Arena>(std::move(arena));
  ctx_.arena = arena_.get();
  arena_patches_ = patches;
  return OkStatus();
}

// The arithmetic is part of the identity: values of two modes differ.
Digest128 ImageEncoder::DigestOf(const PreparedImage& image) const {
  const Digest128 pixels = galen::DigestOf(key_, processor_, image);
  uint8_t bytes[sizeof(pixels) + 2];
  std::memcpy(bytes, &pixels, sizeof(pixels));
  bytes[sizeof(pixels)] = static_cast<uint8_t>(options_.compute);
  bytes[sizeof(pixels) + 1] = options_.batch_invariant ? 1 : 0;
  return SipHash128(key_, bytes);
}

ImageEncoder::Embedding ImageEncoder::Find(const Digest128& digest) {
  const auto found = entries_.find(digest);
  if (found == entries_.end()) return nullptr;
  lru_.splice(lru_.begin(), lru_, found->second);
  return *found->second;
}

void ImageEncoder::Keep(const Embedding& embedding) {
  if (BytesOf(*embedding) > options_.cache_bytes || entries_.contains(embedding->digest)) return;
  lru_.push_front(embedding);
  entries_[embedding->digest] = lru_.begin();
  cached_bytes_ += BytesOf(*embedding);
  while (cached_bytes_ > options_.cache_bytes) {
    cached_bytes_ -= BytesOf(*lru_.back());
    entries_.erase(lru_.back()->digest);
    lru_.pop_back();
  }
}

std::vector<ImageEncoder::Embedding> ImageEncoder::Run(std::span<const PreparedImage* const> images,
                                                       std::span<const Digest128> digests) {
  arena_->Rewind(0);
  const int64_t patches = images[0]->grid.patches(), values = tower_.config().patch_values();
  ImageBatch batch;
  batch.patches = arena_->NewTensor({static_cast<int64_t>(images.size()) * patches, values});
  std::vector<ImageGrid> grids(images.size());
  WorkQueue queue(static_cast<int64_t>(images.size()), 1);
  ctx_.pool->Run([&](int) {
    for (int64_t i, end; queue.Next(&i, &end);) {
      grids[i] = images[i]->grid;
      processor_.FillPatches(*images[i], batch.patches.row(i * patches));
    }
  });
  batch.grids = grids;
  std::vector<GridCorner> corners;
  if (images[0]->part) corners.resize(images.size());
  batch.corners = corners;
  const Tensor rows = tower_.Forward(ctx_, batch);
  std::vector<Embedding> result;
  int64_t first = 0;
  for (size_t i = 0; i < images.size(); ++i) {
    auto embedding = std::make_shared<MediaEmbedding>();
    embedding->digest = digests[i];
    embedding->rows = tower_.Tokens(grids[i]);
    embedding->cols = rows.cols();
    embedding->values.assign(rows.row(first), rows.row(first) + embedding->rows * embedding->cols);
    first += embedding->rows;
    result.push_back(std::move(embedding));
  }
  counters_.encoded += static_cast<int64_t>(images.size());
  return result;
}

Result<std::vector<std::shared_ptr<const MediaEmbedding>>> ImageEncoder::Encode(
    std::span<const PreparedImage* const> images) {
  std::vector<Embedding> result(images.size());
  std::vector<Digest128> digests;
  for (const PreparedImage* image : images) {
    RETURN_IF_ERROR(image->part ? tower_.CheckPart(image->grid) : tower_.CheckGrid(image->grid));
    if (tower_.Tokens(image->grid) != image->tokens) {
      return InvalidArgument("an image was prepared for " + std::to_string(image->tokens) +
                             " tokens, the tower makes " +
                             std::to_string(tower_.Tokens(image->grid)));
    }
    digests.push_back(DigestOf(*image));
  }
  for (size_t begin = 0; begin < images.size();) {
    result[begin] = Find(digests[begin]);
    if (result[begin] != nullptr) {
      ++counters_.cached;
      ++begin;
      continue;
    }
    // As many unknown images of one size as fit into a pass. The same image twice in a pass is
    // computed twice.
    const ImageGrid& grid = images[begin]->grid;
    const int64_t most =
        std::max<int64_t>(1, PassPatches(tower_.config(), options_) / grid.patches());
    size_t end = begin + 1;
    while (end < images.size() && static_cast<int64_t>(end - begin) < most &&
           SameGrid(images[end]->grid, grid) && images[end]->part == images[begin]->part &&
           Find(digests[end]) == nullptr) {
      ++end;
    }
    const auto count = end - begin;
    RETURN_IF_ERROR(Reserve(static_cast<int64_t>(count) * grid.patches()));
    std::vector<Embedding> made =
        Run(images.subspan(begin, count), std::span(digests).subspan(begin, count));
    for (size_t i = 0; i < count; ++i) {
      Keep(made[i]);
      result[begin + i] = std::move(made[i]);
    }
    begin = end;
  }
  return result;
}

// Towers show their activations after each layer: a place where nothing is under way.
void ImageEncoder::SetBetweenLayers(std::function<void()> fn) {
  between_layers_ = std::move(fn);
  observer_ = [this](std::string_view, const Tensor&) { between_layers_(); };
  ctx_.observer = between_layers_ ? &observer_ : nullptr;
}

Result<std::vector<MediaSpan>> ImageEncoder::EncodePrompt(const EncodedPrompt& prompt,
                                                          std::span<const PreparedViews> images) {
  std::vector<const PreparedImage*> views;
  for (const ImagePlace& place : prompt.places) views.push_back(&images[place.image][place.view]);
  ASSIGN_OR_RETURN(const std::vector<Embedding> embeddings, Encode(views));
  std::vector<MediaSpan> media;
  for (size_t i = 0; i < embeddings.size(); ++i) {
    const ImageGrid& tokens = views[i]->token_grid;
    media.push_back({prompt.places[i].begin, embeddings[i], processor_.bidirectional(),
                     tokens.height, tokens.width});
  }
  return media;
}

}  // namespace galen

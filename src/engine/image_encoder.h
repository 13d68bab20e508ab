// Runs a model's image tower over prepared images and keeps the results by content. Owned and
// called by one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/chat_prompt.h"
#include "engine/sequence.h"
#include "models/adapters.h"
#include "models/vision/image_processor.h"
#include "models/vision/image_tower.h"

namespace galen {

struct ImageEncoderOptions {
  Compute compute = Compute::kBf16;
  bool batch_invariant = false;
  AdapterCosts adapters;                     // of the adapters that the tower carries
  int64_t cache_bytes = int64_t{512} << 20;  // of embeddings kept; least recently used go first
  int64_t max_patches = 0;  // of one pass; 0: as many as one image of full size has
                            // (of a megapixel, where images have any shape)
};

struct ImageEncoderCounters {
  int64_t encoded = 0;  // images that went through the tower
  int64_t cached = 0;   // images that were known
};

class ImageEncoder {
 public:
  // tower, processor, kernels and threads must outlive the encoder.
  static Result<std::unique_ptr<ImageEncoder>> Create(const ImageTower& tower,
                                                      const ImageProcessor& processor,
                                                      const KernelTable& kernels,
                                                      ThreadPool& threads,
                                                      const ImageEncoderOptions& options);
  // Bytes of activations to plan for. Towers for images of any shape may take more for a large
  // image; Encode refuses it where memory lacks.
  static int64_t ReservedBytes(const ImageTower& tower, const KernelTable& kernels, int num_threads,
                               const ImageEncoderOptions& options);

  // The vectors of each image. InvalidArgument: an image that the tower cannot take;
  // ResourceExhausted: one that is too large for this machine.
  Result<std::vector<std::shared_ptr<const MediaEmbedding>>> Encode(
      std::span<const PreparedImage* const> images);
  // The images of a prompt, as Request::media wants them.
  Result<std::vector<MediaSpan>> EncodePrompt(const EncodedPrompt& prompt,
                                              std::span<const PreparedViews> images);
  // Called between the layers of a pass, from within Encode, so that other work may be done there;
  // never this encoder's own. Empty: nothing.
  void SetBetweenLayers(std::function<void()> fn);

  const ImageEncoderCounters& counters() const { return counters_; }
  int64_t cached_bytes() const { return cached_bytes_; }
  int64_t arena_high_water() const { return arena_->high_water(); }

 private:
  using Embedding = std::shared_ptr<const MediaEmbedding>;
  struct DigestHash {
    size_t operator()(const Digest128& d) const { return static_cast<size_t>(d.low); }
  };
  using Lru = std::list<Embedding>;  // most recently used first

  ImageEncoder(const ImageTower& tower, const ImageProcessor& processor,
               const ImageEncoderOptions& options);
  Digest128 DigestOf(const PreparedImage& image) const;
  Embedding Find(const Digest128& digest);
  void Keep(const Embedding& embedding);
  // Makes room for a pass of so many patches.
  Status Reserve(int64_t patches);
  // One pass of the tower over images of one grid.
  std::vector<Embedding> Run(std::span<const PreparedImage* const> images,
                             std::span<const Digest128> digests);

  const ImageTower& tower_;
  const ImageProcessor& processor_;
  const ImageEncoderOptions options_;
  const SipKey key_;
  std::unique_ptr<Arena> arena_;
  int64_t arena_patches_ = 0;  // that it has room for
  ExecContext ctx_;
  std::function<void()> between_layers_;
  std::function<void(std::string_view, const Tensor&)> observer_;
  Lru lru_;
  std::unordered_map<Digest128, Lru::iterator, DigestHash> entries_;
  int64_t cached_bytes_ = 0;
  ImageEncoderCounters counters_;
};

}  // namespace galen

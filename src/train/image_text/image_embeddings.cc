#include "train/image_text/image_embeddings.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/memory.h"
#include "tensor/arena.h"
#include "train/pass.h"
#include "train/read_image.h"

namespace galen {
namespace {

constexpr int64_t kPassPatches = 1024;  // smaller images are taken together

class EmbeddingMaker {
 public:
  EmbeddingMaker(const ImageEmbeddingsSetup& setup, const DualEncoderConfig& config)
      : s_(setup), config_(config) {
    images_ = std::max<int64_t>(kPassPatches / config.vision->patches(), 1);
  }

  Result<Digest128> Key(const Checkpoint& checkpoint) const {
    VectorKey key;
    key.Add(s_.kernels->name);
    key.Add(static_cast<uint64_t>(s_.compute));
    key.Add(static_cast<uint64_t>(s_.kind));
    for (const TensorInfo& tensor : checkpoint.tensors()) {
      if (tensor.name.starts_with("text_model.") || tensor.name.starts_with("logit_")) continue;
      key.Add(tensor.name);
      key.Add(tensor.bytes);
    }
    // What the preparer does, by what it makes of a picture.
    const VisionEncoderConfig& vision = *config_.vision;
    ASSIGN_OR_RETURN(const Image picture, s_.preparer->Fit(Pattern()));
    std::vector<float> rows(static_cast<size_t>(vision.patches() * vision.patch_values()));
    s_.preparer->FillPatches(picture, rows.data());
    key.Add(std::span(reinterpret_cast<const uint8_t*>(rows.data()), rows.size() * sizeof(float)));
    for (const std::string& path : *s_.images) RETURN_IF_ERROR(key.AddFile(path));
    return key.key();
  }

  Status Fill(VectorFile* file) {
    RETURN_IF_ERROR(Open());
    const auto total = static_cast<int64_t>(s_.images->size());
    return file->Fill(total, s_.progress, [&](int64_t first) -> Result<int64_t> {
      const int64_t count = std::min(images_, total - first);
      RETURN_IF_ERROR(Pass(first, count, file));
      return count;
    });
  }

 private:
  static Image Pattern() {
    Image image{37, 23, 3, {}};
    for (int64_t i = 0; i < 37 * 23 * 3; ++i) {
      image.pixels.push_back(static_cast<uint8_t>(i * i / 7 & 255));
    }
    return image;
  }

  Status Open() {
    int64_t arena_bytes = 0;
    OpenDualEncoderOptions open;
    open.text = false;
    open.compute = s_.compute;
    open.admit = [&](const DualEncoder& model, const WeightPlan& plan) {
      arena_bytes = model.ImageArenaBytes(*s_.kernels, s_.pool->size(), images_);
      const int64_t needed = plan.allocated() + arena_bytes;
      if (needed <= s_.available) return OkStatus();
      return ResourceExhausted("the image tower needs " + FormatBytes(needed) +
                               " while the images' vectors are made, " + FormatBytes(s_.available) +
                               " are free");
    };
    ASSIGN_OR_RETURN(loaded_, OpenDualEncoder(s_.model, open, *s_.kernels, *s_.pool));
    ASSIGN_OR_RETURN(arena_, Arena::Create(arena_bytes));
    return OkStatus();
  }

  Status Pass(int64_t first, int64_t count, VectorFile* file) {
    const VisionEncoderConfig& vision = *config_.vision;
    ExecContext ctx = NewPass({s_.kernels, s_.pool, s_.compute}, &*arena_);
    const Tensor patches = arena_->NewTensor({count * vision.patches(), vision.patch_values()});
    std::vector<Status> read(static_cast<size_t>(count));
    WorkQueue queue(count, 1);
    s_.pool->Run([&](int) {
      for (int64_t i, end; queue.Next(&i, &end);) {
        const std::string& path = (*s_.images)[static_cast<size_t>(first + i)];
        read[static_cast<size_t>(i)] = Prepare(path, patches.row(i * vision.patches()));
      }
    });
    for (size_t i = 0; i < read.size(); ++i) {
      // Its name may be about a patient.
      const int64_t number = first + static_cast<int64_t>(i) + 1;
      RETURN_IF_ERROR(read[i].WithContext("image " + std::to_string(number) + " of " +
                                          std::to_string(s_.images->size())));
    }
    const Tensor rows = s_.kind == ImageVector::kMean
                            ? loaded_.model->PoolImages(ctx, patches, count)
                            : loaded_.model->EmbedImages(ctx, patches, count);
    return file->Write(first, count, rows.data);
  }

  Status Prepare(const std::string& path, float* rows) const {
    ASSIGN_OR_RETURN(const Image image, ReadUnnamedImage(path));
    ASSIGN_OR_RETURN(const Image fitted, s_.preparer->Fit(image));
    s_.preparer->FillPatches(fitted, rows);
    return OkStatus();
  }

  const ImageEmbeddingsSetup& s_;
  const DualEncoderConfig& config_;
  int64_t images_ = 1;  // of a pass
  LoadedDualEncoder loaded_;
  std::optional<Arena> arena_;
};

}  // namespace

Result<VectorFile> MakeImageEmbeddings(const ImageEmbeddingsSetup& setup, int64_t* made) {
  ASSIGN_OR_RETURN(const DualEncoderFiles files, ReadDualEncoder(setup.model));
  EmbeddingMaker maker(setup, files.config);
  ASSIGN_OR_RETURN(const Digest128 key, maker.Key(*files.checkpoint));
  const int64_t cols = setup.kind == ImageVector::kMean ? files.config.vision->stack.hidden_size
                                                        : files.config.embedding_size;
  ASSIGN_OR_RETURN(VectorFile file, VectorFile::Open(setup.path, key, cols));
  *made = std::max<int64_t>(static_cast<int64_t>(setup.images->size()) - file.done(), 0);
  if (*made > 0) RETURN_IF_ERROR(maker.Fill(&file));
  return file;
}

}  // namespace galen

#include "train/frozen_images.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "base/memory.h"
#include "data/shuffle.h"
#include "models/param_sources.h"

namespace galen {
namespace {

constexpr int64_t kLeastPassPatches = 1024;  // smaller images are taken together

Result<Digest128> KeyOf(const FrozenImagesSetup& setup) {
  VectorKey key;
  key.Add(setup.kernels->name);
  key.Add(static_cast<uint64_t>(setup.compute));
  key.Add(setup.images->processor().version());
  if (setup.images->parts()) key.Add(setup.seed);
  const std::unique_ptr<ImageTower> sketch =
      setup.files->architecture->vision->make_tower(setup.files->vision);
  const std::vector<ParamSpec> specs = sketch->Params();
  ASSIGN_OR_RETURN(const ParamSources sources,
                   FindParams(*setup.files->vision_checkpoint, specs, VisionScope()));
  for (const ParamSource& source : sources.params) key.Add(source.tensor.bytes);
  for (const std::string* path : setup.images->paths()) {
    RETURN_IF_ERROR(key.AddFile(*path));
    for (const PreparedImage& view : *setup.images->Find(*path)) {
      key.Add(static_cast<uint64_t>(view.grid.height << 32 | view.grid.width));
    }
  }
  return key.key();
}

}  // namespace

// The passes of the tower.
class FrozenImages::Maker {
 public:
  Maker(const FrozenImagesSetup& setup, FrozenImages* images) : s_(setup), images_(images) {}

  Status Run();

 private:
  struct View {
    const std::string* path;
    size_t view;
    const PreparedImage* shape;
  };
  Status Open();
  std::vector<View> NextPass(size_t first) const;
  Status Pass(std::span<const View> views);

  const FrozenImagesSetup& s_;
  FrozenImages* images_;
  std::vector<View> views_;
  LoadedTower loaded_;
  std::optional<Arena> arena_;
  int64_t pass_patches_ = 0;
  int64_t row_ = 0;  // of the next view
};

Status FrozenImages::Maker::Open() {
  pass_patches_ = kLeastPassPatches;
  for (const View& view : views_) {
    pass_patches_ = std::max(pass_patches_, view.shape->grid.patches());
  }
  int64_t arena_bytes = 0;
  const auto admit = [&](const WeightPlan& plan, const ImageTower& tower) {
    arena_bytes = tower.ArenaBytes(*s_.kernels, s_.pool->size(), pass_patches_);
    const int64_t needed = plan.allocated() + arena_bytes;
    if (needed <= s_.available) return OkStatus();
    return ResourceExhausted(
        "the image tower needs " + FormatBytes(needed) + " while the images' vectors are made, " +
        FormatBytes(s_.available) + " are free; " +
        (tower.config().any_shape() ? "max_pixels makes" : "image_tokens makes") +
        " images smaller");
  };
  ASSIGN_OR_RETURN(loaded_,
                   OpenTower(*s_.files, WeightUse::kInference, *s_.kernels, *s_.pool, admit));
  ASSIGN_OR_RETURN(arena_, Arena::Create(arena_bytes));
  return OkStatus();
}

// As many views of one size as fit into a pass.
std::vector<FrozenImages::Maker::View> FrozenImages::Maker::NextPass(size_t first) const {
  std::vector<View> pass;
  const ImageGrid& grid = views_[first].shape->grid;
  int64_t patches = 0;
  for (size_t i = first; i < views_.size(); ++i) {
    const ImageGrid& other = views_[i].shape->grid;
    patches += other.patches();
    const bool same = other.height == grid.height && other.width == grid.width;
    if (!pass.empty() && (!same || patches > pass_patches_)) break;
    pass.push_back(views_[i]);
  }
  return pass;
}

Status FrozenImages::Maker::Pass(std::span<const View> views) {
  const auto count = static_cast<int64_t>(views.size());
  const int64_t patches = views[0].shape->grid.patches();
  arena_->Rewind(0);
  ImageBatch batch;
  batch.patches = arena_->NewTensor({count * patches, loaded_.tower->config().patch_values()});
  std::vector<ImageGrid> grids(views.size(), views[0].shape->grid);
  std::vector<GridCorner> corners;
  std::vector<Status> read(views.size());
  WorkQueue queue(count, 1);
  s_.pool->Run([&](int) {
    for (int64_t i, end; queue.Next(&i, &end);) {
      const View& view = views[static_cast<size_t>(i)];
      const Result<PreparedViews> all = s_.images->Read(*view.path);
      Status& status = read[static_cast<size_t>(i)];
      status = all.status();
      if (!status.ok()) continue;
      if (view.view >= all->size() || (*all)[view.view].grid.patches() != patches) {
        status = DataLoss("has another size than when the run began");
        continue;
      }
      s_.images->processor().FillPatches((*all)[view.view], batch.patches.row(i * patches));
    }
  });
  for (size_t i = 0; i < views.size(); ++i) {
    RETURN_IF_ERROR(read[i].WithContext(*views[i].path));
    if (!s_.images->parts()) continue;
    const uint64_t place = images_->places_.at(*views[i].path).first_row;
    corners.push_back(s_.images->Corner(*views[i].shape, Mix64(s_.seed) + place));
  }
  batch.grids = grids;
  batch.corners = corners;
  ExecContext ctx;
  ctx.kernels = s_.kernels;
  ctx.pool = s_.pool;
  ctx.arena = &*arena_;
  ctx.compute = s_.compute;
  ctx.batch_invariant = true;
  const Tensor rows = loaded_.tower->Forward(ctx, batch);
  RETURN_IF_ERROR(images_->file_.Write(row_, rows.rows(), rows.data));
  row_ += rows.rows();
  return OkStatus();
}

Status FrozenImages::Maker::Run() {
  for (const std::string* path : s_.images->paths()) {
    const PreparedViews& all = *s_.images->Find(*path);
    for (size_t v = 0; v < all.size(); ++v) views_.push_back({path, v, &all[v]});
  }
  const auto total = static_cast<int64_t>(views_.size());
  const int64_t done = images_->file_.done();
  if (done >= total) return OkStatus();
  RETURN_IF_ERROR(Open());
  for (int64_t i = 0; i < done; ++i) row_ += views_[static_cast<size_t>(i)].shape->tokens;
  images_->made_ = total - done;
  return images_->file_.Fill(total, s_.progress, [this](int64_t first) -> Result<int64_t> {
    const std::vector<View> pass = NextPass(static_cast<size_t>(first));
    RETURN_IF_ERROR(Pass(pass));
    return static_cast<int64_t>(pass.size());
  });
}

Result<FrozenImages> FrozenImages::Make(const FrozenImagesSetup& setup) {
  FrozenImages images;
  for (const std::string* path : setup.images->paths()) {
    const PreparedViews* views = setup.images->Find(*path);
    images.places_[*path] = {images.rows_, views};
    for (const PreparedImage& view : *views) images.rows_ += view.tokens;
  }
  ASSIGN_OR_RETURN(const Digest128 key, KeyOf(setup));
  ASSIGN_OR_RETURN(images.file_,
                   VectorFile::Open(setup.path, key, setup.files->vision.projection_dim));
  Maker maker(setup, &images);
  RETURN_IF_ERROR(maker.Run());
  return images;
}

Status FrozenImages::Read(const std::string& path, size_t view, float* vectors) const {
  const auto found = places_.find(path);
  GALEN_CHECK(found != places_.end() && view < found->second.views->size());
  int64_t row = found->second.first_row;
  for (size_t v = 0; v < view; ++v) row += (*found->second.views)[v].tokens;
  return file_.Read(row, (*found->second.views)[view].tokens, vectors);
}

}  // namespace galen

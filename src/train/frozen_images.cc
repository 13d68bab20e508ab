#include "train/frozen_images.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "base/memory.h"
#include "base/siphash.h"
#include "data/shuffle.h"
#include "models/param_sources.h"

namespace galen {
namespace {

// File: this header, then rows of floats.
struct Header {
  std::array<char, 8> magic;
  Digest128 key;  // of tower, images and arithmetic
  int64_t views;  // that are there, from the first on
};
constexpr std::array<char, 8> kMagic = {'G', 'A', 'L', 'E', 'N', 'I', 'M', '1'};
constexpr int64_t kHeaderBytes = 64;
static_assert(sizeof(Header) <= kHeaderBytes);
constexpr SipKey kKey = {0x67616c656e, 0x696d61676573};
constexpr int64_t kLeastPassPatches = 1024;  // smaller images are taken together
constexpr double kSecondsBetweenSyncs = 5;

Status Failed(const char* what, const std::string& path) {
  return IoError(std::string(what) + " " + path + ": " + std::strerror(errno));
}

Status WriteAt(int fd, const void* data, int64_t n, int64_t offset, const std::string& path) {
  const auto* bytes = static_cast<const uint8_t*>(data);
  while (n > 0) {
    const ssize_t written = ::pwrite(fd, bytes, static_cast<size_t>(n), offset);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return Failed("cannot write", path);
    bytes += written;
    n -= written;
    offset += written;
  }
  return OkStatus();
}

Status ReadAt(int fd, void* data, int64_t n, int64_t offset) {
  auto* bytes = static_cast<uint8_t*>(data);
  while (n > 0) {
    const ssize_t got = ::pread(fd, bytes, static_cast<size_t>(n), offset);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return DataLoss("the file of image vectors is shorter than it was");
    bytes += got;
    n -= got;
    offset += got;
  }
  return OkStatus();
}

// A digest of everything that the vectors depend on.
class KeyMaker {
 public:
  void Add(std::span<const uint8_t> bytes) {
    const Digest128 d = SipHash128(kKey, bytes);
    const uint64_t both[] = {key_.low, key_.high, d.low, d.high, bytes.size()};
    key_ = SipHash128(kKey, {reinterpret_cast<const uint8_t*>(both), sizeof(both)});
  }
  void Add(std::string_view text) {
    Add(std::span(reinterpret_cast<const uint8_t*>(text.data()), text.size()));
  }
  void Add(uint64_t number) {
    Add(std::span(reinterpret_cast<const uint8_t*>(&number), sizeof(number)));
  }
  const Digest128& key() const { return key_; }

 private:
  Digest128 key_;
};

Result<Digest128> KeyOf(const FrozenImagesSetup& setup) {
  KeyMaker key;
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
    struct stat info = {};
    if (::stat(path->c_str(), &info) != 0) return Failed("cannot read", *path);
    key.Add(*path);
    key.Add(static_cast<uint64_t>(info.st_size));
    key.Add(static_cast<uint64_t>(info.st_mtim.tv_sec) * 1000000007u +
            static_cast<uint64_t>(info.st_mtim.tv_nsec));
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

  Status Run(const Digest128& key, int64_t done);

 private:
  struct View {
    const std::string* path;
    size_t view;
    const PreparedImage* shape;
  };
  Status Open();
  std::vector<View> NextPass(size_t first) const;
  Status Pass(std::span<const View> views);
  Status Commit(const Digest128& key, int64_t done);

  const FrozenImagesSetup& s_;
  FrozenImages* images_;
  std::vector<View> views_;
  LoadedTower loaded_;
  std::optional<Arena> arena_;
  int64_t pass_patches_ = 0;
  int64_t row_ = 0;  // of the next view
};

Status FrozenImages::Maker::Open() {
  pass_patches_ = std::max(s_.files->vision.max_patches(), kLeastPassPatches);
  int64_t arena_bytes = 0;
  const auto admit = [&](const WeightPlan& plan, const ImageTower& tower) {
    arena_bytes = tower.ArenaBytes(*s_.kernels, s_.pool->size(), pass_patches_);
    const int64_t needed = plan.allocated() + arena_bytes;
    if (needed <= s_.available) return OkStatus();
    return ResourceExhausted("the image tower needs " + FormatBytes(needed) +
                             " while the images' vectors are made, " + FormatBytes(s_.available) +
                             " are free");
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
  const int64_t row_bytes = rows.cols() * static_cast<int64_t>(sizeof(float));
  RETURN_IF_ERROR(WriteAt(images_->fd_, rows.data, rows.rows() * row_bytes,
                          kHeaderBytes + row_ * row_bytes, s_.path));
  row_ += rows.rows();
  return OkStatus();
}

// What the header counts is on the disk.
Status FrozenImages::Maker::Commit(const Digest128& key, int64_t done) {
  if (::fdatasync(images_->fd_) != 0) return Failed("cannot finish writing", s_.path);
  const Header header = {kMagic, key, done};
  return WriteAt(images_->fd_, &header, sizeof(header), 0, s_.path);
}

Status FrozenImages::Maker::Run(const Digest128& key, int64_t done) {
  for (const std::string* path : s_.images->paths()) {
    const PreparedViews& all = *s_.images->Find(*path);
    for (size_t v = 0; v < all.size(); ++v) views_.push_back({path, v, &all[v]});
  }
  const auto total = static_cast<int64_t>(views_.size());
  if (done >= total) return OkStatus();
  RETURN_IF_ERROR(Open());
  for (int64_t i = 0; i < done; ++i) row_ += views_[static_cast<size_t>(i)].shape->tokens;
  const auto now = [] { return std::chrono::steady_clock::now().time_since_epoch(); };
  auto synced = now();
  images_->made_ = total - done;
  while (done < total) {
    if (s_.progress != nullptr && !s_.progress(done, total)) {
      RETURN_IF_ERROR(Commit(key, done));
      return Cancelled("stopped while the images' vectors were made; continue with --resume");
    }
    const std::vector<View> pass = NextPass(static_cast<size_t>(done));
    RETURN_IF_ERROR(Pass(pass));
    done += static_cast<int64_t>(pass.size());
    if (done < total &&
        std::chrono::duration<double>(now() - synced).count() < kSecondsBetweenSyncs)
      continue;
    RETURN_IF_ERROR(Commit(key, done));
    synced = now();
  }
  return OkStatus();
}

FrozenImages::~FrozenImages() {
  if (fd_ >= 0) ::close(fd_);
}
FrozenImages::FrozenImages(FrozenImages&& other) noexcept { *this = std::move(other); }
FrozenImages& FrozenImages::operator=(FrozenImages&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(places_, other.places_);
  cols_ = other.cols_, rows_ = other.rows_, made_ = other.made_;
  return *this;
}

Result<FrozenImages> FrozenImages::Make(const FrozenImagesSetup& setup) {
  FrozenImages images;
  images.cols_ = setup.files->vision.projection_dim;
  for (const std::string* path : setup.images->paths()) {
    const PreparedViews* views = setup.images->Find(*path);
    images.places_[*path] = {images.rows_, views};
    for (const PreparedImage& view : *views) images.rows_ += view.tokens;
  }
  ASSIGN_OR_RETURN(const Digest128 key, KeyOf(setup));
  images.fd_ = ::open(setup.path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (images.fd_ < 0) return Failed("cannot create", setup.path);
  Header header = {};
  int64_t done = 0;
  if (ReadAt(images.fd_, &header, sizeof(header), 0).ok() && header.magic == kMagic &&
      header.key == key) {
    done = std::max<int64_t>(header.views, 0);
  } else if (::ftruncate(images.fd_, 0) != 0) {
    return Failed("cannot write", setup.path);
  }
  Maker maker(setup, &images);
  RETURN_IF_ERROR(maker.Run(key, done));
  return images;
}

int64_t FrozenImages::file_bytes() const {
  return kHeaderBytes + rows_ * cols_ * static_cast<int64_t>(sizeof(float));
}

Status FrozenImages::Read(const std::string& path, size_t view, float* vectors) const {
  const auto found = places_.find(path);
  GALEN_CHECK(found != places_.end() && view < found->second.views->size());
  int64_t row = found->second.first_row;
  for (size_t v = 0; v < view; ++v) row += (*found->second.views)[v].tokens;
  const int64_t row_bytes = cols_ * static_cast<int64_t>(sizeof(float));
  return ReadAt(fd_, vectors, (*found->second.views)[view].tokens * row_bytes,
                kHeaderBytes + row * row_bytes);
}

}  // namespace galen

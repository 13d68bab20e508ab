#include "train/vector_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

namespace galen {
namespace {

// File: this header, then rows of floats.
struct Header {
  std::array<char, 8> magic;
  Digest128 key;
  int64_t done;  // inputs that are there, from the first on
};
constexpr std::array<char, 8> kMagic = {'G', 'A', 'L', 'E', 'N', 'I', 'M', '1'};
constexpr int64_t kHeaderBytes = 64;
static_assert(sizeof(Header) <= kHeaderBytes);
constexpr SipKey kKey = {0x67616c656e, 0x696d61676573};
constexpr double kSecondsBetweenSyncs = 5;

Status VectorFailure(const char* what, const std::string& path) {
  return IoError(std::string(what) + " " + path + ": " + std::strerror(errno));
}

Status WriteAt(int fd, const void* data, int64_t n, int64_t offset, const std::string& path) {
  const auto* bytes = static_cast<const uint8_t*>(data);
  while (n > 0) {
    const ssize_t written = ::pwrite(fd, bytes, static_cast<size_t>(n), offset);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return VectorFailure("cannot write", path);
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

}  // namespace

void VectorKey::Add(std::span<const uint8_t> bytes) {
  const Digest128 d = SipHash128(kKey, bytes);
  const uint64_t both[] = {key_.low, key_.high, d.low, d.high, bytes.size()};
  key_ = SipHash128(kKey, {reinterpret_cast<const uint8_t*>(both), sizeof(both)});
}

void VectorKey::Add(std::string_view text) {
  Add(std::span(reinterpret_cast<const uint8_t*>(text.data()), text.size()));
}

void VectorKey::Add(uint64_t number) {
  Add(std::span(reinterpret_cast<const uint8_t*>(&number), sizeof(number)));
}

Status VectorKey::AddFile(const std::string& path) {
  struct stat info = {};
  if (::stat(path.c_str(), &info) != 0) return VectorFailure("cannot read", path);
  Add(path);
  Add(static_cast<uint64_t>(info.st_size));
  Add(static_cast<uint64_t>(info.st_mtim.tv_sec) * 1000000007u +
      static_cast<uint64_t>(info.st_mtim.tv_nsec));
  return OkStatus();
}

VectorFile::~VectorFile() {
  if (fd_ >= 0) ::close(fd_);
}
VectorFile::VectorFile(VectorFile&& other) noexcept { *this = std::move(other); }
VectorFile& VectorFile::operator=(VectorFile&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(path_, other.path_);
  key_ = other.key_, cols_ = other.cols_, done_ = other.done_;
  return *this;
}

Result<VectorFile> VectorFile::Open(const std::string& path, const Digest128& key, int64_t cols) {
  VectorFile file;
  file.path_ = path;
  file.key_ = key;
  file.cols_ = cols;
  file.fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file.fd_ < 0) return VectorFailure("cannot create", path);
  Header header = {};
  if (ReadAt(file.fd_, &header, sizeof(header), 0).ok() && header.magic == kMagic &&
      header.key == key) {
    file.done_ = std::max<int64_t>(header.done, 0);
  } else if (::ftruncate(file.fd_, 0) != 0) {
    return VectorFailure("cannot write", path);
  }
  return file;
}

// What the header counts is on the disk.
Status VectorFile::Commit(int64_t done) {
  done_ = done;
  if (::fdatasync(fd_) != 0) return VectorFailure("cannot finish writing", path_);
  const Header header = {kMagic, key_, done};
  return WriteAt(fd_, &header, sizeof(header), 0, path_);
}

Status VectorFile::Fill(int64_t total, const ReadProgress& progress,
                        const std::function<Result<int64_t>(int64_t first)>& pass) {
  const auto now = [] { return std::chrono::steady_clock::now().time_since_epoch(); };
  auto synced = now();
  for (int64_t done = done_; done < total;) {
    if (progress != nullptr && !progress(done, total)) {
      RETURN_IF_ERROR(Commit(done));
      return Cancelled("stopped while the images' vectors were made; continue with --resume");
    }
    ASSIGN_OR_RETURN(const int64_t count, pass(done));
    done += count;
    if (done < total &&
        std::chrono::duration<double>(now() - synced).count() < kSecondsBetweenSyncs) {
      continue;
    }
    RETURN_IF_ERROR(Commit(done));
    synced = now();
  }
  return OkStatus();
}

Status VectorFile::Write(int64_t first_row, int64_t rows, const void* floats) {
  const int64_t row_bytes = cols_ * static_cast<int64_t>(sizeof(float));
  return WriteAt(fd_, floats, rows * row_bytes, kHeaderBytes + first_row * row_bytes, path_);
}

Status VectorFile::Read(int64_t first_row, int64_t rows, float* floats) const {
  const int64_t row_bytes = cols_ * static_cast<int64_t>(sizeof(float));
  return ReadAt(fd_, floats, rows * row_bytes, kHeaderBytes + first_row * row_bytes);
}

int64_t VectorFile::BytesOf(int64_t rows) const {
  return kHeaderBytes + rows * cols_ * static_cast<int64_t>(sizeof(float));
}

}  // namespace galen

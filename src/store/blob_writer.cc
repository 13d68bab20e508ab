#include "store/blob_writer.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "base/output_file.h"

namespace galen {
namespace {

constexpr size_t kPiece = size_t{1} << 20;

}  // namespace

Result<BlobWriter> BlobWriter::Create(const ModelStore& store, const Cancel& cancelled) {
  std::string path = store.root() + "/blobs/import-XXXXXX";
  Fd file(::mkostemp(path.data(), O_CLOEXEC));
  if (file.fd < 0) return SystemError("cannot create a file in", store.root() + "/blobs");
  BlobWriter writer(store, std::move(path), std::move(file));
  ASSIGN_OR_RETURN(const bool locked, WaitForLock(writer.file_.fd, writer.path_, cancelled));
  if (!locked) return Cancelled("stopped");
  return writer;
}

BlobWriter::BlobWriter(BlobWriter&& other) noexcept
    : store_(other.store_),
      path_(std::exchange(other.path_, "")),
      file_(std::move(other.file_)),
      digest_(std::move(other.digest_)),
      size_(other.size_) {}

BlobWriter::~BlobWriter() {
  if (!path_.empty()) ::unlink(path_.c_str());
}

Status BlobWriter::Add(std::span<const uint8_t> bytes) {
  for (size_t at = 0; at < bytes.size();) {
    const ssize_t n = ::write(file_.fd, bytes.data() + at, bytes.size() - at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return SystemError("cannot write", path_);
    at += static_cast<size_t>(n);
  }
  digest_.Add(bytes);
  size_ += static_cast<int64_t>(bytes.size());
  return OkStatus();
}

Result<std::string> BlobWriter::Finish(const std::string& expected) {
  std::string sha256 = digest_.Hex();
  if (!expected.empty() && sha256 != expected) {
    return DataLoss("the content has the SHA-256 " + sha256 + ", not " + expected +
                    "; it was thrown away");
  }
  if (store_.HasBlob(sha256, size_)) return sha256;
  if (::fsync(file_.fd) != 0) return SystemError("cannot write", path_);
  ::fchmod(file_.fd, 0444);
  const std::string blob = store_.BlobPath(sha256);
  if (::rename(path_.c_str(), blob.c_str()) != 0) return SystemError("cannot name", blob);
  path_.clear();
  RETURN_IF_ERROR(SyncDirectory(store_.root() + "/blobs"));
  return sha256;
}

Result<StoredFile> WriteBlob(const ModelStore& store, std::string_view text) {
  ASSIGN_OR_RETURN(BlobWriter writer, BlobWriter::Create(store));
  RETURN_IF_ERROR(writer.Add({reinterpret_cast<const uint8_t*>(text.data()), text.size()}));
  StoredFile file;
  file.size = writer.size();
  ASSIGN_OR_RETURN(file.sha256, writer.Finish());
  return file;
}

Result<StoredFile> CopyToBlob(const ModelStore& store, const std::string& path,
                              const OnBytes& on_bytes, const Cancel& cancelled) {
  const Fd from(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (from.fd < 0) return SystemError("cannot open", path);
  ASSIGN_OR_RETURN(BlobWriter writer, BlobWriter::Create(store, cancelled));
  std::vector<uint8_t> piece(kPiece);
  while (true) {
    const ssize_t n = ::read(from.fd, piece.data(), piece.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return SystemError("cannot read", path);
    if (n == 0) break;
    RETURN_IF_ERROR(writer.Add({piece.data(), static_cast<size_t>(n)}));
    if (on_bytes && !on_bytes(n)) return Cancelled("stopped");
  }
  StoredFile file;
  file.size = writer.size();
  ASSIGN_OR_RETURN(file.sha256, writer.Finish());
  return file;
}

}  // namespace galen

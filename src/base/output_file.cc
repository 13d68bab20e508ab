#include "base/output_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace galen {
namespace {

Status OutputError(const std::string& what, const std::string& path, int64_t size = 0) {
  const int error = errno;
  const std::string message = what + " " + path + ": " + std::strerror(error);
  if (error == ENOSPC || error == EDQUOT || error == EFBIG) {
    return ResourceExhausted(message +
                             (size > 0 ? " (" + std::to_string(size) + " bytes needed)" : "") +
                             "; make room or write to another place");
  }
  return error == ENOENT ? NotFound(message) : IoError(message);
}

std::string ParentOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

OutputFile::OutputFile(OutputFile&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::exchange(other.temporary_, {})),
      fd_(std::exchange(other.fd_, -1)) {}

OutputFile& OutputFile::operator=(OutputFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(temporary_, other.temporary_);
  std::swap(fd_, other.fd_);
  return *this;
}

OutputFile::~OutputFile() {
  if (fd_ >= 0) ::close(fd_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

Result<OutputFile> OutputFile::Create(const std::string& path, int64_t size) {
  OutputFile file;
  file.path_ = path;
  const std::string temporary = path + ".tmp." + std::to_string(::getpid());
  file.fd_ = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file.fd_ < 0) return OutputError("cannot create", temporary);
  file.temporary_ = temporary;
  if (size > 0 && ::fallocate(file.fd_, 0, 0, size) != 0 && errno != EOPNOTSUPP &&
      errno != ENOSYS) {
    return OutputError("cannot reserve room for", path, size);
  }
  return file;
}

Status OutputFile::WriteAt(int64_t offset, std::span<const uint8_t> bytes) const {
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t n = ::pwrite(fd_, bytes.data() + done, bytes.size() - done,
                               offset + static_cast<int64_t>(done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return OutputError("cannot write", path_);
    done += static_cast<size_t>(n);
  }
  return OkStatus();
}

Status OutputFile::SetSize(int64_t size) const {
  return ::ftruncate(fd_, size) == 0 ? OkStatus() : OutputError("cannot write", path_, size);
}

Status OutputFile::Commit() {
  if (::fsync(fd_) != 0) return OutputError("cannot finish writing", path_);
  if (::close(std::exchange(fd_, -1)) != 0) return OutputError("cannot finish writing", path_);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0)
    return OutputError("cannot give its name to", path_);
  temporary_.clear();
  return SyncDirectory(ParentOf(path_));
}

Status SyncDirectory(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return OutputError("cannot open", path);
  // Some file systems cannot sync a directory; the rename is as durable there as they make it.
  const bool failed = ::fsync(fd) != 0 && errno != EINVAL && errno != EROFS;
  const Status status = failed ? OutputError("cannot sync", path) : OkStatus();
  ::close(fd);
  return status;
}

}  // namespace galen

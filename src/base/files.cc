#include "base/files.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "base/builtin_files.h"

#include "base/fd.h"

namespace galen {
namespace {

Status SystemError(const std::string& what, const std::string& path) {
  const int error = errno;
  const std::string message = what + " " + path + ": " + std::strerror(error);
  return error == ENOENT ? NotFound(message) : IoError(message);
}

Status NoSuchBuiltin(const std::string& path) {
  return NotFound("cannot open " + path + ": the program has no such file in it");
}

Status TooLarge(const std::string& path, size_t max_bytes) {
  return ResourceExhausted(path + " is larger than the limit of " + std::to_string(max_bytes) +
                           " bytes");
}

}  // namespace

Result<std::shared_ptr<MappedFile>> MappedFile::Open(const std::string& path) {
  if (IsBuiltinPath(path)) {
    const std::optional<std::span<const uint8_t>> bytes = FindBuiltinFile(path);
    if (!bytes) return NoSuchBuiltin(path);
    std::shared_ptr<MappedFile> builtin(new MappedFile());
    builtin->path_ = path;
    builtin->data_ = bytes->data();
    builtin->size_ = bytes->size();
    return builtin;
  }
  Fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.fd < 0) return SystemError("cannot open", path);
  struct stat info;
  if (::fstat(file.fd, &info) != 0) return SystemError("cannot stat", path);
  if (!S_ISREG(info.st_mode)) return InvalidArgument(path + " is not a regular file");
  std::shared_ptr<MappedFile> mapped(new MappedFile());
  mapped->path_ = path;
  mapped->size_ = static_cast<size_t>(info.st_size);
  if (mapped->size_ > 0) {
    void* data = ::mmap(nullptr, mapped->size_, PROT_READ, MAP_PRIVATE, file.fd, 0);
    if (data == MAP_FAILED) return SystemError("cannot map", path);
    mapped->data_ = static_cast<const uint8_t*>(data);
  }
  return mapped;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr && !IsBuiltinPath(path_)) ::munmap(const_cast<uint8_t*>(data_), size_);
}

void MappedFile::DropPages(size_t offset, size_t length) const {
  const size_t page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const size_t first = (offset + page - 1) / page * page;
  const size_t last = (offset + length) / page * page;
  if (data_ == nullptr || IsBuiltinPath(path_) || last <= first || last > size_) return;
  ::madvise(const_cast<uint8_t*>(data_) + first, last - first, MADV_DONTNEED);
}

Result<std::string> ReadFile(const std::string& path, size_t max_bytes) {
  if (IsBuiltinPath(path)) {
    const std::optional<std::span<const uint8_t>> bytes = FindBuiltinFile(path);
    if (!bytes) return NoSuchBuiltin(path);
    if (bytes->size() > max_bytes) return TooLarge(path, max_bytes);
    return std::string(reinterpret_cast<const char*>(bytes->data()), bytes->size());
  }
  Fd owned;
  int fd = STDIN_FILENO;
  if (path != "-") {
    owned.fd = fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return SystemError("cannot open", path);
  }
  std::string text;
  char buffer[1 << 16];
  while (true) {
    const ssize_t n = ::read(fd, buffer, sizeof(buffer));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return SystemError("cannot read", path);
    if (n == 0) return text;
    if (text.size() + static_cast<size_t>(n) > max_bytes) {
      return TooLarge(path, max_bytes);
    }
    text.append(buffer, static_cast<size_t>(n));
  }
}

namespace {

Status WriteAll(int fd, std::string_view bytes, const std::string& path) {
  for (size_t written = 0; written < bytes.size();) {
    const ssize_t n = ::write(fd, bytes.data() + written, bytes.size() - written);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return SystemError("cannot write", path);
    written += static_cast<size_t>(n);
  }
  return OkStatus();
}

}  // namespace

Status WriteFileAtomically(const std::string& path, std::string_view bytes) {
  struct stat info = {};
  const bool exists = ::stat(path.c_str(), &info) == 0;
  if (exists && !S_ISREG(info.st_mode)) {  // a device or a pipe: to be written to, not replaced
    const Fd file{::open(path.c_str(), O_WRONLY | O_CLOEXEC)};
    if (file.fd < 0) return SystemError("cannot write", path);
    return WriteAll(file.fd, bytes, path);
  }
  std::string target = path;
  if (exists) {  // behind a link, the file that it leads to
    const std::unique_ptr<char, decltype(&::free)> real(::realpath(path.c_str(), nullptr), ::free);
    if (real != nullptr) target = real.get();
  }
  const std::string temporary = target + ".tmp." + std::to_string(::getpid());
  const Fd file{::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)};
  if (file.fd < 0) return SystemError("cannot create", temporary);
  Status status = WriteAll(file.fd, bytes, temporary);
  if (status.ok() && exists && ::fchmod(file.fd, info.st_mode & 07777) != 0)
    status = SystemError("cannot set the mode of", temporary);
  if (status.ok() && (::fsync(file.fd) != 0 || ::rename(temporary.c_str(), target.c_str()) != 0))
    status = SystemError("cannot finish writing", path);
  if (!status.ok()) ::unlink(temporary.c_str());
  return status;
}

bool FileExists(const std::string& path) {
  if (IsBuiltinPath(path)) return FindBuiltinFile(path).has_value() || IsBuiltinFolder(path);
  struct stat info;
  return ::stat(path.c_str(), &info) == 0;
}

bool IsDirectory(const std::string& path) {
  if (IsBuiltinPath(path)) return IsBuiltinFolder(path);
  struct stat info;
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

}  // namespace galen

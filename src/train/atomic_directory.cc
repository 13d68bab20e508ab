#include "train/atomic_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/files.h"
#include "base/output_file.h"

namespace galen {
namespace {

namespace fs = std::filesystem;

Status Failed(const char* what, const std::string& path, const std::string& why) {
  return IoError(std::string(what) + " " + path + ": " + why);
}

std::string ParentOf(const std::string& path) {
  const std::string parent = fs::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

constexpr unsigned kExchange = 2;  // RENAME_EXCHANGE of linux/fs.h

}  // namespace

Status MakeDirectories(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  return error ? Failed("cannot create", path, error.message()) : OkStatus();
}

Result<DirectoryLock> DirectoryLock::Take(const std::string& path) {
  DirectoryLock lock;
  lock.fd_ = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (lock.fd_ < 0) return Failed("cannot open", path, std::strerror(errno));
  if (::flock(lock.fd_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    return ResourceExhausted("another training writes to " + path +
                             "; wait for its end, or choose another output_dir");
  }
  return lock;
}

DirectoryLock::DirectoryLock(DirectoryLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

DirectoryLock& DirectoryLock::operator=(DirectoryLock&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

DirectoryLock::~DirectoryLock() {
  if (fd_ >= 0) ::close(fd_);
}

AtomicDirectory::AtomicDirectory(std::string path, std::string temporary)
    : final_(std::move(path)), temporary_(std::move(temporary)) {}

AtomicDirectory::AtomicDirectory(AtomicDirectory&& other) noexcept
    : final_(std::move(other.final_)), temporary_(std::exchange(other.temporary_, "")) {}

AtomicDirectory::~AtomicDirectory() {
  if (temporary_.empty()) return;
  std::error_code ignored;
  fs::remove_all(temporary_, ignored);
}

Result<AtomicDirectory> AtomicDirectory::Create(const std::string& path) {
  const fs::path target = path.ends_with('/') ? path.substr(0, path.size() - 1) : path;
  const std::string temporary =
      (target.parent_path() / ("." + target.filename().string() + ".partial")).string();
  std::error_code error;
  fs::remove_all(temporary, error);
  if (error) return Failed("cannot remove", temporary, error.message());
  RETURN_IF_ERROR(MakeDirectories(temporary));
  return AtomicDirectory(target.string(), temporary);
}

Status AtomicDirectory::WriteFile(const std::string& name, std::string_view bytes) const {
  return WriteFileAtomically(temporary_ + "/" + name, bytes);
}

Status AtomicDirectory::CopyFile(const std::string& from, const std::string& name) const {
  if (!FileExists(from)) return OkStatus();
  ASSIGN_OR_RETURN(const std::shared_ptr<MappedFile> file, MappedFile::Open(from));
  return WriteFile(name,
                   {reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size()});
}

Status AtomicDirectory::Commit() {
  RETURN_IF_ERROR(SyncDirectory(temporary_));
  if (IsDirectory(final_)) {
    // The two change places; the old one is removed afterwards.
    if (::syscall(SYS_renameat2, AT_FDCWD, temporary_.c_str(), AT_FDCWD, final_.c_str(),
                  kExchange) != 0) {
      return Failed("cannot replace", final_, std::strerror(errno));
    }
    std::error_code ignored;
    fs::remove_all(temporary_, ignored);
  } else if (::rename(temporary_.c_str(), final_.c_str()) != 0) {
    return Failed("cannot create", final_, std::strerror(errno));
  }
  temporary_.clear();
  return SyncDirectory(ParentOf(final_));
}

}  // namespace galen

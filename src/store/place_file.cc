#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <thread>

#include "store/store.h"

namespace galen {
namespace {

namespace fs = std::filesystem;

// Another way may do where these come.
bool NoSuchLinks(int error) {
  return error == EPERM || error == EOPNOTSUPP || error == ENOSYS || error == EMLINK ||
         error == EXDEV || error == EACCES;
}

}  // namespace

Status PlaceFile(const std::string& blob, const std::string& path, Placement first) {
  const std::string temporary = path + ".tmp." + std::to_string(::getpid());
  ::unlink(temporary.c_str());
  bool placed = false;
  if (first == Placement::kHardLink) {
    placed = ::link(blob.c_str(), temporary.c_str()) == 0;
    if (!placed && !NoSuchLinks(errno)) return SystemError("cannot link " + blob + " to", path);
  }
  if (!placed && first != Placement::kCopy) {
    const std::string target = fs::absolute(blob).string();
    placed = ::symlink(target.c_str(), temporary.c_str()) == 0;
    if (!placed && !NoSuchLinks(errno)) return SystemError("cannot link " + blob + " to", path);
  }
  if (!placed) {
    std::error_code error;
    fs::copy_file(blob, temporary, error);  // shares the blocks where the file system can
    if (error) {
      ::unlink(temporary.c_str());
      errno = error.value();
      return SystemError("cannot copy " + blob + " to", path);
    }
  }
  const bool renamed = ::rename(temporary.c_str(), path.c_str()) == 0;
  const Status status = renamed ? OkStatus() : SystemError("cannot name", path);
  ::unlink(temporary.c_str());  // rename leaves it where both were one file
  return status;
}

Result<bool> WaitForLock(int fd, const std::string& path, const Cancel& cancelled,
                         const std::function<void()>& on_wait) {
  bool told = false;
  while (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK) {
      return SystemError("this file system has no locks, which keep processes apart: cannot lock",
                         path);
    }
    if (!told && on_wait) on_wait();
    told = true;
    if (cancelled && cancelled()) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return true;
}

}  // namespace galen

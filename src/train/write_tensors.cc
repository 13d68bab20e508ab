#include "train/write_tensors.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "formats/safetensors_writer.h"

namespace galen {
namespace {

Status SystemFailure(const char* what, const std::string& path) {
  return IoError(std::string(what) + " " + path + ": " + std::strerror(errno));
}

Status WriteAll(int fd, const void* data, size_t n, const std::string& path) {
  const auto* bytes = static_cast<const uint8_t*>(data);
  while (n > 0) {
    constexpr size_t kMost = size_t{1} << 30;
    const ssize_t written = ::write(fd, bytes, n < kMost ? n : kMost);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return SystemFailure("cannot write", path);
    bytes += written;
    n -= static_cast<size_t>(written);
  }
  return OkStatus();
}

Status WriteContents(int fd, const std::string& header, std::span<const TensorToWrite> tensors,
                     const std::string& path) {
  RETURN_IF_ERROR(WriteAll(fd, header.data(), header.size(), path));
  for (const TensorToWrite& t : tensors) {
    RETURN_IF_ERROR(WriteAll(fd, t.data, static_cast<size_t>(t.bytes), path));
  }
  return ::fsync(fd) == 0 ? OkStatus() : SystemFailure("cannot finish writing", path);
}

}  // namespace

Status WriteTensors(const std::string& path, std::span<const TensorToWrite> tensors) {
  std::vector<SafetensorsEntry> entries;
  for (const TensorToWrite& t : tensors) {
    entries.push_back({t.name, t.dtype, t.shape, 0});
    GALEN_CHECK(entries.back().bytes() == t.bytes);
  }
  ASSIGN_OR_RETURN(const SafetensorsLayout layout, LayOutSafetensors(&entries));
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return SystemFailure("cannot create", path);
  Status status = WriteContents(fd, layout.header, tensors, path);
  if (::close(fd) != 0 && status.ok()) status = SystemFailure("cannot finish writing", path);
  if (!status.ok()) ::unlink(path.c_str());
  return status;
}

}  // namespace galen

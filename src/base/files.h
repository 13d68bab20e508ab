// Files: mapped read-only for models, read whole (with a limit) for small text, written atomically.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"

namespace galen {

// A read-only mapping of a whole file. Thread-safe once opened. Bytes stay valid while the object
// lives.
class MappedFile {
 public:
  static Result<std::shared_ptr<MappedFile>> Open(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const std::string& path() const { return path_; }
  std::span<const uint8_t> bytes() const { return {data_, size_}; }
  // Tells the kernel that the whole pages inside [offset, offset + length) are not needed any more,
  // so that they no longer count as resident. Reading them again is allowed and faults them in from
  // the file.
  void DropPages(size_t offset, size_t length) const;

 private:
  MappedFile() = default;
  std::string path_;
  const uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

// Reads a regular file, a pipe, or standard input ("-"), refusing more than max_bytes.
Result<std::string> ReadFile(const std::string& path, size_t max_bytes = size_t{64} << 20);

// Writes to a temporary file beside path, syncs and renames, so that a crash leaves the old file or
// the new one. A link is followed, the mode of a file that is there stays. What is no regular file
// (a device, a pipe) is written to as it is.
Status WriteFileAtomically(const std::string& path, std::string_view bytes);

bool FileExists(const std::string& path);
bool IsDirectory(const std::string& path);

}  // namespace galen

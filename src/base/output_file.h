// A large file, written in any order by several threads, that appears under its name only when it
// is whole: until then its bytes lie in a temporary file beside it.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/status.h"

namespace galen {

class OutputFile {
 public:
  OutputFile() = default;
  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&& other) noexcept;
  // Removes what was not committed.
  ~OutputFile();

  // Reserves `size` bytes where the file system can, so that a disk without room for them refuses
  // now (ResourceExhausted) and not after the work.
  static Result<OutputFile> Create(const std::string& path, int64_t size);

  const std::string& path() const { return path_; }
  // Thread-safe for ranges that do not overlap.
  Status WriteAt(int64_t offset, std::span<const uint8_t> bytes) const;
  // Grows or cuts the file, with zeros where nothing was written.
  Status SetSize(int64_t size) const;
  // Syncs the bytes to the disk and gives the file its name; a file that was there is replaced.
  Status Commit();

 private:
  std::string path_;
  std::string temporary_;
  int fd_ = -1;
};

// Syncs the entries of a directory: names that were given or taken in it.
Status SyncDirectory(const std::string& path);

}  // namespace galen

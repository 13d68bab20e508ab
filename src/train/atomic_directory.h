// A folder that is there with all its files or not at all.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace galen {

// Files go into a hidden folder beside the final one, which takes its name at Commit. A crash at
// any moment leaves the old folder (or none), or the new one.
class AtomicDirectory {
 public:
  // Leftovers of a run that was killed are removed.
  static Result<AtomicDirectory> Create(const std::string& path);
  ~AtomicDirectory();  // without Commit: removes what was written
  AtomicDirectory(AtomicDirectory&& other) noexcept;
  AtomicDirectory& operator=(AtomicDirectory&&) = delete;

  // Where to write.
  const std::string& path() const { return temporary_; }
  Status WriteFile(const std::string& name, std::string_view bytes) const;
  // Copies a file if it exists.
  Status CopyFile(const std::string& from, const std::string& name) const;
  Status Commit();

 private:
  AtomicDirectory(std::string path, std::string temporary);
  std::string final_;
  std::string temporary_;
};

// mkdir -p.
Status MakeDirectories(const std::string& path);

// A folder that one process at a time works in; a killed process leaves no lock behind.
class DirectoryLock {
 public:
  DirectoryLock() = default;
  // ResourceExhausted while another holder has it. File systems without locks are taken as free.
  static Result<DirectoryLock> Take(const std::string& path);
  ~DirectoryLock();
  DirectoryLock(DirectoryLock&& other) noexcept;
  DirectoryLock& operator=(DirectoryLock&& other) noexcept;

 private:
  int fd_ = -1;
};

}  // namespace galen

// Programs run as children under limits, for parsers that hostile files must not reach inside this
// process. No shell: argv is given as it stands. A child starts in its own process group and an
// empty temporary folder, which is removed afterwards, with a minimal environment and no
// descriptors but the standard three; only that group is ever killed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"

namespace galen {

struct ChildLimits {
  double seconds = 30;  // wall clock; processor time has the same limit, rounded up
  size_t memory_bytes = size_t{1} << 30;    // address space (RLIMIT_AS)
  size_t file_bytes = 0;                    // of any file; writing beyond fails (EFBIG)
  size_t output_bytes = size_t{256} << 20;  // more on standard output is an error
  size_t error_bytes = size_t{64} << 10;    // more on standard error is read and dropped
};

struct ChildRequest {
  std::vector<std::string> argv;   // argv[0] is looked up in PATH
  std::span<const uint8_t> input;  // standard input, from memory that is no file
  ChildLimits limits;
  std::vector<std::string> environment;  // "NAME=value", beside the minimal ones
  std::function<bool()> cancelled;       // asked every 50 ms; may be empty
};

struct ChildOutput {
  int exit_code = 0;
  std::string out;
  std::string err;
};

// Runs the program to its end. A non-zero exit code is no error here. Fails with
//   kNotFound           the program is not in PATH,
//   kResourceExhausted  it took longer, used more processor time or wrote more than allowed,
//   kDataLoss           it ended by another signal (a crash; also what a refused allocation often
//   ends in), kCancelled, kIo.
Result<ChildOutput> RunChild(const ChildRequest& request);

// An empty folder of this process alone (mode 0700), removed with all that is in it when the object
// goes.
class TemporaryFolder {
 public:
  static Result<TemporaryFolder> Make();
  TemporaryFolder(TemporaryFolder&& other) noexcept : path_(std::move(other.path_)) {
    other.path_.clear();
  }
  TemporaryFolder& operator=(TemporaryFolder&&) = delete;
  ~TemporaryFolder();

  const std::string& path() const { return path_; }

 private:
  explicit TemporaryFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

}  // namespace galen

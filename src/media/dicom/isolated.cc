#include "media/dicom/isolated.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace galen::dicom {
namespace {

constexpr int kFailed = 1;

class SharedMemory {
 public:
  explicit SharedMemory(size_t size)
      : size_(size),
        data_(mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) {}
  ~SharedMemory() {
    if (ok()) munmap(data_, size_);
  }
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;
  bool ok() const { return data_ != MAP_FAILED; }
  std::span<uint8_t> bytes() const { return {static_cast<uint8_t*>(data_), size_}; }

 private:
  size_t size_;
  void* data_;
};

// Runs in the child and does not return: no destructor, no exit handler of this process may run
// there.
[[noreturn]] void Child(std::span<uint8_t> result, int seconds,
                        const std::function<bool(std::span<uint8_t>)>& fn) {
  // Handlers of the parent have no business here; an abort is to be the end.
  for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGXCPU, SIGALRM})
    ::signal(signal, SIG_DFL);
  const int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (null >= 0) dup2(null, STDERR_FILENO);
  const rlimit time = {static_cast<rlim_t>(seconds), static_cast<rlim_t>(seconds)};
  const rlimit none = {0, 0};
  setrlimit(RLIMIT_CPU, &time);
  setrlimit(RLIMIT_CORE, &none);
  bool ok = false;
  try {
    ok = fn(result);
  } catch (...) {  // an allocation that was refused
  }
  _exit(ok ? 0 : kFailed);
}

}  // namespace

Result<std::vector<uint8_t>> RunIsolated(size_t size, int seconds,
                                         const std::function<bool(std::span<uint8_t>)>& fn) {
  const SharedMemory memory(size);
  if (!memory.ok())
    return ResourceExhausted("no memory for a frame of " + std::to_string(size) + " bytes");
  const pid_t child = fork();
  if (child < 0) return IoError(std::string("cannot start a child: ") + std::strerror(errno));
  if (child == 0) Child(memory.bytes(), seconds, fn);
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR)
      return IoError(std::string("cannot wait for a child: ") + std::strerror(errno));
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
    return std::vector<uint8_t>(memory.bytes().begin(), memory.bytes().end());
  }
  // The soft limit is the hard one, so that the kernel kills instead of asking.
  if (WIFSIGNALED(status) && (WTERMSIG(status) == SIGKILL || WTERMSIG(status) == SIGXCPU)) {
    return ResourceExhausted("the decoder took more than " + std::to_string(seconds) +
                             " seconds or was killed");
  }
  return DataLoss(WIFSIGNALED(status) ? "the decoder crashed on it" : "the decoder refused it");
}

}  // namespace galen::dicom

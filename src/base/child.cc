#include "base/child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <filesystem>

#include "base/fd.h"

namespace galen {
namespace {

constexpr int kPollMilliseconds = 50;
// Descriptors below this one are closed one by one where the kernel has no close_range (before
// Linux 5.11).
constexpr int kDescriptorsToClose = 65536;

struct Pipe {
  Fd read, write;
};

Status SystemError(const std::string& what) { return IoError(what + ": " + std::strerror(errno)); }

Result<Pipe> MakePipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return SystemError("cannot make a pipe");
  Pipe pipe{Fd(ends[0]), Fd(ends[1])};
  return pipe;
}

Result<Fd> MemoryFile(std::span<const uint8_t> bytes) {
  Fd file(::memfd_create("galen-input", MFD_CLOEXEC));
  if (file.fd < 0) return SystemError("cannot make a file in memory");
  size_t written = 0;
  while (written < bytes.size()) {
    const ssize_t n = ::write(file.fd, bytes.data() + written, bytes.size() - written);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return SystemError("cannot fill a file in memory");
    written += static_cast<size_t>(n);
  }
  if (::lseek(file.fd, 0, SEEK_SET) != 0) return SystemError("cannot rewind a file in memory");
  return file;
}

Result<std::string> FindProgram(const std::string& name) {
  if (name.find('/') != std::string::npos) return name;
  const char* variable = ::getenv("PATH");
  const std::string path = variable != nullptr ? variable : "/usr/local/bin:/usr/bin:/bin";
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find(':', begin), path.size());
    const std::string file = path.substr(begin, end - begin) + "/" + name;
    // Only absolute entries: the child's working folder is another one.
    if (file[0] == '/' && ::access(file.c_str(), X_OK) == 0) return file;
    begin = end + 1;
  }
  return NotFound("the program " + name + " is not installed (not found in PATH)");
}

// All that the child needs, made before the fork: after it, only calls that are safe in a signal
// handler are allowed.
struct Launch {
  const char* program;
  const char* folder;
  char* const* argv;
  char* const* environment;
  int input, output, error, failure;
  rlimit memory, cpu, file;
};

[[noreturn]] void Fail(int fd) {
  const int error = errno;
  [[maybe_unused]] const ssize_t n = ::write(fd, &error, sizeof(error));
  ::_exit(127);
}

[[noreturn]] void StartInChild(const Launch& launch) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  struct sigaction action = {};
  action.sa_handler = SIG_DFL;
  for (int s = 1; s < NSIG; ++s) ::sigaction(s, &action, nullptr);  // exec keeps what is ignored
  // A write beyond the file limit is an error to the program and not its end: fontconfig renews its
  // cache where it may, and goes on where it may not.
  action.sa_handler = SIG_IGN;
  ::sigaction(SIGXFSZ, &action, nullptr);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (::dup2(launch.input, 0) < 0 || ::dup2(launch.output, 1) < 0 || ::dup2(launch.error, 2) < 0) {
    Fail(launch.failure);
  }
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif
  if (::syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC) != 0) {
    for (int fd = 3; fd < kDescriptorsToClose; ++fd) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  }
  const rlimit no_core = {0, 0};
  if (::chdir(launch.folder) != 0 || ::setrlimit(RLIMIT_CORE, &no_core) != 0 ||
      ::setrlimit(RLIMIT_AS, &launch.memory) != 0 || ::setrlimit(RLIMIT_CPU, &launch.cpu) != 0 ||
      ::setrlimit(RLIMIT_FSIZE, &launch.file) != 0) {
    Fail(launch.failure);
  }
  ::execve(launch.program, launch.argv, launch.environment);
  Fail(launch.failure);
}

// The lower of `wanted` and what this process may still set.
rlimit Limit(int resource, rlim_t wanted) {
  rlimit now = {};
  if (::getrlimit(static_cast<__rlimit_resource_t>(resource), &now) == 0 &&
      now.rlim_max != RLIM_INFINITY) {
    wanted = std::min(wanted, now.rlim_max);
  }
  return {wanted, wanted};
}

// At the lower limit SIGXCPU tells why the child ends; at the upper one the kernel kills it
// without a word, so that one lies a second further.
rlimit ProcessorLimit(double seconds) {
  const rlim_t wanted = static_cast<rlim_t>(seconds);
  const rlim_t upper = Limit(RLIMIT_CPU, wanted + 1).rlim_max;
  return {std::min(wanted, upper), upper};
}

// A started child. Killed with its group and reaped when the object goes.
class Child {
 public:
  explicit Child(pid_t pid)
      : pid_(pid), pidfd_(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))) {}
  ~Child() { Reap(); }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  int pidfd() const { return pidfd_.fd; }
  // True once it has ended; it is not reaped yet, so that its number stays its own.
  bool Ended() const {
    siginfo_t info = {};
    return ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == pid_;
  }
  // Ends the whole group and returns the status of the child (as of waitpid).
  int Reap() {
    if (pid_ > 0) {
      ::kill(-pid_, SIGKILL);
      while (::waitpid(pid_, &status_, 0) < 0 && errno == EINTR) {
      }
      pid_ = 0;
    }
    return status_;
  }

 private:
  pid_t pid_;
  Fd pidfd_;
  int status_ = 0;
};

// Reads what is there now into *text; sets *open to false at the end of file. Bytes above `limit`
// are dropped. Returns false if some were.
bool Drain(int fd, size_t limit, std::string* text, bool* open) {
  bool complete = true;
  char buffer[1 << 16];
  while (true) {
    const ssize_t n = ::read(fd, buffer, sizeof(buffer));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return complete;
    if (n <= 0) {
      *open = false;
      return complete;
    }
    const size_t take = std::min(static_cast<size_t>(n), limit - std::min(limit, text->size()));
    text->append(buffer, take);
    complete = complete && take == static_cast<size_t>(n);
    if (!complete) return false;
  }
}

std::string Seconds(double s) {
  char text[32];
  std::snprintf(text, sizeof(text), "%g", s);
  return text;
}

// Collects output until the child has ended.
Status Follow(const ChildRequest& request, const Child& child, int out, int err,
              ChildOutput* result) {
  using Clock = std::chrono::steady_clock;
  const std::string& name = request.argv[0];
  const auto start = Clock::now();
  bool out_open = true, err_open = true;
  while (true) {
    const bool ended = child.Ended();
    if (out_open && !Drain(out, request.limits.output_bytes, &result->out, &out_open)) {
      return ResourceExhausted(name + " wrote more than the limit of " +
                               std::to_string(request.limits.output_bytes) + " bytes");
    }
    if (err_open) Drain(err, request.limits.error_bytes, &result->err, &err_open);
    if (ended) return OkStatus();
    if (request.cancelled && request.cancelled()) {
      return Cancelled(name + " was stopped on request");
    }
    const double elapsed = std::chrono::duration<double>(Clock::now() - start).count();
    const double left = request.limits.seconds - elapsed;
    if (left <= 0) {
      return ResourceExhausted(name + " took longer than the limit of " +
                               Seconds(request.limits.seconds) + " s");
    }
    pollfd fds[3] = {{out_open ? out : -1, POLLIN, 0},
                     {err_open ? err : -1, POLLIN, 0},
                     {child.pidfd(), POLLIN, 0}};
    const int wait = child.pidfd() >= 0 ? kPollMilliseconds : 2;
    ::poll(fds, 3, std::min(wait, static_cast<int>(std::ceil(left * 1000))));
  }
}

Status SignalError(const std::string& name, int signal, const ChildLimits& limits) {
  if (signal == SIGXCPU) {
    return ResourceExhausted(name + " used more than the limit of " +
                             Seconds(std::ceil(limits.seconds)) + " s of processor time");
  }
  return DataLoss(name + " ended by signal " + std::to_string(signal) + " (" + ::strsignal(signal) +
                  ") under a memory limit of " + std::to_string(limits.memory_bytes >> 20) +
                  " MiB");
}

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& s : strings) pointers.push_back(s.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

Result<ChildOutput> RunChild(const ChildRequest& request) {
  if (request.argv.empty() || !(request.limits.seconds > 0)) {
    return InvalidArgument("a child needs a program and a time limit above 0 s");
  }
  ASSIGN_OR_RETURN(const std::string program, FindProgram(request.argv[0]));
  ASSIGN_OR_RETURN(const TemporaryFolder folder, TemporaryFolder::Make());
  ASSIGN_OR_RETURN(Fd input, MemoryFile(request.input));
  ASSIGN_OR_RETURN(Pipe out, MakePipe());
  ASSIGN_OR_RETURN(Pipe err, MakePipe());
  ASSIGN_OR_RETURN(Pipe failure, MakePipe());

  std::vector<std::string> argv = request.argv;
  std::vector<std::string> environment = {"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C.UTF-8",
                                          "HOME=" + folder.path(), "TMPDIR=" + folder.path()};
  environment.insert(environment.end(), request.environment.begin(), request.environment.end());
  const std::vector<char*> argv_pointers = Pointers(argv);
  const std::vector<char*> environment_pointers = Pointers(environment);
  const double cpu_seconds = std::min(std::ceil(request.limits.seconds), 1e9);
  const Launch launch = {program.c_str(),
                         folder.path().c_str(),
                         argv_pointers.data(),
                         environment_pointers.data(),
                         input.fd,
                         out.write.fd,
                         err.write.fd,
                         failure.write.fd,
                         Limit(RLIMIT_AS, request.limits.memory_bytes),
                         ProcessorLimit(cpu_seconds),
                         Limit(RLIMIT_FSIZE, request.limits.file_bytes)};
  const pid_t pid = ::fork();
  if (pid < 0) return SystemError("cannot start " + request.argv[0]);
  if (pid == 0) StartInChild(launch);

  ::setpgid(pid, pid);  // whichever of the two comes first
  Child child(pid);
  out.write.Close();
  err.write.Close();
  failure.write.Close();
  int error = 0;
  ssize_t n;
  while ((n = ::read(failure.read.fd, &error, sizeof(error))) < 0 && errno == EINTR) {
  }
  if (n == static_cast<ssize_t>(sizeof(error))) {
    return IoError("cannot start " + program + ": " + std::strerror(error));
  }
  ::fcntl(out.read.fd, F_SETFL, O_NONBLOCK);
  ::fcntl(err.read.fd, F_SETFL, O_NONBLOCK);
  ChildOutput result;
  RETURN_IF_ERROR(Follow(request, child, out.read.fd, err.read.fd, &result));
  const int status = child.Reap();
  if (WIFSIGNALED(status)) return SignalError(request.argv[0], WTERMSIG(status), request.limits);
  result.exit_code = WEXITSTATUS(status);
  return result;
}

Result<TemporaryFolder> TemporaryFolder::Make() {
  const char* variable = ::getenv("TMPDIR");
  std::string path =
      std::string(variable != nullptr && variable[0] == '/' ? variable : "/tmp") + "/galen-XXXXXX";
  if (::mkdtemp(path.data()) == nullptr)
    return SystemError("cannot make a temporary folder " + path);
  return TemporaryFolder(path);
}

TemporaryFolder::~TemporaryFolder() {
  if (path_.empty()) return;
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace galen

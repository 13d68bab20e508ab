#include "data/synth/synth_workers.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <new>

namespace galen {
namespace {

// What a child says: this, then the two texts.
struct WorkerMessage {
  enum Kind : int64_t { kFonts, kDocument, kError } kind = kFonts;
  int64_t index = 0, pages = 0, files = 0, bytes = 0;  // of a document; index: the error's code
  int64_t first = 0, second = 0;                       // lengths of the texts
};

bool Send(int fd, WorkerMessage message, const std::string& first, const std::string& second) {
  message.first = static_cast<int64_t>(first.size());
  message.second = static_cast<int64_t>(second.size());
  std::string all(reinterpret_cast<const char*>(&message), sizeof(message));
  all += first;
  all += second;
  for (size_t at = 0; at < all.size();) {
    const ssize_t n = ::write(fd, all.data() + at, all.size() - at);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    at += static_cast<size_t>(n);
  }
  return true;
}

// Numbers that the children share: the next document.
class SharedCounter {
 public:
  SharedCounter() {
    void* memory = ::mmap(nullptr, sizeof(std::atomic<int64_t>), PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory != MAP_FAILED) next_ = new (memory) std::atomic<int64_t>(0);
  }
  ~SharedCounter() {
    if (next_ != nullptr) ::munmap(next_, sizeof(std::atomic<int64_t>));
  }
  SharedCounter(const SharedCounter&) = delete;
  SharedCounter& operator=(const SharedCounter&) = delete;
  bool ok() const { return next_ != nullptr; }
  int64_t Next() { return next_->fetch_add(1); }

 private:
  static_assert(std::atomic<int64_t>::is_always_lock_free);
  std::atomic<int64_t>* next_ = nullptr;
};

// The child's whole life.
void Work(const SynthOptions& options, const std::string& folder, SharedCounter* counter, int fd) {
  const auto fail = [fd](const Status& status) {
    WorkerMessage message;
    message.kind = WorkerMessage::kError;
    message.index = static_cast<int64_t>(status.code());
    Send(fd, message, status.message(), "");
  };
  auto generator = SynthGenerator::Create(options);
  if (!generator.ok()) return fail(generator.status());
  std::string fonts;
  for (const std::string& name : (*generator)->FontNames()) fonts += name + "\n";
  if (!Send(fd, WorkerMessage(), fonts, "")) return;
  for (int64_t i = counter->Next(); i < options.count; i = counter->Next()) {
    auto made = MakeDocument(generator->get(), i, folder);
    if (!made.ok()) return fail(made.status());
    WorkerMessage message{WorkerMessage::kDocument, i, made->pages, made->files, made->bytes, 0, 0};
    if (!Send(fd, message, made->truth, made->sample)) return;
  }
}

// Processes and the pipes from them; what still runs is killed at the end.
class Children {
 public:
  ~Children() {
    for (Child& child : children_) {
      if (child.fd >= 0) ::close(child.fd);
      if (child.pid > 0) {
        ::kill(child.pid, SIGKILL);
        ::waitpid(child.pid, nullptr, 0);
      }
    }
  }

  Status Start(const SynthOptions& options, int workers, const std::string& folder) {
    if (!counter_.ok()) return ResourceExhausted("no shared memory for the workers");
    const pid_t parent = ::getpid();
    for (int i = 0; i < workers; ++i) {
      std::array<int, 2> ends;
      if (::pipe(ends.data()) != 0) return IoError(std::string("pipe: ") + std::strerror(errno));
      const pid_t pid = ::fork();
      if (pid == 0) {
        // Ctrl-C goes to the whole group; the parent decides.
        std::signal(SIGINT, SIG_IGN);
        std::signal(SIGTERM, SIG_DFL);
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        ::close(ends[0]);
        if (::getppid() == parent) Work(options, folder, &counter_, ends[1]);
        ::_exit(0);
      }
      ::close(ends[1]);
      if (pid < 0) {
        ::close(ends[0]);
        return IoError(std::string("fork: ") + std::strerror(errno));
      }
      children_.push_back({pid, ends[0], ""});
    }
    return OkStatus();
  }

  // Until all have ended or one has failed.
  Status Listen(SynthSink* sink) {
    std::vector<char> buffer(1 << 16);
    for (;;) {
      std::vector<pollfd> waits;
      std::vector<size_t> who;
      for (size_t i = 0; i < children_.size(); ++i) {
        if (children_[i].fd < 0) continue;
        waits.push_back({children_[i].fd, POLLIN, 0});
        who.push_back(i);
      }
      if (waits.empty()) return OkStatus();
      if (::poll(waits.data(), waits.size(), -1) < 0 && errno != EINTR)
        return IoError(std::string("poll: ") + std::strerror(errno));
      for (size_t w = 0; w < waits.size(); ++w) {
        if ((waits[w].revents & (POLLIN | POLLHUP | POLLERR)) == 0) continue;
        Child& child = children_[who[w]];
        const ssize_t n = ::read(child.fd, buffer.data(), buffer.size());
        if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (n > 0) {
          child.unread.append(buffer.data(), static_cast<size_t>(n));
          RETURN_IF_ERROR(Read(&child, sink));
          continue;
        }
        RETURN_IF_ERROR(End(&child));
      }
    }
  }

 private:
  struct Child {
    pid_t pid = 0;
    int fd = -1;
    std::string unread;
  };

  static Status Read(Child* child, SynthSink* sink) {
    WorkerMessage message;
    size_t at = 0;
    while (child->unread.size() - at >= sizeof(message)) {
      std::memcpy(&message, child->unread.data() + at, sizeof(message));
      const auto first = static_cast<size_t>(message.first);
      const auto second = static_cast<size_t>(message.second);
      if (child->unread.size() - at < sizeof(message) + first + second) break;
      std::string one = child->unread.substr(at + sizeof(message), first);
      std::string two = child->unread.substr(at + sizeof(message) + first, second);
      at += sizeof(message) + first + second;
      if (message.kind == WorkerMessage::kError)
        return Status(static_cast<StatusCode>(message.index), std::move(one));
      if (message.kind == WorkerMessage::kFonts) {
        std::vector<std::string> fonts;
        for (size_t begin = 0; begin < one.size();) {
          const size_t end = one.find('\n', begin);
          fonts.push_back(one.substr(begin, end - begin));
          begin = end + 1;
        }
        sink->set_fonts(std::move(fonts));
        continue;
      }
      RETURN_IF_ERROR(sink->Take({message.index, message.pages, message.files, message.bytes,
                                  std::move(one), std::move(two)}));
    }
    child->unread.erase(0, at);
    return OkStatus();
  }

  static Status End(Child* child) {
    ::close(child->fd);
    child->fd = -1;
    int how = 0;
    while (::waitpid(child->pid, &how, 0) < 0 && errno == EINTR) {
    }
    child->pid = 0;
    if (WIFEXITED(how) && WEXITSTATUS(how) == 0) return OkStatus();
    return ResourceExhausted(
        "a worker ended before its work was done" +
        (WIFSIGNALED(how) ? " (signal " + std::to_string(WTERMSIG(how)) + ")" : std::string()) +
        "; use fewer --threads if memory is short");
  }

  SharedCounter counter_;
  std::vector<Child> children_;
};

}  // namespace

Status WorkHere(const SynthOptions& options, SynthSink* sink) {
  ASSIGN_OR_RETURN(const auto generator, SynthGenerator::Create(options));
  sink->set_fonts(generator->FontNames());
  for (int64_t i = 0; i < options.count; ++i) {
    ASSIGN_OR_RETURN(MadeDocument made, MakeDocument(generator.get(), i, sink->folder()));
    RETURN_IF_ERROR(sink->Take(std::move(made)));
  }
  return OkStatus();
}

Status WorkInChildren(const SynthOptions& options, int workers, SynthSink* sink) {
  Children children;
  RETURN_IF_ERROR(children.Start(options, workers, sink->folder()));
  return children.Listen(sink);
}

}  // namespace galen

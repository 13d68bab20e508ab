#include "dicomnet/receiver.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/random.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <list>
#include <thread>

#include "dicomnet/association.h"
#include "dicomnet/socket.h"
#include "dicomnet/toolkit.h"

namespace galen::dicomnet {
namespace {

std::string NewId() {
  uint64_t bits = 0;
  if (::getrandom(&bits, sizeof(bits), 0) != sizeof(bits)) bits = 0;
  char text[24];
  std::snprintf(text, sizeof(text), "dicom-%016llx", static_cast<unsigned long long>(bits));
  return text;
}

}  // namespace

class Receiver::Impl {
 public:
  Impl(const ReceiverOptions& options, Inbox* inbox, ReceiverEvents events, Fd socket)
      : options_(options), inbox_(inbox), events_(std::move(events)), socket_(std::move(socket)) {}

  ~Impl() {
    stop_ = true;
    if (wake_write_.fd >= 0) (void)!::write(wake_write_.fd, "", 1);
    if (acceptor_.joinable()) acceptor_.join();
    for (Running& one : running_) ::shutdown(one.socket, SHUT_RDWR);
    for (Running& one : running_) Join(&one);
  }

  Status Start() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return IoError("no pipe for the DICOM port");
    wake_read_ = Fd(ends[0]);
    wake_write_ = Fd(ends[1]);
    acceptor_ = std::thread([this] { Accept(); });
    return OkStatus();
  }

  int port() const { return PortOf(socket_.fd); }

 private:
  struct Running {
    int socket = -1;  // a copy of this list's own: it can be shut down whatever the thread does
    std::atomic<bool> over{false};
    std::thread thread;
  };

  static void Join(Running* one) {
    one->thread.join();
    ::close(one->socket);
  }

  void Reap() {
    for (auto it = running_.begin(); it != running_.end();) {
      const auto one = it++;
      if (!one->over) continue;
      Join(&*one);
      running_.erase(one);
    }
  }

  void Accept() {
    constexpr int kReapEvery = 1000;
    while (!stop_) {
      pollfd both[] = {{socket_.fd, POLLIN, 0}, {wake_read_.fd, POLLIN, 0}};
      (void)::poll(both, 2, kReapEvery);
      Reap();
      if (stop_) return;
      if ((both[0].revents & POLLIN) == 0) continue;
      sockaddr_storage from = {};
      socklen_t size = sizeof(from);
      Fd socket(::accept4(socket_.fd, reinterpret_cast<sockaddr*>(&from), &size, SOCK_CLOEXEC));
      if (socket.fd < 0) {
        // Without descriptors the connection waits; others close theirs.
        if (errno == EMFILE || errno == ENFILE)
          std::this_thread::sleep_for(std::chrono::milliseconds(50));
        continue;
      }
      Take(std::move(socket), AddressText(reinterpret_cast<const sockaddr*>(&from), size));
    }
  }

  void Take(Fd socket, const std::string& address) {
    AssociationReport report;
    report.id = NewId();
    report.address = address;
    const auto end = [&](const char* reason) {
      report.outcome = "rejected";
      report.reason = reason;
      events_.ended(report);
    };
    // A stranger's bytes are not read at all.
    if (!MayConnect(options_.allowed, address)) return end("address");
    // So many may stand between the connection and the answer that there are too many.
    if (running_.size() >= 4 * static_cast<size_t>(options_.max_associations)) return end("busy");
    const int copy = ::fcntl(socket.fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0) return end("busy");
    Running& one = running_.emplace_back();
    one.socket = copy;
    try {
      one.thread = std::thread([this, &one, report, owned = socket.fd]() mutable {
        const auto begun = Clock::now();
        try {
          RunAssociation(Fd(owned), options_, inbox_, events_, &active_, &report);
        } catch (const std::exception&) {  // no memory: nothing of it was acknowledged
          report.outcome = "failed";
        }
        if (stop_ && report.outcome != "released") report.outcome = "stopped";
        report.seconds = std::chrono::duration<double>(Clock::now() - begun).count();
        events_.ended(report);
        ::shutdown(one.socket, SHUT_RDWR);  // the copy would keep the connection until it is reaped
        one.over = true;
      });
      socket.fd = -1;
    } catch (const std::system_error&) {
      ::close(copy);
      running_.pop_back();
      end("busy");
    }
  }

  const ReceiverOptions options_;
  Inbox* const inbox_;
  const ReceiverEvents events_;
  const Fd socket_;
  Fd wake_read_, wake_write_;
  std::atomic<bool> stop_{false};
  std::atomic<int> active_{0};
  std::list<Running> running_;  // of the accepting thread, and of the destructor after it
  std::thread acceptor_;
};

Receiver::Receiver(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Receiver::~Receiver() = default;
int Receiver::port() const { return impl_->port(); }

Result<std::unique_ptr<Receiver>> Receiver::Create(const ReceiverOptions& options, Inbox* inbox,
                                                   ReceiverEvents events) {
  PrepareToolkit();
  if (!IsTitle(options.title)) {
    return InvalidArgument("'" + options.title +
                           "' is no title: 1 to 16 letters, digits, spaces, - _ .");
  }
  if (options.allowed.empty()) return InvalidArgument("nobody may send: name who may");
  ASSIGN_OR_RETURN(Fd socket, Listen(options.host, options.port));
  auto impl = std::make_unique<Impl>(options, inbox, std::move(events), std::move(socket));
  RETURN_IF_ERROR(impl->Start());
  return std::unique_ptr<Receiver>(new Receiver(std::move(impl)));
}

}  // namespace galen::dicomnet

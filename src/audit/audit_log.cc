#include "audit/audit_log.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include "base/files.h"
#include "base/output_file.h"
#include "base/sha256.h"

namespace galen {
namespace {

constexpr size_t kKeyBytes = 32;
constexpr size_t kMostLater = 10000;

Status SystemError(const std::string& what, const std::string& path) {
  const int error = errno;
  const std::string message = what + " " + path + ": " + std::strerror(error);
  return error == ENOSPC || error == EDQUOT ? ResourceExhausted(message + "; make room")
                                            : IoError(message);
}

std::string FromHex(const std::string& hex) {
  const auto value = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes += static_cast<char>(value(hex[i]) * 16 + value(hex[i + 1]));
  return bytes;
}

std::span<const uint8_t> BytesOf(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

std::string KeyPath(const std::string& log_path) { return log_path + ".key"; }

Status MakeKey(const std::string& log_path) {
  uint8_t bytes[kKeyBytes];
  if (::getrandom(bytes, sizeof(bytes), 0) != static_cast<ssize_t>(sizeof(bytes)))
    return SystemError("no random bytes for", KeyPath(log_path));
  std::string text;
  for (const uint8_t byte : bytes) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  text += "\n";
  const int fd =
      ::open(KeyPath(log_path).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (fd < 0) return SystemError("cannot create", KeyPath(log_path));
  const bool good = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                    ::fsync(fd) == 0;
  const Status status = good ? OkStatus() : SystemError("cannot write", KeyPath(log_path));
  ::close(fd);
  return status;
}

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == path.npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

struct Tail {
  AuditHead head;
  int64_t size = 0;  // of whole lines
  int64_t torn = 0;  // bytes behind them
};

// Where the chain of an existing file stands.
Result<Tail> FindTail(int fd, const std::string& path) {
  struct stat st;
  if (::fstat(fd, &st) != 0) return SystemError("cannot read", path);
  Tail tail;
  // The last whole line, and what a crash may have left behind it.
  const int64_t want = std::min<int64_t>(st.st_size, 2 * static_cast<int64_t>(kMaxAuditLine) + 2);
  std::string end(static_cast<size_t>(want), '\0');
  for (size_t at = 0; at < end.size();) {
    const ssize_t n =
        ::pread(fd, end.data() + at, end.size() - at, st.st_size - want + static_cast<int64_t>(at));
    if (n <= 0) return SystemError("cannot read", path);
    at += static_cast<size_t>(n);
  }
  const size_t last = end.rfind('\n');
  if (last == end.npos) {
    if (want < st.st_size) return DataLoss(path + " is no audit log: it ends in no line");
    tail.torn = st.st_size;
    return tail;
  }
  tail.torn = static_cast<int64_t>(end.size() - last - 1);
  tail.size = st.st_size - tail.torn;
  size_t begin = last == 0 ? end.npos : end.rfind('\n', last - 1);
  begin = begin == end.npos ? 0 : begin + 1;
  const Result<Json> record =
      ReadAuditRecord(std::string_view(end).substr(begin, last - begin), nullptr);
  if (!record.ok()) {
    return DataLoss("the last record of " + path + " " + record.status().message() +
                    "; look with 'galen audit verify', put the file aside, and start another");
  }
  tail.head.seq = (*record)["seq"].get<int64_t>();
  tail.head.hash = (*record)["hash"].get<std::string>();
  return tail;
}

}  // namespace

std::string HmacSha256Hex(std::span<const uint8_t> key, std::span<const uint8_t> bytes) {
  std::string block(64, '\0');
  if (key.size() > block.size()) {
    const std::string hashed = FromHex(Sha256Hex(key));
    std::copy(hashed.begin(), hashed.end(), block.begin());
  } else {
    std::copy(key.begin(), key.end(), block.begin());
  }
  std::string inner, outer;
  for (const char c : block) {
    inner += static_cast<char>(c ^ 0x36);
    outer += static_cast<char>(c ^ 0x5c);
  }
  inner.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  outer += FromHex(Sha256Hex(BytesOf(inner)));
  return Sha256Hex(BytesOf(outer));
}

std::string AuditDigest(std::span<const uint8_t> key, const std::string& sha256_hex) {
  return HmacSha256Hex(key, BytesOf(sha256_hex));
}

Result<std::string> ReadAuditKey(const std::string& log_path) {
  ASSIGN_OR_RETURN(std::string text, ReadFile(KeyPath(log_path), 4096));
  while (!text.empty() && text.back() == '\n') text.pop_back();
  if (text.size() != 2 * kKeyBytes ||
      text.find_first_not_of("0123456789abcdef") != std::string::npos) {
    return InvalidArgument(KeyPath(log_path) + " is no key of an audit log (64 digits)");
  }
  return FromHex(text);
}

Result<std::unique_ptr<AuditLog>> AuditLog::Open(const std::string& path) {
  std::unique_ptr<AuditLog> log(new AuditLog());
  log->path_ = path;
  log->fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (log->fd_ < 0) return SystemError("cannot open the audit log", path);
  if (::flock(log->fd_, LOCK_EX | LOCK_NB) != 0)
    return IoError("another process writes the audit log " + path);
  ASSIGN_OR_RETURN(const Tail tail, FindTail(log->fd_, path));
  if (!FileExists(KeyPath(path))) RETURN_IF_ERROR(MakeKey(path));
  ASSIGN_OR_RETURN(log->key_, ReadAuditKey(path));
  if (tail.torn > 0 && ::ftruncate(log->fd_, tail.size) != 0)
    return SystemError("cannot cut a torn line off", path);
  RETURN_IF_ERROR(SyncDirectory(FolderOf(path)));
  log->head_ = tail.head;
  log->size_ = tail.size;
  log->writer_ = std::thread([l = log.get()] { l->Loop(); });
  Json opened = {{"event", "opened"}, {"key_id", Sha256Hex(BytesOf(log->key_)).substr(0, 16)}};
  if (tail.torn > 0) opened["torn_bytes"] = tail.torn;
  RETURN_IF_ERROR(log->Append(std::move(opened)));
  return log;
}

AuditLog::~AuditLog() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  work_.notify_all();
  if (writer_.joinable()) writer_.join();
  if (fd_ >= 0) ::close(fd_);
}

Status AuditLog::Append(Json fields) {
  std::unique_lock lock(mutex_);
  const int64_t ticket = ++tickets_;
  pending_.push_back({std::move(fields), true, ticket});
  work_.notify_one();
  done_.wait(lock, [&] { return finished_ >= ticket; });
  return ticket <= failed_up_to_ ? failure_ : OkStatus();
}

void AuditLog::AppendLater(Json fields) {
  const std::lock_guard lock(mutex_);
  pending_.push_back({std::move(fields), false, ++tickets_});
  work_.notify_one();
}

std::string AuditLog::Digest(const std::string& sha256_hex) const {
  return AuditDigest(BytesOf(key_), sha256_hex);
}

std::string AuditLog::Digest(std::span<const uint8_t> bytes) const {
  return Digest(Sha256Hex(bytes));
}

AuditHead AuditLog::head() const {
  const std::lock_guard lock(mutex_);
  return head_;
}

// All of it, or nothing: what a full disk took of it is cut off again.
Status AuditLog::WriteBatch(const std::deque<Pending>& batch) {
  AuditHead head = head_;  // changed on this thread alone
  std::string lines;
  if (lost_ > 0) lines += SealAuditRecord({{"event", "lost"}, {"records", lost_}}, &head);
  for (const Pending& one : batch) lines += SealAuditRecord(one.fields, &head);
  Status status;
  for (size_t at = 0; at < lines.size() && status.ok();) {
    const ssize_t n = ::write(fd_, lines.data() + at, lines.size() - at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      status = SystemError("cannot write the audit log", path_);
    } else {
      at += static_cast<size_t>(n);
    }
  }
  if (status.ok() && ::fdatasync(fd_) != 0)
    status = SystemError("cannot write the audit log", path_);
  if (!status.ok()) {
    if (::ftruncate(fd_, size_) != 0) return SystemError("cannot repair the audit log", path_);
    return status;
  }
  size_ += static_cast<int64_t>(lines.size());
  const std::lock_guard lock(mutex_);
  head_ = head;
  lost_ = 0;
  return OkStatus();
}

void AuditLog::Loop() {
  std::unique_lock lock(mutex_);
  while (true) {
    work_.wait(lock, [&] { return stop_ || !pending_.empty(); });
    if (pending_.empty()) return;
    std::deque<Pending> batch = std::exchange(pending_, {});
    const int64_t last = batch.back().ticket;
    lock.unlock();
    const Status status = WriteBatch(batch);
    lock.lock();
    if (!status.ok()) {
      failure_ = status;
      failed_up_to_ = last;
      // Those that nobody waits for come again, in front of what has come since.
      std::erase_if(batch, [](const Pending& one) { return one.waits; });
      pending_.insert(pending_.begin(), std::make_move_iterator(batch.begin()),
                      std::make_move_iterator(batch.end()));
      while (pending_.size() > kMostLater && !pending_.front().waits) {
        pending_.pop_front();
        ++lost_;
      }
    }
    finished_ = last;
    done_.notify_all();
    if (status.ok()) continue;
    if (stop_) return;
    // Not at once: the next record, or a while.
    work_.wait_for(lock, std::chrono::seconds(1));
  }
}

}  // namespace galen

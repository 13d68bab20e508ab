#include "store/transfer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "base/memory.h"
#include "base/output_file.h"
#include "store/digest.h"
#include "store/shown.h"

namespace galen {
namespace {

// A try that brought so much was none in vain: the count of tries begins anew.
constexpr int64_t kProgress = int64_t{8} << 20;
// How often a server may say that it has nothing from where the partial file ends.
constexpr int kMaxRestarts = 2;

std::string PartialOf(const ModelStore& store, const BlobSource& source) {
  return store.PartialPath(source.sha256.empty() ? "sha1-" + source.git_sha1
                                                 : "sha256-" + source.sha256);
}

// An open, locked partial file with the digests of what is in it.
class Partial {
 public:
  Partial(const ModelStore& store, const BlobSource& source)
      : source_(source), path_(PartialOf(store, source)) {}

  // False: the blob came to be while another process had the lock.
  Result<bool> Open(const ModelStore& store, const Cancel& cancelled,
                    const std::function<void()>& on_wait) {
    while (true) {
      file_ = Fd(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
      if (file_.fd < 0) return SystemError("cannot create", path_);
      ASSIGN_OR_RETURN(const bool locked, WaitForLock(file_.fd, path_, cancelled, on_wait));
      if (!locked) return Cancelled("stopped while another galen fetched " + source_.what);
      struct stat mine, named;
      if (::fstat(file_.fd, &mine) != 0) return SystemError("cannot stat", path_);
      // Whoever had the lock may have finished the file, and given it another name.
      const bool same = ::stat(path_.c_str(), &named) == 0 && named.st_ino == mine.st_ino &&
                        named.st_dev == mine.st_dev;
      if (!source_.sha256.empty() && store.HasBlob(source_.sha256, source_.size)) {
        if (same) ::unlink(path_.c_str());
        return false;
      }
      if (!same) continue;
      RETURN_IF_ERROR(Load(mine.st_size));
      return true;
    }
  }

  int64_t size() const { return size_; }
  int fd() const { return file_.fd; }

  Status Restart() {
    if (::ftruncate(file_.fd, 0) != 0) return SystemError("cannot empty", path_);
    Reset();
    return OkStatus();
  }

  // Has the file system keep the room for the rest, where it can.
  Status Reserve() {
    if (size_ >= source_.size) return OkStatus();
    if (::fallocate(file_.fd, FALLOC_FL_KEEP_SIZE, size_, source_.size - size_) != 0 &&
        errno == ENOSPC) {
      return SystemError("cannot reserve " + FormatBytes(source_.size - size_) + " for", path_);
    }
    return OkStatus();
  }

  Status Write(std::span<const uint8_t> bytes) {
    if (static_cast<int64_t>(bytes.size()) > source_.size - size_) {
      return DataLoss(source_.what + ": the server sends more than the " +
                      std::to_string(source_.size) + " bytes that it announced");
    }
    for (size_t at = 0; at < bytes.size();) {
      const ssize_t n = ::pwrite(file_.fd, bytes.data() + at, bytes.size() - at,
                                 size_ + static_cast<int64_t>(at));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) {
        const Status status = SystemError("cannot write", path_);
        // Back to what the digests know.
        if (::ftruncate(file_.fd, size_) != 0) return SystemError("cannot cut", path_);
        return status;
      }
      at += static_cast<size_t>(n);
    }
    Digests().Add(bytes);
    if (git_) git_->Add(bytes);
    size_ += static_cast<int64_t>(bytes.size());
    return OkStatus();
  }

  // Whether the content is what was asked for; ends the digests.
  bool Check(std::string* sha256, std::string* found) {
    *sha256 = Digests().Hex();
    *found = source_.sha256.empty() ? git_->Hex() : *sha256;
    return *found == (source_.sha256.empty() ? source_.git_sha1 : source_.sha256);
  }

  Status Finish(const ModelStore& store, const std::string& sha256) {
    if (::fsync(file_.fd) != 0) return SystemError("cannot write", path_);
    const std::string blob = store.BlobPath(sha256);
    if (::rename(path_.c_str(), blob.c_str()) != 0) return SystemError("cannot name", blob);
    // What changed it would change every model that shares it. Not before it has its name: a
    // partial file must be opened again to be gone on with.
    ::fchmod(file_.fd, 0444);
    return SyncDirectory(store.root() + "/blobs");
  }

 private:
  Digest& Digests() { return *sha_; }
  void Reset() {
    size_ = 0;
    sha_.emplace(Digest::Sha256());
    git_.reset();
    if (source_.sha256.empty()) git_.emplace(Digest::GitBlob(source_.size));
  }
  Status Load(int64_t size) {
    if (size > source_.size) return Restart();
    Reset();
    if (git_)
      RETURN_IF_ERROR(AddFileBytes(file_.fd, size, path_, {&*sha_, &*git_}));
    else
      RETURN_IF_ERROR(AddFileBytes(file_.fd, size, path_, {&*sha_}));
    size_ = size;
    return OkStatus();
  }

  const BlobSource& source_;
  const std::string path_;
  Fd file_;
  int64_t size_ = 0;
  std::optional<Digest> sha_, git_;
};

// What the headers say against what is expected, before bytes are taken.
Status CheckHeaders(const HttpResponse& response, const BlobSource& source, Partial* partial) {
  const std::string linked = response.first_headers.contains("x-linked-etag")
                                 ? response.first_headers.at("x-linked-etag")
                                 : "";
  if (!source.sha256.empty() && linked.size() == 66 && linked[0] == '"' &&
      IsHex(linked.substr(1, 64), 64) && linked.substr(1, 64) != source.sha256) {
    return DataLoss(source.what + ": the hub contradicts itself about the digest: " +
                    source.sha256 + " in its list, " + linked.substr(1, 64) + " at the file");
  }
  int64_t from = partial->size();
  if (response.code == 200 && from > 0) {  // the range was ignored: all of it comes again
    RETURN_IF_ERROR(partial->Restart());
    from = 0;
  }
  if (response.code == 206) {
    const std::string range = response.Header("content-range");
    const std::string expected = "bytes " + std::to_string(from) + "-";
    std::string total = "/";
    total += std::to_string(source.size);
    if (!range.starts_with(expected) || !(range.ends_with(total) || range.ends_with("/*"))) {
      return DataLoss(source.what + ": asked for the bytes from " + std::to_string(from) + " of " +
                      std::to_string(source.size) + ", the server sends '" +
                      Shown(range.substr(0, 80)) + "'");
    }
  }
  const std::string length = response.Header("content-length");
  if (!length.empty() && length != std::to_string(source.size - from)) {
    return DataLoss(source.what + ": " + std::to_string(source.size - from) +
                    " bytes were announced, the server is about to send " +
                    Shown(length.substr(0, 20)) + "; try again later or from another mirror");
  }
  return OkStatus();
}

std::string Short(const std::string& digest) { return digest.substr(0, 12); }

}  // namespace

int64_t RoomFor(const ModelStore& store, const BlobSource& source) {
  if (!source.sha256.empty() && store.HasBlob(source.sha256, source.size)) return 0;
  struct stat info = {};
  if (::stat(PartialOf(store, source).c_str(), &info) != 0) return source.size;
  const int64_t there = std::max<int64_t>(info.st_size, int64_t{512} * info.st_blocks);
  return std::max<int64_t>(0, source.size - there);
}

Status CheckRoom(const ModelStore& store, int64_t bytes) {
  struct statvfs info;
  if (::statvfs(store.root().c_str(), &info) != 0) return OkStatus();  // writing will tell
  const auto room = static_cast<double>(info.f_bavail) * static_cast<double>(info.f_frsize);
  if (static_cast<double>(bytes) <= room) return OkStatus();
  return ResourceExhausted(
      "the disk is full: " + FormatBytes(bytes) + " are to come, " +
      FormatBytes(static_cast<int64_t>(room)) + " are free at " + store.root() +
      "; make room (`galen list`, `galen rm`) or put the store elsewhere with GALEN_STORE");
}

Result<std::string> FetchBlob(const ModelStore& store, HttpClient* http, const BlobSource& source,
                              const std::function<Status(const HttpResponse&)>& explain,
                              const TransferEvents& events) {
  const auto note = [&](const std::string& text) {
    if (events.note) events.note(text);
  };
  const auto progress = [&](int64_t done) {
    if (events.progress) events.progress(done);
  };
  if (!source.sha256.empty() && store.HasBlob(source.sha256, source.size)) {
    progress(source.size);
    return source.sha256;
  }
  Partial partial(store, source);
  ASSIGN_OR_RETURN(const bool mine, partial.Open(store, http->options().cancelled, [&] {
    note("another galen is fetching " + source.what + "; waiting for it");
  }));
  if (!mine) {
    progress(source.size);
    return source.sha256;
  }
  RETURN_IF_ERROR(CheckRoom(store, RoomFor(store, source)));
  RETURN_IF_ERROR(partial.Reserve());
  progress(partial.size());
  bool second_time = false;
  int attempt = 0, restarts = 0;
  while (true) {
    if (partial.size() < source.size || source.size == 0) {
      HttpGet get = source.get;
      get.offset = partial.size();
      get.max_bytes = source.size;
      const int64_t before = partial.size();
      const HttpResult result = http->Get(
          get, [&](const HttpResponse& r) { return CheckHeaders(r, source, &partial); },
          [&](std::span<const uint8_t> bytes) {
            RETURN_IF_ERROR(partial.Write(bytes));
            progress(partial.size());
            return OkStatus();
          });
      const int code = result.response.code;
      if (partial.size() - before >= kProgress) attempt = 0;
      const bool good = result.status.ok() && code >= 200 && code < 300;
      if (result.status.ok() && code == 416 && partial.size() > 0) {
        RETURN_IF_ERROR(partial.Restart());  // what is there is not of this file
        if (restarts++ < kMaxRestarts) continue;
      }
      // A body without a length may end early without a sign.
      const bool cut = good && partial.size() < source.size;
      if (!good || cut) {
        const bool again = cut || (result.status.ok() ? IsTransientCode(code) : result.transient);
        const Status failure = cut ? DataLoss(source.what + ": the connection ended after " +
                                              std::to_string(partial.size()) + " of " +
                                              std::to_string(source.size) + " bytes")
                               : result.status.ok() ? explain(result.response)
                                                    : result.status.WithContext(source.what);
        if (!again || attempt >= http->options().retries) return failure;
        note(failure.message() + "; trying again");
        if (!http->Pause(RetryPause(attempt++, result.response)))
          return Cancelled("stopped; the same pull goes on where it was");
        continue;
      }
    }
    std::string sha256, found;
    if (partial.Check(&sha256, &found)) {
      RETURN_IF_ERROR(partial.Finish(store, sha256));
      return sha256;
    }
    RETURN_IF_ERROR(partial.Restart());
    const std::string& expected = source.sha256.empty() ? source.git_sha1 : source.sha256;
    const std::string text = source.what + ": what came has the digest " + Short(found) +
                             "..., not " + Short(expected) + "...";
    if (second_time) {
      return DataLoss(text +
                      ", twice; it was thrown away. The hub, a mirror or a proxy in between "
                      "changes it: try another network or mirror");
    }
    second_time = true;
    note(text + "; fetching it again from its beginning");
  }
}

}  // namespace galen

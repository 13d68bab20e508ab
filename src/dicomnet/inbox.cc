#include "dicomnet/inbox.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "base/files.h"
#include "base/output_file.h"
#include "base/sha256.h"
#include "dicomnet/peers.h"
#include "media/dicom/part10.h"

namespace galen::dicomnet {
namespace {

namespace fs = std::filesystem;
constexpr std::string_view kEnding = ".dcm";
constexpr int64_t kMostInflated = int64_t{512} << 20;

Status DiskError(const std::string& what, const std::string& path) {
  const bool full = errno == ENOSPC || errno == EDQUOT || errno == EFBIG;
  const std::string text = what + " " + path + ": " + std::strerror(errno);
  return full ? ResourceExhausted(text) : IoError(text);
}

Status MakeFolder(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return OkStatus();
  return DiskError("cannot make", path);
}

// By galen's own parser, which has limits. Unsupported with a name: only its pixels are not read.
Status NameOf(std::span<const uint8_t> bytes, InstanceName* name, Refusal* why) {
  *why = Refusal::kCannotUnderstand;
  DicomWarnings warnings;
  DicomOptions limits;
  limits.max_inflated_bytes = kMostInflated;
  const Result<dicom::Part10> file = dicom::ParsePart10(bytes, limits, &warnings);
  if (!file.ok()) {
    if (file.status().code() == StatusCode::kUnsupported) *why = Refusal::kOtherSyntax;
    return file.status();
  }
  const dicom::DataSet& data = file->data_set;
  InstanceName said{data.Text(dicom::kSopClass), data.Text(dicom::kSopInstance),
                    data.Text(dicom::kStudyInstance), data.Text(dicom::kSeriesInstance)};
  if (!IsUid(said.sop_class) || !IsUid(said.instance) || !IsUid(said.study))
    return DataLoss("an instance without the UIDs of class, instance and study");
  const dicom::Element* pixels = data.Find(dicom::kPixelData);
  if (pixels != nullptr && pixels->truncated) return DataLoss("an instance that is cut off");
  *name = std::move(said);
  if (file->syntax->codec == dicom::PixelCodec::kUnsupported) {
    *why = Refusal::kOtherSyntax;
    return Unsupported("an instance in a transfer syntax that galen does not read");
  }
  return OkStatus();
}

std::chrono::system_clock::time_point TimeOf(const struct stat& info) {
  return std::chrono::system_clock::time_point(std::chrono::seconds(info.st_mtim.tv_sec));
}

}  // namespace

Result<std::unique_ptr<Inbox>> Inbox::Open(const InboxOptions& options) {
  std::unique_ptr<Inbox> inbox(new Inbox(options));
  RETURN_IF_ERROR(MakeFolder(options.folder));
  if (::chmod(options.folder.c_str(), 0700) != 0)
    return DiskError("cannot close to others", options.folder);
  inbox->lock_ = Fd(::open((options.folder + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (inbox->lock_.fd < 0) return DiskError("cannot open", options.folder + "/lock");
  if (::flock(inbox->lock_.fd, LOCK_EX | LOCK_NB) != 0)
    return IoError("another process uses the DICOM inbox " + options.folder);
  RETURN_IF_ERROR(inbox->ReadFolder());
  inbox->Sweep();
  inbox->sweeper_ = std::thread([raw = inbox.get()] { raw->Loop(); });
  return inbox;
}

Inbox::~Inbox() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  if (sweeper_.joinable()) sweeper_.join();
}

Status Inbox::ReadFolder() {
  std::error_code error;
  fs::remove_all(options_.folder + "/incoming", error);
  RETURN_IF_ERROR(MakeFolder(options_.folder + "/incoming"));
  RETURN_IF_ERROR(MakeFolder(options_.folder + "/studies"));
  for (fs::directory_iterator it(options_.folder + "/studies", error), end; !error && it != end;
       it.increment(error)) {
    const std::string uid = it->path().filename();
    if (IsUid(uid)) RETURN_IF_ERROR(ReadStudy(uid));
  }
  if (error) return IoError("cannot read " + options_.folder + "/studies: " + error.message());
  return OkStatus();
}

Status Inbox::ReadStudy(const std::string& uid) {
  std::error_code error;
  Held held;
  for (fs::directory_iterator it(FolderOf(uid), error), end; !error && it != end;
       it.increment(error)) {
    const std::string file = it->path().filename();
    if (!file.ends_with(kEnding)) continue;
    const std::string instance = file.substr(0, file.size() - kEnding.size());
    struct stat info = {};
    if (!IsUid(instance) || ::stat(it->path().c_str(), &info) != 0) continue;
    // The digest is made when it is asked for: an inbox may be large.
    held.files[instance] = {it->path(), instance, "", static_cast<int64_t>(info.st_size)};
    held.last = std::max(held.last, TimeOf(info));
    counts_.bytes += info.st_size;
  }
  if (error) return IoError("cannot read " + FolderOf(uid) + ": " + error.message());
  counts_.instances += static_cast<int64_t>(held.files.size());
  ++counts_.studies;
  studies_.emplace(uid, std::move(held));
  return OkStatus();
}

std::string Inbox::FolderOf(const std::string& study) const {
  return options_.folder + "/studies/" + study;
}

std::unique_ptr<Inbox::Incoming> Inbox::Begin() {
  std::unique_ptr<Incoming> incoming(new Incoming(this));
  int64_t number = 0;
  {
    const std::lock_guard lock(mutex_);
    number = next_++;
    if (counts_.instances >= options_.max_instances)
      incoming->failure_ = ResourceExhausted("the DICOM inbox holds all the instances that it may");
  }
  if (!incoming->failure_.ok()) return incoming;
  incoming->path_ = options_.folder + "/incoming/" + std::to_string(number) + ".part";
  incoming->file_ =
      Fd(::open(incoming->path_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (incoming->file_.fd < 0) incoming->failure_ = DiskError("cannot make", incoming->path_);
  return incoming;
}

Inbox::Incoming::~Incoming() {
  if (!path_.empty()) ::unlink(path_.c_str());
  const std::lock_guard lock(inbox_->mutex_);
  inbox_->arriving_ -= bytes_;
}

void Inbox::Incoming::Write(std::string_view bytes) {
  if (!failure_.ok()) return;
  {
    const InboxOptions& o = inbox_->options_;
    const std::lock_guard lock(inbox_->mutex_);
    const auto more = static_cast<int64_t>(bytes.size());
    if (bytes_ + more > o.max_instance_bytes) {
      failure_ = ResourceExhausted("the instance is larger than " +
                                   std::to_string(o.max_instance_bytes) + " bytes");
    } else if (inbox_->counts_.bytes + inbox_->arriving_ + more > o.max_bytes) {
      failure_ = ResourceExhausted("the DICOM inbox is full");
    } else {
      bytes_ += more;
      inbox_->arriving_ += more;
    }
  }
  for (size_t done = 0; failure_.ok() && done < bytes.size();) {
    const ssize_t n = ::write(file_.fd, bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) failure_ = DiskError("cannot write", path_);
    if (n > 0) done += static_cast<size_t>(n);
  }
  if (!failure_.ok() && file_.fd >= 0) (void)!::ftruncate(file_.fd, 0);  // room for others
}

Result<StoredInstance> Inbox::Incoming::Accept(const InstanceName& expected, Refusal* why) {
  *why = Refusal::kOutOfResources;
  RETURN_IF_ERROR(failure_);
  if (::fsync(file_.fd) != 0) return DiskError("cannot finish writing", path_);
  StoredInstance stored;
  Status named;
  {
    ASSIGN_OR_RETURN(const std::shared_ptr<MappedFile> mapped, MappedFile::Open(path_));
    named = NameOf(mapped->bytes(), &name_, why);
    if (!named.ok() && name_.instance.empty()) return named;
    if (named.ok()) stored.sha256 = Sha256Hex(mapped->bytes());
  }
  stored.name = name_;
  stored.bytes = bytes_;
  const auto differs = [](const std::string& wanted, const std::string& is) {
    return !wanted.empty() && wanted != is;
  };
  if (differs(expected.sop_class, stored.name.sop_class) ||
      differs(expected.instance, stored.name.instance) ||
      differs(expected.study, stored.name.study) || differs(expected.series, stored.name.series)) {
    *why = Refusal::kDoesNotMatch;
    return InvalidArgument("the instance is another than was announced");
  }
  RETURN_IF_ERROR(named);
  *why = Refusal::kOutOfResources;
  const std::lock_guard lock(inbox_->mutex_);
  Inbox& inbox = *inbox_;
  const std::string folder = inbox.FolderOf(stored.name.study);
  const std::string path = folder + "/" + stored.name.instance + std::string(kEnding);
  if (const auto study = inbox.studies_.find(stored.name.study); study != inbox.studies_.end()) {
    const auto file = study->second.files.find(stored.name.instance);
    if (file != study->second.files.end()) {
      if (file->second.sha256.empty()) {
        ASSIGN_OR_RETURN(const std::shared_ptr<MappedFile> mapped, MappedFile::Open(path));
        file->second.sha256 = Sha256Hex(mapped->bytes());
      }
      stored.known = file->second.sha256 == stored.sha256;
      if (stored.known) {  // sent again: the study's time begins anew, after a restart, too
        study->second.last = std::chrono::system_clock::now();
        (void)::utimensat(AT_FDCWD, path.c_str(), nullptr, 0);
        return stored;
      }
      *why = Refusal::kDuplicate;
      return InvalidArgument("another instance of the same UID is in the inbox");
    }
  }
  if (inbox.counts_.instances >= inbox.options_.max_instances)
    return ResourceExhausted("the DICOM inbox holds all the instances that it may");
  const bool first = inbox.studies_.count(stored.name.study) == 0;
  RETURN_IF_ERROR(MakeFolder(folder));
  if (::rename(path_.c_str(), path.c_str()) != 0) {
    const Status status = DiskError("cannot name", path);
    if (first) ::rmdir(folder.c_str());
    return status;
  }
  path_.clear();
  Status synced = SyncDirectory(folder);
  if (synced.ok() && first) synced = SyncDirectory(inbox.options_.folder + "/studies");
  if (!synced.ok()) {  // not acknowledged: it must not stay, either
    ::unlink(path.c_str());
    if (first) ::rmdir(folder.c_str());
    return synced;
  }
  Held& held = inbox.studies_[stored.name.study];
  held.files[stored.name.instance] = {path, stored.name.instance, stored.sha256, bytes_};
  held.last = std::chrono::system_clock::now();
  inbox.counts_.studies += first ? 1 : 0;
  ++inbox.counts_.instances;
  inbox.counts_.bytes += bytes_;
  inbox.arriving_ -= bytes_;
  bytes_ = 0;
  return stored;
}

Result<std::string> Study::DigestOf(const File& file) {
  if (!file.sha256.empty()) return file.sha256;
  ASSIGN_OR_RETURN(const std::shared_ptr<MappedFile> mapped, MappedFile::Open(file.path));
  return Sha256Hex(mapped->bytes());
}

Result<Study> Inbox::Find(const std::string& uid) {
  if (!IsUid(uid)) return InvalidArgument("a study is named by its Study Instance UID");
  const std::lock_guard lock(mutex_);
  const auto found = studies_.find(uid);
  if (found == studies_.end()) return NotFound("the DICOM inbox has no study of this UID");
  Study study;
  study.uid_ = uid;
  study.folder_ = FolderOf(uid);
  study.lease_ = found->second.lease;
  for (const auto& [instance, file] : found->second.files) study.files_.push_back(file);
  return study;
}

void Inbox::RemoveLocked(std::map<std::string, Held>::iterator study) {
  std::error_code ignored;
  fs::remove_all(FolderOf(study->first), ignored);
  for (const auto& [instance, file] : study->second.files) counts_.bytes -= file.bytes;
  counts_.instances -= static_cast<int64_t>(study->second.files.size());
  --counts_.studies;
  studies_.erase(study);
}

bool Inbox::Remove(const std::string& uid) {
  const std::lock_guard lock(mutex_);
  const auto found = studies_.find(uid);
  if (found == studies_.end() || found->second.read()) return false;
  RemoveLocked(found);
  return true;
}

Inbox::Counts Inbox::counts() const { return {counts_.studies, counts_.instances, counts_.bytes}; }

void Inbox::Sweep() {
  const std::lock_guard lock(mutex_);
  const auto now = std::chrono::system_clock::now();
  for (auto it = studies_.begin(); it != studies_.end();) {
    const auto study = it++;
    if (now - study->second.last >= options_.keep && !study->second.read()) RemoveLocked(study);
  }
}

void Inbox::Loop() {
  constexpr std::chrono::seconds kMost{60};
  const std::chrono::milliseconds period = std::clamp<std::chrono::milliseconds>(
      options_.keep / 4, std::chrono::milliseconds(250), kMost);
  std::unique_lock lock(mutex_);
  while (!stop_) {
    wake_.wait_for(lock, period);
    if (stop_) return;
    lock.unlock();
    Sweep();
    lock.lock();
  }
}

}  // namespace galen::dicomnet

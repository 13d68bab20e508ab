// Instances that were received, until their time is over: a folder of this process alone,
//   DIR/studies/STUDY_UID/INSTANCE_UID.dcm   files of PS3.10
//   DIR/incoming/N.part                      what is being received
// An instance that was accepted is on the disk under its name (synced) and stays until its study
// has been quiet for `keep`. Nothing that was accepted makes room for what comes. Thread-safe.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/fd.h"
#include "base/status.h"

namespace galen::dicomnet {

struct InboxOptions {
  std::string folder;
  int64_t max_bytes = int64_t{16} << 30;  // of all files
  int64_t max_instances = 200'000;        // in all
  int64_t max_instance_bytes = int64_t{2} << 30;
  std::chrono::seconds keep{24 * 3600};  // since the last instance of a study came
};

// What an instance says of itself.
struct InstanceName {
  std::string sop_class, instance, study;
  std::string series = {};  // may be absent
};

struct StoredInstance {
  InstanceName name;
  std::string sha256;  // of the file
  int64_t bytes = 0;
  bool known = false;  // the same was there already
};

// Why an instance was not taken, as the status of C-STORE (PS3.4 B.2.3) and the failure reason of
// STOW-RS (PS3.18 I.2.2).
enum class Refusal : uint16_t {
  kOutOfResources = 0xA700,
  kDoesNotMatch = 0xA900,  // another class or instance than was announced
  kCannotUnderstand = 0xC000,
  kOtherSyntax = 0xC122,  // a transfer syntax that galen does not read
  kDuplicate = 0x0111,    // another instance of the same name is there
};

// A study for a reader: its files stay while this lives.
class Study {
 public:
  const std::string& uid() const { return uid_; }
  const std::string& folder() const { return folder_; }
  struct File {
    std::string path, instance, sha256;
    int64_t bytes = 0;
  };
  const std::vector<File>& files() const { return files_; }  // by instance
  // SHA-256 of a file; those of an earlier process are read for it.
  static Result<std::string> DigestOf(const File& file);

 private:
  friend class Inbox;
  std::string uid_, folder_;
  std::vector<File> files_;
  std::shared_ptr<const int> lease_;
};

class Inbox {
 public:
  // Makes the folder (mode 0700) or reads what is in it; half files of an earlier process go.
  // Errors: another process has it, or it cannot be made.
  static Result<std::unique_ptr<Inbox>> Open(const InboxOptions& options);
  ~Inbox();

  // An instance as it comes. What is not accepted leaves nothing behind.
  class Incoming {
   public:
    ~Incoming();
    Incoming(const Incoming&) = delete;
    Incoming& operator=(const Incoming&) = delete;
    // After a failure the bytes are dropped; Accept says why.
    void Write(std::string_view bytes);
    // Why it will not be accepted, as far as the disk and limits say so already.
    const Status& failure() const { return failure_; }
    // expected: empty parts may be anything. `why` is set where it is refused.
    Result<StoredInstance> Accept(const InstanceName& expected, Refusal* why);
    // What a refused one says of itself, as far as it could be read; of kOtherSyntax, too, where
    // galen knows the syntax.
    const InstanceName& name() const { return name_; }

   private:
    friend class Inbox;
    explicit Incoming(Inbox* inbox) : inbox_(inbox) {}

    Inbox* const inbox_;
    Fd file_;
    std::string path_;
    int64_t bytes_ = 0;
    Status failure_;
    InstanceName name_;
  };
  // Never null: what stands against it is said by Accept.
  std::unique_ptr<Incoming> Begin();

  // NotFound; InvalidArgument: no UID.
  Result<Study> Find(const std::string& uid);
  // False: there is none, or it is being read.
  bool Remove(const std::string& uid);

  struct Counts {
    int64_t studies = 0, instances = 0, bytes = 0;
  };
  Counts counts() const;  // without waiting for what writes
  int64_t max_instance_bytes() const { return options_.max_instance_bytes; }
  // Removes what is over; called by a thread of the inbox, too.
  void Sweep();

 private:
  struct Held {
    std::map<std::string, Study::File> files;  // by instance
    std::chrono::system_clock::time_point last;
    std::shared_ptr<const int> lease = std::make_shared<const int>(0);
    bool read() const { return lease.use_count() > 1; }
  };
  explicit Inbox(InboxOptions options) : options_(std::move(options)) {}
  Status ReadFolder();
  Status ReadStudy(const std::string& uid);
  void RemoveLocked(std::map<std::string, Held>::iterator study);
  std::string FolderOf(const std::string& study) const;
  void Loop();

  const InboxOptions options_;
  Fd lock_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::map<std::string, Held> studies_;
  struct {
    std::atomic<int64_t> studies{0}, instances{0}, bytes{0};
  } counts_;
  int64_t arriving_ = 0;  // bytes of what is being received
  int64_t next_ = 1;
  bool stop_ = false;
  std::thread sweeper_;
};

}  // namespace galen::dicomnet

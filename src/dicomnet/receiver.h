// The DICOM port: C-ECHO and C-STORE from those that are allowed, into an inbox. One thread
// accepts; each association has its own.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "dicomnet/inbox.h"
#include "dicomnet/peers.h"

namespace galen::dicomnet {

struct ReceiverOptions {
  std::string host = "127.0.0.1";
  int port = 0;  // 0: any free one
  std::string title = "GALEN";
  std::vector<AllowedPeer> allowed;
  int max_associations = 8;  // at a time; more are rejected as transient
  // Of an association request as a whole (10 s at most), of each command, and of each MiB of a data
  // set.
  std::chrono::milliseconds timeout{60'000};
};

// What an association was. Titles are those of allowed peers, else empty: a stranger's may be
// anything.
struct AssociationReport {
  std::string id, title, address;
  std::string outcome;  // released, aborted, lost, late, excessive, broken, stopped, failed,
                        // rejected, no_request
  std::string reason;   // of a rejection: address, called_title, calling_title, context_name, busy,
                        // unrecorded
  int64_t echoes = 0, stored = 0, known = 0, refused = 0, bytes = 0;
  double seconds = 0;
};

// Told from the threads of associations.
struct ReceiverEvents {
  // An allowed peer asks. False: it is rejected, since that cannot be recorded.
  std::function<bool(const AssociationReport&)> begins;
  // Its instances, a list at a time, after they were acknowledged; SHA-256 of their files.
  std::function<void(const std::string& id, const std::vector<std::string>& digests)> received;
  std::function<void(const AssociationReport&)> ended;
};

class Receiver {
 public:
  // Binds. inbox must outlive the receiver. Errors name the address.
  static Result<std::unique_ptr<Receiver>> Create(const ReceiverOptions& options, Inbox* inbox,
                                                  ReceiverEvents events);
  // Ends what runs: what was not acknowledged is not kept.
  ~Receiver();
  int port() const;

 private:
  class Impl;
  explicit Receiver(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace galen::dicomnet

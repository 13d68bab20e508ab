// Studies that others send: the inbox, the DICOM port, and what of both goes into log and audit.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dicomnet/inbox.h"
#include "dicomnet/receiver.h"
#include "server/dicom/web_sources.h"
#include "server/options.h"
#include "server/server_log.h"

namespace galen {
class AuditLog;
}

namespace galen::server {

struct StudyCounters {
  std::atomic<int64_t> associations{0}, rejected{0}, stored{0}, refused{0}, sent{0}, unsent{0};
};

class StudyRoom {
 public:
  // Reads the inbox and the names of who may call. log and audit (null: none) outlive the room.
  static Result<std::unique_ptr<StudyRoom>> Open(const StudyOptions& options, ServerLog* log,
                                                 AuditLog* audit);
  // Opens the DICOM port, if there is to be one.
  Status Receive();
  // Associations end; what was not acknowledged is not kept.
  void StopReceiving() {
    web_->Stop();
    receiver_ = nullptr;
  }
  int port() const { return port_; }  // 0: none

  dicomnet::Inbox& inbox() { return *inbox_; }
  const StudyCounters& counters() const { return counters_; }

  // A title of options.send_to, or "dicomweb:NAME".
  bool KnowsDestination(const std::string& title) const;
  // Sends an instance, a file, to such a place, and says so in log and audit; id: of the
  // request. Errors: as of dicomnet::SendInstance and StoreInstance; Io: it cannot be
  // recorded.
  Status Send(const std::string& id, const std::string& title, const std::string& file);

  // Whether a text is "dicomweb:NAME/UID" of a server that is known.
  bool KnowsStudyName(std::string_view text) const { return web_->KnowsStudyName(text); }
  // "dicomweb:NAME/UID": what the inbox has not is retrieved into it. Errors: of WebSources; of the
  // inbox without its paths, which the log has; Unsupported: galen reads nothing of it. *left_out:
  // instances that galen does not read.
  Result<dicomnet::Study> Retrieve(const std::string& id, const std::string& text, bool* busy,
                                   int64_t* left_out);

  // Instances of a request or an association that were acknowledged.
  void Stored(const std::string& id, const std::vector<std::string>& digests);
  void Count(int64_t stored, int64_t refused);

 private:
  StudyRoom(const StudyOptions& options, ServerLog* log, AuditLog* audit)
      : options_(options), log_(*log), audit_(audit) {}
  bool Begins(const dicomnet::AssociationReport& report);
  void Ended(const dicomnet::AssociationReport& report);

  const StudyOptions options_;
  ServerLog& log_;
  AuditLog* const audit_;
  std::vector<dicomnet::AllowedPeer> allowed_;
  std::vector<dicomnet::Destination> destinations_;
  StudyCounters counters_;
  int port_ = 0;
  std::unique_ptr<WebSources> web_;
  std::unique_ptr<dicomnet::Inbox> inbox_;
  std::unique_ptr<dicomnet::Receiver> receiver_;  // goes before the inbox
};

}  // namespace galen::server

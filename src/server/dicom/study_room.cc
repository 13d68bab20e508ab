#include "server/dicom/study_room.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "audit/audit_log.h"
#include "dicomnet/sender.h"

namespace galen::server {
namespace {

// What the system said, without the path before it, which holds UIDs.
std::string ReasonOf(const std::string& text) {
  const size_t at = text.rfind(": ");
  return at == text.npos ? "" : text.substr(at + 2);
}

}  // namespace

Result<std::unique_ptr<StudyRoom>> StudyRoom::Open(const StudyOptions& options, ServerLog* log,
                                                   AuditLog* audit) {
  std::unique_ptr<StudyRoom> room(new StudyRoom(options, log, audit));
  for (const std::string& text : options.allow) {
    ASSIGN_OR_RETURN(dicomnet::AllowedPeer peer, dicomnet::ParseAllowedPeer(text));
    room->allowed_.push_back(std::move(peer));
  }
  for (const std::string& text : options.send_to) {
    ASSIGN_OR_RETURN(dicomnet::Destination to, dicomnet::ParseDestination(text));
    if (room->KnowsDestination(to.title))
      return InvalidArgument("--dicom-send-to names " + to.title + " twice");
    room->destinations_.push_back(std::move(to));
  }
  if (options.port >= 0 && room->allowed_.empty()) {
    return InvalidArgument(
        "nobody may send to the DICOM port: name who may with --dicom-allow TITLE=HOST");
  }
  ASSIGN_OR_RETURN(room->web_, WebSources::Open(options, log));
  ASSIGN_OR_RETURN(room->inbox_, dicomnet::Inbox::Open(options.inbox));
  return room;
}

Status StudyRoom::Receive() {
  if (options_.port < 0) return OkStatus();
  dicomnet::ReceiverOptions receiver;
  receiver.host = options_.host;
  receiver.port = options_.port;
  receiver.title = options_.title;
  receiver.allowed = allowed_;
  receiver.max_associations = options_.max_associations;
  receiver.timeout = options_.timeout;
  dicomnet::ReceiverEvents events;
  events.begins = [this](const auto& report) { return Begins(report); };
  events.received = [this](const auto& id, const auto& digests) { Stored(id, digests); };
  events.ended = [this](const auto& report) { Ended(report); };
  ASSIGN_OR_RETURN(receiver_,
                   dicomnet::Receiver::Create(receiver, inbox_.get(), std::move(events)));
  port_ = receiver_->port();
  return OkStatus();
}

bool StudyRoom::KnowsDestination(const std::string& title) const {
  return (web_ != nullptr && web_->Knows(title)) ||
         std::any_of(destinations_.begin(), destinations_.end(),
                     [&](const dicomnet::Destination& to) { return to.title == title; });
}

Status StudyRoom::Send(const std::string& id, const std::string& title, const std::string& file) {
  const auto to =
      std::find_if(destinations_.begin(), destinations_.end(),
                   [&](const dicomnet::Destination& one) { return one.title == title; });
  const bool web = web_->Knows(title);
  if (!web && to == destinations_.end())
    return InvalidArgument("this server sends nothing to " + title + " (--dicom-send-to)");
  const std::span<const uint8_t> bytes(reinterpret_cast<const uint8_t*>(file.data()), file.size());
  if (audit_ != nullptr && !audit_
                                ->Append({{"event", "dicom_send"},
                                          {"id", id},
                                          {"peer", title},
                                          {"media", {audit_->Digest(bytes)}}})
                                .ok()) {
    return IoError("the report was not sent: the audit record cannot be written");
  }
  const Status status = web ? web_->Store(title, file)
                            : dicomnet::SendInstance(*to, options_.title, file, options_.timeout);
  ++(status.ok() ? counters_.sent : counters_.unsent);
  log_.Event("dicom_sent", {{"id", id}, {"peer", title}, {"stored", status.ok()}});
  if (audit_ != nullptr) {
    audit_->AppendLater(
        {{"event", "dicom_sent"}, {"id", id}, {"peer", title}, {"stored", status.ok()}});
  }
  return status;
}

Result<dicomnet::Study> StudyRoom::Retrieve(const std::string& id, const std::string& text,
                                            bool* busy, int64_t* left_out) {
  const auto begin = std::chrono::steady_clock::now();
  dicomnet::RetrievedStudy done;
  Status status = web_->Retrieve(text, inbox_.get(), busy, &done);
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  Stored(id, done.digests);
  Count(done.fetched, done.left_out);
  Json fields = {{"id", id},
                 {"source", web_->SourceOf(text)},
                 {"done", status.ok()},
                 {"listed", done.listed},
                 {"fetched", done.fetched},
                 {"left_out", done.left_out},
                 {"bytes", done.bytes},
                 {"seconds", std::round(seconds * 1e6) / 1e6}};
  log_.Event("dicomweb", fields);
  if (audit_ != nullptr) {
    fields["event"] = "dicom_retrieved";
    audit_->AppendLater(std::move(fields));
  }
  *left_out = done.left_out;
  // Limits of the inbox name no path.
  if (done.inbox_failed && status.message().find('/') != std::string::npos) {
    const bool full = status.code() == StatusCode::kResourceExhausted;
    log_.Event("dicom_inbox", {{"id", id}, {"error", ReasonOf(status.message())}});
    status = full ? ResourceExhausted("the inbox cannot be written: the disk is full")
                  : IoError("the inbox cannot be written");
  }
  RETURN_IF_ERROR(status);
  if (!done.study) {
    return Unsupported("the DICOMweb server " + web_->SourceOf(text) +
                       " has nothing of this study that galen reads");
  }
  return *std::move(done.study);
}

void StudyRoom::Stored(const std::string& id, const std::vector<std::string>& digests) {
  if (audit_ == nullptr || digests.empty()) return;
  Json media = Json::array();
  for (const std::string& digest : digests) media.push_back(audit_->Digest(digest));
  audit_->AppendLater({{"event", "dicom_stored"}, {"id", id}, {"media", std::move(media)}});
}

void StudyRoom::Count(int64_t stored, int64_t refused) {
  counters_.stored += stored;
  counters_.refused += refused;
}

bool StudyRoom::Begins(const dicomnet::AssociationReport& report) {
  return audit_ == nullptr || audit_
                                  ->Append({{"event", "dicom"},
                                            {"id", report.id},
                                            {"peer", report.title},
                                            {"address", report.address}})
                                  .ok();
}

void StudyRoom::Ended(const dicomnet::AssociationReport& report) {
  ++(report.outcome == "rejected" ? counters_.rejected : counters_.associations);
  Count(report.stored + report.known, report.refused);
  Json fields = {{"id", report.id},
                 {"address", report.address},
                 {"outcome", report.outcome},
                 {"echoes", report.echoes},
                 {"stored", report.stored},
                 {"known", report.known},
                 {"refused", report.refused},
                 {"bytes", report.bytes},
                 {"seconds", std::round(report.seconds * 1e6) / 1e6}};
  if (!report.title.empty()) fields["peer"] = report.title;
  if (!report.reason.empty()) fields["reason"] = report.reason;
  log_.Event("dicom", fields);
  if (audit_ == nullptr) return;
  fields["event"] = "dicom_end";
  audit_->AppendLater(std::move(fields));
}

}  // namespace galen::server

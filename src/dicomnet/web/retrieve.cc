#include "dicomnet/web/retrieve.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <utility>

#include "dicomnet/web/search.h"
#include "http/header_value.h"
#include "http/related_reader.h"

namespace galen::dicomnet {
namespace {

constexpr char kDicomType[] = "application/dicom";
// As they are stored: nothing is decoded on the way.
constexpr char kAcceptInstances[] =
    "multipart/related; type=\"application/dicom\"; transfer-syntax=*";

// Instances that came to be since the list was made.
constexpr int64_t kMoreThanListed = 100;

class StudyFetch {
 public:
  StudyFetch(WebClient* client, const WebPlace& place, Inbox* inbox, const RetrieveLimits& limits,
             const std::function<void(int64_t, int64_t)>& progress, RetrievedStudy* done)
      : client_(*client),
        place_(place),
        inbox_(*inbox),
        limits_(limits),
        progress_(progress),
        done_(*done) {}

  Status Run() {
    Hold();
    ASSIGN_OR_RETURN(const std::vector<FoundInstance> listed,
                     ListInstances(&client_, place_.study, place_.series, limits_.max_instances));
    done_.listed = static_cast<int64_t>(listed.size());
    std::vector<FoundInstance> missing = Missing(listed);
    if (missing.size() == listed.size() && missing.size() > 1) {
      const WebResult all = Fetch(WebPathOf(place_), {"", "", place_.study, place_.series});
      if (!all.status.ok() && !all.transient) return all.status;
      missing = Missing(listed);
    }
    for (const FoundInstance& one : missing) RETURN_IF_ERROR(FetchOne(one));
    if (!Missing(listed).empty())
      return DataLoss("instances of the study were removed while it was retrieved");
    if (Result<Study> study = inbox_.Find(place_.study); study.ok())
      done_.study = *std::move(study);
    return OkStatus();
  }

 private:
  // While the study is held it is not removed; before something came there is nothing to hold.
  void Hold() {
    if (held_) return;
    if (Result<Study> study = inbox_.Find(place_.study); study.ok()) held_ = *std::move(study);
  }

  void LeaveOut(const std::string& instance) {
    left_out_.insert(instance);
    done_.left_out = static_cast<int64_t>(left_out_.size());
  }

  // Of the listed ones, those that the inbox has not and that were not left out.
  std::vector<FoundInstance> Missing(const std::vector<FoundInstance>& listed) const {
    std::set<std::string> there = left_out_;
    if (const Result<Study> study = inbox_.Find(place_.study); study.ok()) {
      for (const Study::File& file : study->files()) there.insert(file.instance);
    }
    std::vector<FoundInstance> missing;
    std::copy_if(listed.begin(), listed.end(), std::back_inserter(missing),
                 [&](const FoundInstance& one) { return !there.contains(one.instance); });
    return missing;
  }

  Status FetchOne(const FoundInstance& one) {
    const std::string path =
        "/studies/" + place_.study + "/series/" + one.series + "/instances/" + one.instance;
    for (int attempt = 0;; ++attempt) {
      const WebResult result = Fetch(path, {"", one.instance, place_.study, one.series});
      if (result.status.ok()) {
        if (came_.contains(one.instance) || left_out_.contains(one.instance)) return OkStatus();
        if (unnamed_ == 1) {  // it was asked for by name, and nothing else came
          LeaveOut(one.instance);
          return OkStatus();
        }
        return DataLoss(client_.name() + " lists an instance that it does not send");
      }
      if (!result.transient || attempt >= client_.retries() || !client_.Pause(attempt, result))
        return result.status;
    }
  }

  // One request; its parts go into the inbox as they come.
  WebResult Fetch(const std::string& path, const InstanceName& expected) {
    std::optional<RelatedReader> reader;
    std::unique_ptr<Inbox::Incoming> incoming;
    std::set<std::string> seen;
    unnamed_ = 0;
    bool single = false;
    int64_t bytes = 0, part_bytes = 0;
    RelatedEvents events;
    events.begin = [&]() -> Status {
      incoming = inbox_.Begin();
      part_bytes = 0;
      return OkStatus();
    };
    events.data = [&](std::string_view data) -> Status {
      incoming->Write(data);
      bytes += static_cast<int64_t>(data.size());
      part_bytes += static_cast<int64_t>(data.size());
      // What is too large is not read to its end.
      if (!incoming->failure().ok()) done_.inbox_failed = true;
      return incoming->failure();
    };
    events.end = [&]() -> Status {
      if (part_bytes == 0) return NoInstance("it is empty");
      return Take(std::exchange(incoming, nullptr), expected, &seen);
    };
    const auto begin = [&](const HttpResponse& response) -> Status {
      if (response.code == 204) return OkStatus();
      const std::string type = response.Header("content-type");
      HeaderValue value;
      if (!HeaderValue::Parse(type, &value)) value = HeaderValue();
      if (value.word() == kDicomType) {  // one instance as the whole body
        single = true;
        return events.begin();
      }
      if (value.word() != "multipart/related") {
        return DataLoss(client_.name() +
                        " sends no DICOM instances: is it a page to log in, or another URL?");
      }
      FormLimits parts;
      parts.parts = static_cast<size_t>(done_.listed + kMoreThanListed);
      Result<RelatedReader> made = RelatedReader::Create(type, kDicomType, events, parts);
      if (!made.ok()) return made.status().WithContext(client_.name());
      reader.emplace(*std::move(made));
      return OkStatus();
    };
    const auto sink = [&](std::span<const uint8_t> data) -> Status {
      const std::string_view text(reinterpret_cast<const char*>(data.data()), data.size());
      return single ? events.data(text) : reader->Write(text);
    };
    WebResult result =
        client_.Retrieve(path, kAcceptInstances, limits_.max_bytes - received_, begin, sink);
    received_ += bytes;
    if (!result.status.ok()) return result;
    if (single) {
      result.status = events.end();
    } else if (!reader) {
      result.status = NotFound(client_.name() + " sends nothing");
    } else if (result.status = reader->Finish(); !result.status.ok()) {
      result.status = result.status.WithContext(client_.name());
      result.transient = true;  // a connection that ended early without a sign
    }
    return result;
  }

  Status NoInstance(const std::string& why) const {
    return DataLoss(client_.name() + " sent something that is no whole DICOM instance: " + why);
  }

  Status Twice() const {
    return DataLoss(client_.name() + " sent the same instance twice in one answer");
  }

  Status Take(std::unique_ptr<Inbox::Incoming> incoming, const InstanceName& expected,
              std::set<std::string>* seen) {
    Refusal why = Refusal::kOutOfResources;
    const Result<StoredInstance> stored = incoming->Accept(expected, &why);
    if (!stored.ok()) {
      switch (why) {
        case Refusal::kOtherSyntax:
          if (incoming->name().instance.empty()) {
            ++unnamed_;
            return OkStatus();
          }
          if (!seen->insert(incoming->name().instance).second) return Twice();
          LeaveOut(incoming->name().instance);
          return OkStatus();
        case Refusal::kDoesNotMatch:
          return DataLoss(client_.name() +
                          " sent an instance of another study, series or UID than was asked for");
        case Refusal::kDuplicate:
          return DataLoss(client_.name() +
                          " sent another instance under a UID that is there already");
        case Refusal::kCannotUnderstand:
          return NoInstance(stored.status().message());
        case Refusal::kOutOfResources:
          done_.inbox_failed = true;
          break;
      }
      return stored.status();
    }
    Hold();
    if (!seen->insert(stored->name.instance).second) return Twice();
    came_.insert(stored->name.instance);
    ++done_.fetched;
    done_.bytes += stored->bytes;
    done_.digests.push_back(stored->sha256);
    if (progress_) progress_(done_.fetched, done_.listed);
    return OkStatus();
  }

  WebClient& client_;
  const WebPlace& place_;
  Inbox& inbox_;
  const RetrieveLimits& limits_;
  const std::function<void(int64_t, int64_t)>& progress_;
  RetrievedStudy& done_;
  std::optional<Study> held_;
  std::set<std::string> came_;      // instances that are in the inbox now
  std::set<std::string> left_out_;  // those in syntaxes that galen does not read
  int64_t unnamed_ = 0;  // parts of the last answer in syntaxes that galen does not even know
  int64_t received_ = 0;
};

}  // namespace

Status RetrieveStudy(WebClient* client, const WebPlace& place, Inbox* inbox,
                     const RetrieveLimits& limits,
                     const std::function<void(int64_t, int64_t)>& progress, RetrievedStudy* done) {
  *done = {};
  return StudyFetch(client, place, inbox, limits, progress, done).Run();
}

}  // namespace galen::dicomnet

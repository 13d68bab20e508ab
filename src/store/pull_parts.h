// What pulls from the hub and from registries share.
#pragma once

#include <string>
#include <utility>

#include "store/pull.h"
#include "store/transfer.h"

namespace galen {

// How often blobs that another process removed meanwhile are fetched again.
constexpr int kMaxPullRounds = 3;

// Counts bytes over all files of a pull.
class PullMeter {
 public:
  PullMeter(const OnPullEvent& on_event, int64_t total) : on_event_(on_event), total_(total) {}

  void Send(PullEvent event) const {
    event.done = done_ + file_done_;
    event.total = total_;
    if (on_event_) on_event_(event);
  }
  TransferEvents EventsOf(const BlobSource& source) {
    file_ = source.what;
    file_done_ = 0;
    file_total_ = source.size;
    digest_ = source.sha256.empty() ? "sha1:" + source.git_sha1 : "sha256:" + source.sha256;
    Send({PullEvent::Kind::kFile, file_, digest_, 0, file_total_, 0, 0});
    TransferEvents events;
    events.progress = [this](int64_t done) {
      file_done_ = done;
      Send({PullEvent::Kind::kProgress, file_, digest_, done, file_total_, 0, 0});
    };
    events.note = [this](const std::string& text) {
      Send({PullEvent::Kind::kNote, text, "", 0, 0, 0, 0});
    };
    return events;
  }
  void Next() {
    done_ += file_total_;
    file_done_ = file_total_ = 0;
  }

 private:
  const OnPullEvent& on_event_;
  const int64_t total_;
  int64_t done_ = 0, file_done_ = 0, file_total_ = 0;
  std::string file_, digest_;
};

inline void Say(const OnPullEvent& on_event, PullEvent::Kind kind, std::string text = "") {
  if (on_event) on_event({kind, std::move(text), "", 0, 0, 0, 0});
}

Status NotFetchedOffline(const std::string& name, const ModelStore& store);
Result<Pulled> PullFromHub(const ModelStore& store, const HubName& name, const PullOptions& options,
                           const OnPullEvent& on_event);
Result<Pulled> PullFromRegistry(const ModelStore& store, const OllamaName& name,
                                const PullOptions& options, const OnPullEvent& on_event);

}  // namespace galen

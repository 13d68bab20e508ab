#include "remote_study.h"

#include <iostream>

#include "dicomnet/web/retrieve.h"
#include "progress.h"
#include "stop_signal.h"

namespace galen::cli {
namespace {

// Of a study in a temporary folder, which is often in memory.
constexpr int64_t kMostRemoteBytes = int64_t{4} << 30;
// Files of an inbox go when their time is over; these go with the folder.
constexpr std::chrono::hours kWithoutEnd{24 * 365 * 100};

}  // namespace

dicomnet::WebOptions WebOptionsOf(const std::string& root) {
  dicomnet::WebOptions options;
  options.root = root;
  options.user_agent = "galen/" GALEN_VERSION;
  return options;
}

bool RemoteStudy::IsRemote(std::string_view text) { return text.starts_with(dicomnet::kWebPrefix); }

Result<std::shared_ptr<const RemoteStudy>> RemoteStudy::Fetch(const std::string& name) {
  // Goes last: until the folder is gone, Ctrl-C does not end the program.
  const InterruptScope interrupt;
  ASSIGN_OR_RETURN(const dicomnet::WebPlace place, dicomnet::ParseWebPlace(name));
  ASSIGN_OR_RETURN(TemporaryFolder folder, TemporaryFolder::Make());
  const std::shared_ptr<RemoteStudy> study(new RemoteStudy(name, std::move(folder)));
  dicomnet::WebOptions options = WebOptionsOf(place.root);
  options.cancelled = InterruptScope::Interrupted;
  ASSIGN_OR_RETURN(const std::unique_ptr<dicomnet::WebClient> client,
                   dicomnet::WebClient::Open(std::move(options)));
  dicomnet::InboxOptions files;
  files.folder = study->place_.path();
  files.max_bytes = kMostRemoteBytes;
  files.keep = kWithoutEnd;
  ASSIGN_OR_RETURN(const std::unique_ptr<dicomnet::Inbox> inbox, dicomnet::Inbox::Open(files));
  dicomnet::RetrieveLimits limits;
  limits.max_bytes = kMostRemoteBytes;
  std::unique_ptr<Progress> bar;
  dicomnet::RetrievedStudy fetched;
  const auto progress = [&](int64_t, int64_t listed) {
    if (bar == nullptr) bar = std::make_unique<Progress>("instances", listed);
    bar->Add(1);
  };
  RETURN_IF_ERROR(
      dicomnet::RetrieveStudy(client.get(), place, inbox.get(), limits, progress, &fetched));
  bar.reset();
  if (fetched.left_out > 0) {
    std::cerr << "galen: " << fetched.left_out
              << " instances are in a transfer syntax that galen does not read\n";
  }
  if (fetched.fetched == 0)
    return Unsupported(client->name() + " has nothing of this study that galen reads");
  study->folder_ = files.folder + "/studies/" + place.study;
  return std::shared_ptr<const RemoteStudy>(study);
}

void RemoteStudy::Rename(std::string* text) const {
  for (size_t at = 0; (at = text->find(folder_, at)) != text->npos; at += name_.size())
    text->replace(at, folder_.size(), name_);
}

}  // namespace galen::cli

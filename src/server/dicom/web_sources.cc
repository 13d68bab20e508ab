#include "server/dicom/web_sources.h"

#include <algorithm>

#include "dicomnet/peers.h"
#include "dicomnet/web/store.h"

namespace galen::server {
namespace {

// Each keeps one of the threads that prepare requests.
constexpr int kMostAtWork = 2;

}  // namespace

Result<std::unique_ptr<WebSources>> WebSources::Open(const StudyOptions& options, ServerLog* log) {
  std::unique_ptr<WebSources> sources(new WebSources(options, log));
  for (const std::string& text : options.web) {
    ASSIGN_OR_RETURN(dicomnet::NamedWebRoot source, dicomnet::ParseNamedWebRoot(text));
    if (sources->Find(source.name) != nullptr)
      return InvalidArgument("--dicomweb names " + source.name + " twice");
    sources->sources_.push_back(std::move(source));
  }
  return sources;
}

const dicomnet::NamedWebRoot* WebSources::Find(std::string_view name) const {
  const auto found =
      std::find_if(sources_.begin(), sources_.end(),
                   [&](const dicomnet::NamedWebRoot& one) { return one.name == name; });
  return found == sources_.end() ? nullptr : &*found;
}

bool WebSources::Knows(std::string_view text) const {
  return IsWebName(text) && Find(text.substr(dicomnet::kWebPrefix.size())) != nullptr;
}

const dicomnet::NamedWebRoot* WebSources::Split(std::string_view text, std::string* study) const {
  if (!IsWebName(text)) return nullptr;
  text.remove_prefix(dicomnet::kWebPrefix.size());
  const size_t slash = text.find('/');
  if (slash == text.npos) return nullptr;
  *study = text.substr(slash + 1);
  return Find(text.substr(0, slash));
}

bool WebSources::KnowsStudyName(std::string_view text) const {
  std::string study;
  return Split(text, &study) != nullptr && dicomnet::IsUid(study);
}

std::string WebSources::SourceOf(std::string_view text) const {
  std::string study;
  const dicomnet::NamedWebRoot* source = Split(text, &study);
  return source == nullptr ? "" : source->name;
}

// The credentials are read for each, so that tokens may be replaced while the server runs.
Result<std::unique_ptr<dicomnet::WebClient>> WebSources::ClientOf(
    const dicomnet::NamedWebRoot& source) const {
  dicomnet::WebOptions web;
  web.root = source.root;
  web.name = "the DICOMweb server " + source.name;
  web.credentials = options_.web_credentials;
  web.stall_seconds = std::chrono::duration<double>(options_.timeout).count();
  web.total_seconds = std::chrono::duration<double>(options_.web_timeout).count();
  web.cancelled = [this] { return stop_.load(); };
  Result<std::unique_ptr<dicomnet::WebClient>> client = dicomnet::WebClient::Open(std::move(web));
  if (client.ok()) return client;
  // Paths are for the operator: requests learn that it is not their fault.
  log_.Event("dicomweb_credentials",
             {{"source", source.name}, {"error", client.status().message()}});
  return IoError("the credentials of " + source.name + " cannot be read");
}

Status WebSources::Retrieve(std::string_view text, dicomnet::Inbox* inbox, bool* busy,
                            dicomnet::RetrievedStudy* done) {
  *busy = false;
  dicomnet::WebPlace place;
  const dicomnet::NamedWebRoot* source = Split(text, &place.study);
  if (source == nullptr || !dicomnet::IsUid(place.study))
    return InvalidArgument("this is no dicomweb:NAME/UID of a server that is known");
  place.root = source->root;
  struct Slot {
    std::atomic<int>& at_work;
    const int before;
    explicit Slot(std::atomic<int>* count) : at_work(*count), before(at_work.fetch_add(1)) {}
    ~Slot() { --at_work; }
  } slot(&at_work_);
  if (slot.before >= kMostAtWork) {
    *busy = true;
    return ResourceExhausted("other studies are being retrieved; try later");
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<dicomnet::WebClient> client, ClientOf(*source));
  dicomnet::RetrieveLimits limits;
  limits.max_bytes = options_.inbox.max_bytes;
  limits.max_instances = std::min(limits.max_instances, options_.inbox.max_instances);
  return dicomnet::RetrieveStudy(client.get(), place, inbox, limits, {}, done);
}

Status WebSources::Store(std::string_view text, const std::string& file) {
  if (!Knows(text)) return InvalidArgument("this server knows no such DICOMweb server");
  ASSIGN_OR_RETURN(const std::unique_ptr<dicomnet::WebClient> client,
                   ClientOf(*Find(text.substr(dicomnet::kWebPrefix.size()))));
  return dicomnet::StoreInstance(client.get(), file);
}

}  // namespace galen::server

// DICOMweb servers that the operator named: studies from them, reports to them. Nothing that a
// request says leads anywhere else.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dicomnet/web/place.h"
#include "dicomnet/web/retrieve.h"
#include "server/options.h"
#include "server/server_log.h"

namespace galen::server {

class WebSources {
 public:
  // InvalidArgument: a source that is none, or named twice. The log outlives the sources.
  static Result<std::unique_ptr<WebSources>> Open(const StudyOptions& options, ServerLog* log);

  // "dicomweb:...": what a request says in place of a UID or a title.
  static bool IsWebName(std::string_view text) { return text.starts_with(dicomnet::kWebPrefix); }
  // "dicomweb:NAME".
  bool Knows(std::string_view text) const;

  // "dicomweb:NAME/UID".
  bool KnowsStudyName(std::string_view text) const;

  // The NAME of a text that is known; else "".
  std::string SourceOf(std::string_view text) const;

  // "dicomweb:NAME/UID" into the inbox; those that it has are not fetched again. Some at a time, so
  // that other requests go on. InvalidArgument: not KnowsStudyName; ResourceExhausted with
  // *busy: too many at once; Cancelled: Stop; others of dicomnet::RetrieveStudy, without the URL;
  // Io: the credentials cannot be read, why is in the log.
  // *done: what came, after an error, too.
  Status Retrieve(std::string_view text, dicomnet::Inbox* inbox, bool* busy,
                  dicomnet::RetrievedStudy* done);
  // A file of PS3.10 to "dicomweb:NAME". Errors: of dicomnet::StoreInstance; Io, as above.
  Status Store(std::string_view text, const std::string& file);

  // What is being retrieved ends.
  void Stop() { stop_ = true; }

 private:
  WebSources(const StudyOptions& options, ServerLog* log) : options_(options), log_(*log) {}
  // Null: no such name. *study: what stands behind it.
  const dicomnet::NamedWebRoot* Split(std::string_view text, std::string* study) const;
  const dicomnet::NamedWebRoot* Find(std::string_view name) const;
  Result<std::unique_ptr<dicomnet::WebClient>> ClientOf(const dicomnet::NamedWebRoot& source) const;

  const StudyOptions options_;
  ServerLog& log_;
  std::vector<dicomnet::NamedWebRoot> sources_;
  std::atomic<int> at_work_{0};
  std::atomic<bool> stop_{false};
};

}  // namespace galen::server

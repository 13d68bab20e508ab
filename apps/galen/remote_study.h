// A study of a DICOMweb server in a temporary folder.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/child.h"
#include "base/status.h"
#include "dicomnet/web/web_client.h"

namespace galen::cli {

// What the verbs' client has in common: who asks, how long, and that Ctrl-C ends it.
dicomnet::WebOptions WebOptionsOf(const std::string& root);

class RemoteStudy {
 public:
  // "dicomweb:URL/studies/UID".
  static bool IsRemote(std::string_view text);
  // Waits until all of it is there; shows progress. Errors: of dicomnet::RetrieveStudy.
  static Result<std::shared_ptr<const RemoteStudy>> Fetch(const std::string& name);

  const std::string& folder() const { return folder_; }  // its DICOM files
  // Puts the name in place of the folder.
  void Rename(std::string* text) const;

 private:
  RemoteStudy(std::string name, TemporaryFolder place)
      : name_(std::move(name)), place_(std::move(place)) {}

  const std::string name_;
  TemporaryFolder place_;
  std::string folder_;
};

}  // namespace galen::cli

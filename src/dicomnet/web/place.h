// How DICOMweb servers, and studies on them, are named.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace galen::dicomnet {

// "dicomweb:": what a text begins with that names a study on such a server.
inline constexpr std::string_view kWebPrefix = "dicomweb:";

// The root of a DICOMweb service (PS3.18 8.2), without a slash at its end:
// "https://pacs/dicom-web". InvalidArgument: no URL of http or https; credentials, a query or a
// fragment in it.
Result<std::string> ParseWebRoot(std::string_view text);

struct WebPlace {
  std::string root;
  std::string study, series;  // series empty: all
};

// "ROOT/studies/UID" or "ROOT/studies/UID/series/UID", "dicomweb:" before it or not.
// InvalidArgument.
Result<WebPlace> ParseWebPlace(std::string_view text);

// "/studies/UID[/series/UID]": where a place lies under its root.
std::string WebPathOf(const WebPlace& place);

struct NamedWebRoot {
  std::string name;  // as titles (IsTitle), without spaces
  std::string root;
};

// "NAME=URL". InvalidArgument.
Result<NamedWebRoot> ParseNamedWebRoot(const std::string& text);

}  // namespace galen::dicomnet

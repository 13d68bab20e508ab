#include "dicomnet/web/place.h"

#include <algorithm>

#include "dicomnet/peers.h"
#include "http/http_client.h"

namespace galen::dicomnet {
namespace {

constexpr std::string_view kStudies = "/studies/", kSeries = "/series/";

// Where the host begins; npos: nowhere. curl takes one to three slashes, others take two.
size_t HostOf(std::string_view text) {
  const size_t at = text.starts_with("http://") ? 7 : text.starts_with("https://") ? 8 : text.npos;
  return at < text.size() && text[at] != '/' ? at : text.npos;
}

}  // namespace

Result<std::string> ParseWebRoot(std::string_view text) {
  while (text.ends_with('/')) text.remove_suffix(1);
  const std::string root(text);
  const bool plain = std::all_of(text.begin(), text.end(), [](char c) {
    return c > ' ' && c < 0x7f && std::string_view("?#\\\"<>").find(c) == std::string_view::npos;
  });
  const size_t host = HostOf(text);
  if (!plain || host == text.npos || OriginOf(root).empty()) {
    return InvalidArgument(
        "a DICOMweb server is named by an http or https URL without a query, such as "
        "https://pacs.example/dicom-web");
  }
  if (HasCredentials(root) ||
      text.substr(host, text.find('/', host) - host).find('@') != text.npos) {
    return InvalidArgument(
        "credentials do not belong into a URL, which others can see: put them into the file that "
        "GALEN_DICOMWEB_CREDENTIALS names");
  }
  return root;
}

Result<WebPlace> ParseWebPlace(std::string_view text) {
  if (text.starts_with(kWebPrefix)) text.remove_prefix(kWebPrefix.size());
  while (text.ends_with('/')) text.remove_suffix(1);
  const size_t study = text.rfind(kStudies);
  if (study == text.npos)
    return InvalidArgument("a study on a DICOMweb server is named by URL/studies/UID");
  WebPlace place;
  ASSIGN_OR_RETURN(place.root, ParseWebRoot(text.substr(0, study)));
  std::string_view rest = text.substr(study + kStudies.size());
  const size_t series = rest.find(kSeries);
  place.study = rest.substr(0, series);
  if (series != rest.npos) place.series = rest.substr(series + kSeries.size());
  if (!IsUid(place.study) || (series != rest.npos && !IsUid(place.series))) {
    return InvalidArgument(
        "a study on a DICOMweb server is named by URL/studies/UID, a series by "
        "URL/studies/UID/series/UID");
  }
  return place;
}

std::string WebPathOf(const WebPlace& place) {
  return "/studies/" + place.study + (place.series.empty() ? "" : "/series/" + place.series);
}

Result<NamedWebRoot> ParseNamedWebRoot(const std::string& text) {
  const size_t equals = text.find('=');
  NamedWebRoot named;
  named.name = text.substr(0, equals);
  if (equals == text.npos || !IsTitle(named.name) || named.name.find(' ') != named.name.npos) {
    return InvalidArgument(
        "a DICOMweb server is given as NAME=URL; a name has 1 to 16 letters, digits, - _ .");
  }
  ASSIGN_OR_RETURN(named.root, ParseWebRoot(std::string_view(text).substr(equals + 1)));
  return named;
}

}  // namespace galen::dicomnet

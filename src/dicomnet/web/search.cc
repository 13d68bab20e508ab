#include "dicomnet/web/search.h"

#include <algorithm>
#include <functional>
#include <set>

#include "dicomnet/peers.h"
#include "dicomnet/web/dicom_json.h"
#include "http/percent.h"

namespace galen::dicomnet {
namespace {

constexpr int64_t kPage = 1000;  // asked for at a time; servers may give fewer
constexpr size_t kMostModalities = 64;

constexpr char kStudyUid[] = "0020000D", kSeriesUid[] = "0020000E", kInstanceUid[] = "00080018";

// Modalities are code strings (PS3.5 6.2); others are left out.
bool IsCode(const std::string& text) {
  return !text.empty() && text.size() <= 16 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == ' ';
  });
}

// Digits and signs of an integer string, or nothing.
std::string NumberOf(const Json& set, const char* tag) {
  std::string text = JsonText(set, tag);
  const bool number =
      text.size() <= 12 && text.find_first_not_of("0123456789-+") == std::string::npos;
  return number ? text : "";
}

// Asks page by page, and gives each data set to `take` once, by its value of `key`, until there are
// no more, or `limit` were taken: then the answer is true where there are more.
Result<bool> EachFound(WebClient* client, const std::string& path, const std::string& query,
                       const char* key, int64_t limit,
                       const std::function<Status(const Json&)>& take) {
  std::set<std::string> known;
  bool full = false;  // the answer before this had as many as were asked for
  for (int64_t seen = 0;;) {
    const auto taken = static_cast<int64_t>(known.size());
    const int64_t page = std::min(kPage, limit - taken + 1);  // one more tells that there are more
    std::string asked = query + (query.empty() ? "" : "&") + "limit=" + std::to_string(page);
    if (seen > 0) asked += "&offset=" + std::to_string(seen);
    ASSIGN_OR_RETURN(const std::string text, client->Search(path, asked));
    const Result<std::vector<Json>> sets = ParseDicomJson(text);
    if (!sets.ok()) return sets.status().WithContext(client->name());
    for (const Json& set : *sets) {
      const std::string uid = JsonText(set, key);
      if (known.contains(uid)) continue;
      if (static_cast<int64_t>(known.size()) >= limit) return true;
      RETURN_IF_ERROR(take(set));
      known.insert(uid);
    }
    const auto rows = static_cast<int64_t>(sets->size());
    seen += rows;
    if (static_cast<int64_t>(known.size()) == taken) {
      // The end, or a server that gives all at once, whatever it is asked.
      if (!full || rows < page) return false;
      return DataLoss(client->name() +
                      " gives the same page again (it ignores `offset`): there may be more that it "
                      "does not list");
    }
    full = rows == page;
  }
}

Status Mistaken(const WebClient& client, const std::string& what) {
  return DataLoss(client.name() + " " + what);
}

// The UID of an element, which must be one.
Result<std::string> UidOf(const WebClient& client, const Json& set, const char* tag) {
  std::string uid = JsonText(set, tag);
  if (!IsUid(uid)) return Mistaken(client, "lists something without a UID");
  return uid;
}

// Where the study is said, it must be this one.
Status CheckStudy(const WebClient& client, const Json& set, const std::string& study) {
  const std::string said = JsonText(set, kStudyUid);
  if (said.empty() || said == study) return OkStatus();
  return Mistaken(client, "lists things of another study than was asked for");
}

void AddKey(const char* key, const std::string& value, std::string* query) {
  if (value.empty()) return;
  *query += (query->empty() ? "" : "&") + std::string(key) + "=" + PercentEncode(value);
}

}  // namespace

Status CheckStudyDate(const std::string& date) {
  const size_t dash = date.find('-');
  const auto is_day = [](const std::string& day) {
    return day.size() == 8 && day.find_first_not_of("0123456789") == std::string::npos;
  };
  const std::string from = date.substr(0, dash);
  const std::string to = dash == date.npos ? from : date.substr(dash + 1);
  const bool good = (from.empty() || is_day(from)) && (to.empty() || is_day(to)) && date.size() > 1;
  return good ? OkStatus()
              : InvalidArgument(
                    "a date is YYYYMMDD, or a range: YYYYMMDD-YYYYMMDD, either end may "
                    "be left out");
}

Result<std::vector<FoundStudy>> SearchStudies(WebClient* client, const StudyFilter& filter,
                                              int64_t limit, bool* more) {
  if (!filter.date.empty()) RETURN_IF_ERROR(CheckStudyDate(filter.date));
  std::string query;
  AddKey("PatientID", filter.patient_id, &query);
  AddKey("PatientName", filter.patient_name, &query);
  AddKey("AccessionNumber", filter.accession_number, &query);
  AddKey("ModalitiesInStudy", filter.modality, &query);
  AddKey("StudyInstanceUID", filter.study, &query);
  AddKey("StudyDate", filter.date, &query);
  AddKey("includefield", "00081030", &query);  // the description, which is not always given
  std::string wanted = filter.patient_id;      // blanks at its end mean nothing
  wanted.resize(wanted.find_last_not_of(' ') + 1);
  const bool one_patient = !wanted.empty() && wanted.find_first_of("*?\\") == std::string::npos;
  std::vector<FoundStudy> studies;
  const auto take = [&](const Json& set) -> Status {
    FoundStudy study;
    ASSIGN_OR_RETURN(study.study, UidOf(*client, set, kStudyUid));
    if (!filter.study.empty()) RETURN_IF_ERROR(CheckStudy(*client, set, filter.study));
    const std::string patient = JsonText(set, "00100020");
    if (one_patient && !patient.empty() && patient != wanted)
      return Mistaken(*client, "lists studies of another patient than was asked for");
    for (std::string& modality : JsonTexts(set, "00080061", kMostModalities)) {
      if (IsCode(modality)) study.modalities.push_back(std::move(modality));
    }
    study.series = JsonCount(set, "00201206");
    study.instances = JsonCount(set, "00201208");
    study.patient_name = PrivateText(JsonText(set, "00100010"));
    study.patient_id = PrivateText(patient);
    study.birth_date = PrivateText(JsonText(set, "00100030"));
    study.date = PrivateText(JsonText(set, "00080020"));
    study.time = PrivateText(JsonText(set, "00080030"));
    study.accession_number = PrivateText(JsonText(set, "00080050"));
    study.description = PrivateText(JsonText(set, "00081030"));
    studies.push_back(std::move(study));
    return OkStatus();
  };
  ASSIGN_OR_RETURN(*more, EachFound(client, "/studies", query, kStudyUid, limit, take));
  return studies;
}

Result<std::vector<FoundSeries>> SearchSeries(WebClient* client, const std::string& study) {
  constexpr int64_t kMostSeries = 10'000;
  std::vector<FoundSeries> all;
  const auto take = [&](const Json& set) -> Status {
    FoundSeries series;
    RETURN_IF_ERROR(CheckStudy(*client, set, study));
    ASSIGN_OR_RETURN(series.series, UidOf(*client, set, kSeriesUid));
    series.modality = JsonText(set, "00080060");
    if (!IsCode(series.modality)) series.modality.clear();
    series.number = NumberOf(set, "00200011");
    series.instances = JsonCount(set, "00201209");
    series.description = PrivateText(JsonText(set, "0008103E"));
    all.push_back(std::move(series));
    return OkStatus();
  };
  ASSIGN_OR_RETURN(const bool more, EachFound(client, "/studies/" + study + "/series", "",
                                              kSeriesUid, kMostSeries, take));
  if (more) return Mistaken(*client, "lists more series than a study has");
  if (all.empty()) return NotFound(client->name() + " has no such study");
  return all;
}

Result<std::vector<FoundInstance>> ListInstances(WebClient* client, const std::string& study,
                                                 const std::string& series, int64_t max_instances) {
  std::vector<FoundInstance> all;
  const auto take = [&](const Json& set) -> Status {
    FoundInstance one;
    RETURN_IF_ERROR(CheckStudy(*client, set, study));
    ASSIGN_OR_RETURN(one.instance, UidOf(*client, set, kInstanceUid));
    one.series = JsonText(set, kSeriesUid);
    if (one.series.empty()) one.series = series;
    if (!IsUid(one.series) || (!series.empty() && one.series != series))
      return Mistaken(*client, "lists instances of another series than was asked for, or of none");
    all.push_back(std::move(one));
    return OkStatus();
  };
  const std::string path =
      "/studies/" + study + (series.empty() ? "" : "/series/" + series) + "/instances";
  ASSIGN_OR_RETURN(const bool more, EachFound(client, path, "", kInstanceUid, max_instances, take));
  if (more) {
    return ResourceExhausted("the study has more than the " + std::to_string(max_instances) +
                             " instances allowed");
  }
  if (all.empty()) return NotFound(client->name() + " has no such study or series");
  return all;
}

}  // namespace galen::dicomnet

// galen dicomweb: what a DICOMweb server has, and files to and from it.
#include <filesystem>
#include <iostream>
#include <memory>

#include "base/files.h"
#include "base/json.h"
#include "base/memory.h"
#include "commands.h"
#include "dicomnet/web/place.h"
#include "dicomnet/web/retrieve.h"
#include "dicomnet/web/search.h"
#include "dicomnet/web/store.h"
#include "progress.h"
#include "remote_study.h"
#include "stop_signal.h"
#include "store/shown.h"

namespace galen::cli {
namespace {

constexpr size_t kMostSent = size_t{2} << 30;

struct DicomWebOptions {
  std::string url, credentials, out;
  std::vector<std::string> files;
  dicomnet::StudyFilter filter;
  double timeout = 60, total = 3600;
  int retries = 3;
  int64_t limit = 50, max_mb = 16384;
  bool keep_identity = false;
  bool json = false;
};

Result<std::unique_ptr<dicomnet::WebClient>> OpenClient(const DicomWebOptions& o,
                                                        const std::string& root) {
  const std::atomic<bool>& stop = CatchStopSignals();
  dicomnet::WebOptions options = WebOptionsOf(root);
  options.credentials = o.credentials;
  options.stall_seconds = o.timeout;
  options.total_seconds = o.total;
  options.retries = o.retries;
  options.cancelled = [&stop] { return stop.load(); };
  return dicomnet::WebClient::Open(std::move(options));
}

void PrintJson(const Json& json) {
  std::cout << json.dump(-1, ' ', false, Json::error_handler_t::replace) << "\n";
}

// The servers' texts are not galen's: control characters go.
std::string Line(const std::string& name, const PrivateText& text) {
  return text.empty() ? "" : "    " + name + ": " + Shown(text.Reveal()) + "\n";
}

std::string CountText(int64_t count, const char* what) {
  return count == 0 ? "" : ", " + std::to_string(count) + " " + what;
}

Status ListStudies(const DicomWebOptions& o, dicomnet::WebClient* client) {
  bool more = false;
  ASSIGN_OR_RETURN(const std::vector<dicomnet::FoundStudy> studies,
                   SearchStudies(client, o.filter, o.limit, &more));
  Json rows = Json::array();
  for (const dicomnet::FoundStudy& study : studies) {
    Json row = {{"study", study.study},
                {"modalities", study.modalities},
                {"series", study.series},
                {"instances", study.instances}};
    if (o.keep_identity) {
      row["identity"] = {{"patient_name", study.patient_name.Reveal()},
                         {"patient_id", study.patient_id.Reveal()},
                         {"birth_date", study.birth_date.Reveal()},
                         {"study_date", study.date.Reveal()},
                         {"study_time", study.time.Reveal()},
                         {"accession_number", study.accession_number.Reveal()},
                         {"description", study.description.Reveal()}};
    }
    rows.push_back(std::move(row));
  }
  if (o.json) {
    PrintJson({{"studies", std::move(rows)}, {"more", more}});
    return OkStatus();
  }
  for (const dicomnet::FoundStudy& study : studies) {
    std::cout << study.study << "  ";
    for (size_t i = 0; i < study.modalities.size(); ++i)
      std::cout << (i == 0 ? "" : "+") << study.modalities[i];
    std::cout << CountText(study.series, "series") << CountText(study.instances, "instances")
              << "\n";
    if (!o.keep_identity) continue;
    std::cout << Line("name", study.patient_name) << Line("id", study.patient_id)
              << Line("born", study.birth_date) << Line("date", study.date)
              << Line("accession", study.accession_number)
              << Line("description", study.description);
  }
  if (studies.empty()) std::cerr << "galen: no study\n";
  if (more) std::cerr << "galen: there are more (--limit)\n";
  return OkStatus();
}

Status ListSeries(const DicomWebOptions& o, const std::string& study, dicomnet::WebClient* client) {
  ASSIGN_OR_RETURN(const std::vector<dicomnet::FoundSeries> all, SearchSeries(client, study));
  Json rows = Json::array();
  for (const dicomnet::FoundSeries& series : all) {
    rows.push_back({{"series", series.series},
                    {"modality", series.modality},
                    {"number", series.number},
                    {"instances", series.instances}});
    if (o.keep_identity) rows.back()["identity"] = {{"description", series.description.Reveal()}};
  }
  if (o.json) {
    PrintJson({{"study", study}, {"series", std::move(rows)}});
    return OkStatus();
  }
  for (const dicomnet::FoundSeries& series : all) {
    std::cout << series.series << "  " << series.modality
              << (series.number.empty() ? "" : ", number " + series.number)
              << CountText(series.instances, "instances") << "\n";
    if (o.keep_identity) std::cout << Line("description", series.description);
  }
  return OkStatus();
}

Status Query(const DicomWebOptions& o) {
  if (o.url.find("/studies/") != o.url.npos) {
    ASSIGN_OR_RETURN(const dicomnet::WebPlace place, dicomnet::ParseWebPlace(o.url));
    ASSIGN_OR_RETURN(const auto client, OpenClient(o, place.root));
    return ListSeries(o, place.study, client.get());
  }
  std::string_view url = o.url;
  if (RemoteStudy::IsRemote(url)) url.remove_prefix(dicomnet::kWebPrefix.size());
  ASSIGN_OR_RETURN(const std::string root, dicomnet::ParseWebRoot(url));
  ASSIGN_OR_RETURN(const auto client, OpenClient(o, root));
  return ListStudies(o, client.get());
}

// A folder of galen's own layout is gone on with; in another one nothing is put or removed.
Status CheckFolder(const std::string& out) {
  std::error_code error;
  const bool ours = FileExists(out + "/lock") && IsDirectory(out + "/studies");
  if (!std::filesystem::exists(out, error) || ours) return OkStatus();
  if (std::filesystem::is_directory(out, error) && std::filesystem::is_empty(out, error) && !error)
    return OkStatus();
  return InvalidArgument(out + " is no empty folder and none that this command made");
}

Status FetchStudy(const DicomWebOptions& o) {
  ASSIGN_OR_RETURN(const dicomnet::WebPlace place, dicomnet::ParseWebPlace(o.url));
  RETURN_IF_ERROR(CheckFolder(o.out));
  ASSIGN_OR_RETURN(const auto client, OpenClient(o, place.root));
  dicomnet::InboxOptions files;
  files.folder = o.out;
  files.max_bytes = o.max_mb << 20;
  files.keep = std::chrono::hours(24 * 365 * 100);  // nothing in it is removed
  ASSIGN_OR_RETURN(const auto inbox, dicomnet::Inbox::Open(files));
  dicomnet::RetrieveLimits limits;
  limits.max_bytes = o.max_mb << 20;
  std::unique_ptr<Progress> bar;
  dicomnet::RetrievedStudy fetched;
  const auto progress = [&](int64_t, int64_t listed) {
    if (bar == nullptr) bar = std::make_unique<Progress>("instances", listed);
    bar->Add(1);
  };
  const Status status =
      dicomnet::RetrieveStudy(client.get(), place, inbox.get(), limits, progress, &fetched);
  bar.reset();
  if (!status.ok()) {
    const bool some = inbox->counts().instances > 0;
    return Status(status.code(),
                  status.message() +
                      (some ? "; what came is in " + o.out + ", the same command goes on" : ""));
  }
  const std::string folder = o.out + "/studies/" + place.study;
  if (o.json) {
    PrintJson({{"folder", folder},
               {"listed", fetched.listed},
               {"fetched", fetched.fetched},
               {"left_out", fetched.left_out},
               {"bytes", fetched.bytes}});
    return OkStatus();
  }
  std::cout << fetched.fetched << " of " << fetched.listed << " instances fetched, "
            << FormatBytes(fetched.bytes) << ", in " << folder << "\n";
  if (fetched.left_out > 0) {
    std::cout << fetched.left_out
              << " are in a transfer syntax that galen does not read, and were left out\n";
  }
  return OkStatus();
}

Status SendFiles(const DicomWebOptions& o) {
  ASSIGN_OR_RETURN(const std::string root, dicomnet::ParseWebRoot(o.url));
  ASSIGN_OR_RETURN(const auto client, OpenClient(o, root));
  for (const std::string& path : o.files) {
    ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path, kMostSent));
    const Status sent = dicomnet::StoreInstance(client.get(), bytes);
    if (!sent.ok()) return sent.WithContext(path);
    if (o.json)
      PrintJson({{"file", path}, {"stored", true}});
    else
      std::cout << path << " is stored\n";
  }
  return OkStatus();
}

void AddCommon(CLI::App* verb, DicomWebOptions* o) {
  verb->add_option("--credentials", o->credentials,
                   "File with a line ORIGIN bearer TOKEN or ORIGIN basic USER:PASSWORD (default: "
                   "the one that GALEN_DICOMWEB_CREDENTIALS names)")
      ->type_name("FILE");
  verb->add_option("--timeout", o->timeout,
                   "Seconds after which a server that sends less than 1 KiB/s is given up")
      ->check(CLI::Range(1.0, 86400.0))
      ->capture_default_str();
  verb->add_option("--total-timeout", o->total, "Seconds for all of it")
      ->check(CLI::Range(1.0, 604800.0))
      ->capture_default_str();
  verb->add_option("--retries", o->retries,
                   "Tries after the first, of what may go away: cut connections, 429, 5xx")
      ->check(CLI::Range(0, 1000))
      ->capture_default_str();
  verb->add_flag("--json", o->json, "JSON instead of text");
}

}  // namespace

void AddDicomWeb(CLI::App& app, Action* action) {
  auto o = std::make_shared<DicomWebOptions>();
  CLI::App* verb = app.add_subcommand(
      "dicomweb", "Studies of a DICOMweb server: list, fetch, send (QIDO-RS, WADO-RS, STOW-RS)");
  verb->require_subcommand(1);
  CLI::App* query = verb->add_subcommand("query", "List studies, or the series of one");
  query->add_option("url", o->url, "Root of the DICOMweb service, or URL/studies/UID")
      ->type_name("URL")
      ->required();
  query->add_option("--patient-id", o->filter.patient_id, "Of this patient")->type_name("TEXT");
  query->add_option("--patient-name", o->filter.patient_name, "FAMILY^GIVEN, with * and ?")
      ->type_name("TEXT");
  query->add_option("--accession", o->filter.accession_number, "Accession number")
      ->type_name("TEXT");
  query->add_option("--modality", o->filter.modality, "CT, MR, DX, ...")->type_name("TEXT");
  query->add_option("--date", o->filter.date, "YYYYMMDD, or YYYYMMDD-YYYYMMDD")->type_name("TEXT");
  query->add_option("--limit", o->limit, "At most so many studies")
      ->check(CLI::Range(int64_t{1}, int64_t{100'000}))
      ->capture_default_str();
  query->add_flag("--keep-identity", o->keep_identity,
                  "Also who the studies are of, their dates and descriptions");
  AddCommon(query, o.get());
  query->callback([o, action] {
    if (!o->filter.date.empty()) RequireUsage(dicomnet::CheckStudyDate(o->filter.date));
    *action = [o] { return Query(*o); };
  });
  CLI::App* fetch = verb->add_subcommand("fetch", "Fetch a study or a series into a folder");
  fetch->add_option("url", o->url, "URL/studies/UID, or URL/studies/UID/series/UID")
      ->type_name("URL")
      ->required();
  fetch
      ->add_option("--out", o->out,
                   "The folder: empty, or of an earlier fetch, which is gone on with")
      ->type_name("DIR")
      ->required();
  fetch->add_option("--max-mb", o->max_mb, "Size of all of it")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 24))
      ->capture_default_str();
  AddCommon(fetch, o.get());
  fetch->callback([o, action] {
    RequireUsage(dicomnet::ParseWebPlace(o->url).status());
    *action = [o] { return FetchStudy(*o); };
  });
  CLI::App* send = verb->add_subcommand("send", "Send DICOM files, such as a report");
  send->add_option("url", o->url, "Root of the DICOMweb service")->type_name("URL")->required();
  send->add_option("files", o->files, "DICOM files")->type_name("FILE")->required();
  AddCommon(send, o.get());
  send->callback([o, action] { *action = [o] { return SendFiles(*o); }; });
}

}  // namespace galen::cli

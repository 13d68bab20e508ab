// POST /extract: documents in, checked values out, as `galen extract` gives them.
#include <charconv>

#include "base/base64.h"
#include "extract/output/output.h"
#include "server/api/audit.h"
#include "server/api/write_json.h"
#include "server/dicom/study_room.h"
#include "server/dicom/study_source.h"
#include "server/documents/document_pool.h"
#include "server/documents/event_stream.h"
#include "server/documents/extract_call.h"
#include "server/documents/host_reader.h"
#include "server/documents/run_on_documents.h"
#include "server/endpoints.h"
#include "server/jobs/job_board.h"

namespace galen::server {
namespace {

struct Run {
  const Services& services;
  ExtractCall call;
  std::vector<extract::NamedBytes> files;
  std::optional<dicomnet::Study> study;  // instead of files
  ModelForRequest model, second;         // second.info: null where there is none
  Tenant tenant;
  std::stop_source stop;
  std::shared_ptr<Reply> reply;
  std::string id;                          // of the request
  std::vector<std::string> warnings = {};  // of the study
};

constexpr char kDicom[] = "application/dicom";

const char* ContentTypeOf(const std::string& format) {
  return format == "fhir"   ? "application/fhir+json; charset=utf-8"
         : format == "csv"  ? "text/csv; charset=utf-8"
         : format == "html" ? "text/html; charset=utf-8"
         : format == "sr"   ? kDicom
                            : "application/json";
}

// Files and pages: what breaks a limit is 413, what cannot be read 400.
ApiError ErrorOfCase(const Status& status) {
  ApiError error = ErrorOf(status, "file");
  if (status.code() == StatusCode::kResourceExhausted) error.status = 413;
  if (status.code() == StatusCode::kNotFound) error.status = 400;
  if (status.code() == StatusCode::kCancelled) error.status = 503;
  return error;
}

ApiError ErrorOfReading(const Status& status, const HostReader& reader, const HostReader* second) {
  if (reader.refusal()) return *reader.refusal();
  if (second != nullptr && second->refusal()) return *second->refusal();
  ApiError error = ErrorOf(status);
  // "no medical document found": of the files, not of the address.
  if (status.code() == StatusCode::kNotFound) error.status = 400;
  if (status.code() == StatusCode::kCancelled) error.status = 503;
  return error;
}

// Whoever named no model may not know that one was chosen, nor what it reads.
std::string OtherReaders(const Run& run) {
  const ModelInfo& info = *run.model.info;
  if (!run.call.model.empty() || !info.reads_lines()) return "";
  std::string kinds;
  for (const std::string& kind : info.files.vision.page_lines->kinds)
    kinds += (kinds.empty() ? "" : ", ") + kind;
  return "; " + info.spec.name + " reads " + kinds +
         " alone: for another document name a model of this server in 'model'";
}

Json SummaryOf(const extract::Extraction& extraction) {
  Json values = Json::array();
  for (const extract::Value& value : extraction.answer.values) {
    const auto level = value.Has(extract::Level::kFlag)   ? extract::Level::kFlag
                       : value.Has(extract::Level::kNote) ? extract::Level::kNote
                                                          : extract::Level::kOk;
    values.push_back({{"path", value.leaf.path}, {"level", extract::LevelName(level)}});
  }
  return {{"summary",
           {{"values", extraction.CountStated()},
            {"flagged", extraction.Count(extract::Level::kFlag)},
            {"noted", extraction.Count(extract::Level::kNote)}}},
          {"values", std::move(values)}};
}

// What a stream tells on the way.
void TellProgress(Run* run, EventSink* events) {
  run->call.source.progress = [&counters = run->services.documents.counters(), events](
                                  int64_t done, int64_t total) {
    ++counters.pages;
    if (events != nullptr) events->Send("page", WriteJson(Json{{"done", done}, {"total", total}}));
  };
  if (events == nullptr) return;
  run->call.options.progress = [events](const std::string&, int64_t done, int64_t total) {
    events->Send("reading", WriteJson(Json{{"done", done}, {"total", total}}));
  };
  run->call.options.on_kind = [events](const extract::Kind& kind, const std::string& by) {
    events->Send("kind", WriteJson(Json{{"kind", kind.id}, {"title", kind.title}, {"by", by}}));
  };
  run->call.options.on_text = [events](std::string_view text) {
    events->Send("token", "{\"text\":" + Quoted(text) + "}");
  };
}

// A report that could not be sent is no reason to lose what was read.
Json Sent(const Run& run, const std::string& report) {
  Json sent = {{"to", run.call.send_to}, {"stored", false}};
  const Status status = run.services.studies->Send(run.id, run.call.send_to, report);
  sent["stored"] = status.ok();
  if (!status.ok()) sent["error"] = status.message();
  return sent;
}

Result<std::string> Written(const Run& run, const extract::Extraction& extraction,
                            std::shared_ptr<const extract::SourceStudy> study) {
  extract::OutputOptions output = extract::OutputNow(run.services.options.version);
  output.study = std::move(study);
  if (!run.call.pictures && run.call.send_to.empty())
    return extract::Write(run.call.format, extraction, output);
  Json report = extract::Report(extraction, output);
  if (run.call.pictures) RETURN_IF_ERROR(extract::AddPictures(extraction, {}, &report));
  if (!run.call.send_to.empty()) report["sent"] = Sent(run, extract::ToSr(extraction, output));
  return WriteJson(report);
}

// Errors are ready to be sent.
bool Extract(Run* run, EventSink* events, std::string* text, ApiError* error) {
  const std::stop_token stop = run->stop.get_token();
  run->call.source.cancelled =
      run->call.options.cancelled = [stop] { return stop.stop_requested(); };
  TellProgress(run, events);
  std::shared_ptr<const extract::SourceStudy> study;
  if (run->study) {
    Result<StudyPages> pages = PagesOfStudy(run->services.options, *run->study);
    run->study.reset();
    if (!pages.ok()) {
      *error = ErrorOfCase(pages.status());
      return false;
    }
    run->files = std::move(pages->files);
    study = std::move(pages->study);
  }
  Result<extract::Case> opened = extract::Case::FromBytes(std::move(run->files), run->call.source);
  if (!opened.ok()) {
    *error = ErrorOfCase(opened.status());
    return false;
  }
  const auto source = std::make_shared<const extract::Case>(*std::move(opened));
  const HostReaderOptions options{run->call.max_tokens, run->call.source.dpi};
  auto reader = HostReader::Create(run->services, run->model, run->tenant, options, stop);
  Result<std::unique_ptr<HostReader>> second(std::unique_ptr<HostReader>{});
  if (reader.ok() && run->second.info != nullptr)
    second = HostReader::Create(run->services, run->second, run->tenant, options, stop);
  if (!reader.ok() || !second.ok()) {
    *error = ErrorOf(reader.ok() ? second.status() : reader.status());
    return false;
  }
  auto extraction = extract::Extract(source, run->call.options, reader->get(), second->get());
  if (!extraction.ok()) {
    *error = ErrorOfReading(extraction.status(), **reader, second->get());
    if (extraction.status().code() == StatusCode::kNotFound) error->message += OtherReaders(*run);
    return false;
  }
  extraction->warnings.insert(extraction->warnings.end(), run->warnings.begin(),
                              run->warnings.end());
  if (events != nullptr) events->Send("verdicts", WriteJson(SummaryOf(*extraction)));
  Result<std::string> written = Written(*run, *extraction, std::move(study));
  if (!written.ok()) {
    *error = ErrorOf(written.status());
    return false;
  }
  *text = *std::move(written);
  return true;
}

// Bytes that are no text go into JSON as base64.
std::string Kept(const Run& run, std::string text) {
  if (run.call.format != "sr") return text;
  return EncodeBase64({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

// The last event's data: of one line.
std::string ResultLine(const Run& run, std::string text) {
  if (run.call.format == "sr")
    return WriteJson(Json{{"format", run.call.format}, {"data", Kept(run, std::move(text))}});
  if (run.call.format != "json")
    return WriteJson(Json{{"format", run.call.format}, {"text", text}});
  std::erase(text, '\n');
  return text;
}

void Stream(Run* run) {
  EventStream events(run->reply);
  std::string text;
  ApiError error;
  if (!Extract(run, &events, &text, &error)) return events.Fail(error);
  events.Last("result", ResultLine(*run, std::move(text)));
}

void Answer(Run* run) {
  std::string text;
  ApiError error;
  if (!Extract(run, nullptr, &text, &error))
    return run->reply->Send(ErrorResponse(Dialect::kOpenAi, error));
  HttpResponse response;
  response.content_type = ContentTypeOf(run->call.format);
  // A page of its own: nothing of this server's origin is to run or show it.
  if (run->call.format == "html" || run->call.format == "sr") {
    response.headers.emplace_back("Content-Disposition",
                                  std::string("attachment; filename=\"extraction.") +
                                      (run->call.format == "sr" ? "dcm" : "html") + "\"");
  }
  response.body = std::move(text);
  run->reply->Send(std::move(response));
}

void Work(Run* run, DocumentJob* job) {
  const auto fail = [&](const ApiError& error) {
    const std::string body = ErrorBody(Dialect::kOpenAi, error);
    job->Finish("failed", "error", body, "application/json", body);
  };
  ApiError error;
  try {
    job->Begin();
    std::string text;
    const bool good = Extract(run, job, &text, &error);
    // Whoever asked has deleted it, or the server ends.
    if (run->stop.stop_requested()) return job->Abandon();
    if (!good) return fail(error);
    job->Finish("done", "result", ResultLine(*run, text), ContentTypeOf(run->call.format),
                Kept(*run, text));
  } catch (const std::exception&) {
    error.message = "an internal error";
    fail(error);
  }
}

// Answers 202; the work goes on without the connection.
void StartJob(const std::shared_ptr<Run>& run, int64_t keep) {
  ApiError error;
  const auto fail = [&](int status, const char* message, int retry_after) {
    error.status = status;
    error.message = message;
    error.retry_after = retry_after;
    run->reply->Send(ErrorResponse(Dialect::kOpenAi, error));
  };
  JobBoard* board = run->services.jobs;
  const Result<std::shared_ptr<DocumentJob>> job = board->Start(run->tenant, keep);
  if (!job.ok()) return fail(503, "the job cannot be written down", 10);
  run->stop = (*job)->stop();
  int64_t bytes = 0;  // the connection, and what it counts, ends before the job
  for (const extract::NamedBytes& file : run->files)
    bytes += static_cast<int64_t>(file.bytes.size());
  const int64_t place =
      run->services.documents.Submit(run->tenant.name, bytes, run->stop, [run, job = *job] {
        run->stop.stop_requested() ? job->Abandon() : Work(run.get(), job.get());
      });
  if (place == 0) {
    (*job)->Abandon();
    (void)board->store().Remove((*job)->id(), (*job)->tenant());
    return fail(429, "too many documents wait; try later", 5);
  }
  (*job)->set_place(place);
  HttpResponse response;
  response.status = 202;
  response.headers.emplace_back("Location", "/jobs/" + (*job)->id());
  response.body = WriteJson(Json{{"id", (*job)->id()},
                                 {"state", "queued"},
                                 {"url", "/jobs/" + (*job)->id()},
                                 {"events", "/jobs/" + (*job)->id() + "/events"}});
  run->reply->Send(std::move(response));
}

// ?job=true&keep=SECONDS. 422 for other values.
bool ReadJobQuery(const Services& services, const std::string& query, bool* job, int64_t* keep,
                  ApiError* error) {
  const std::string asked = QueryValue(query, "job"), seconds = QueryValue(query, "keep");
  *job = asked == "true";
  const auto wrong = [&](const char* field, std::string message) {
    *error = ErrorOfField(InvalidArgument(std::move(message)), field);
    return false;
  };
  if (!asked.empty() && asked != "true" && asked != "false")
    return wrong("job", "'job' must be true or false");
  *keep = -1;
  const int64_t most = services.options.keep_jobs;
  if (!seconds.empty()) {
    const auto [end, code] =
        std::from_chars(seconds.data(), seconds.data() + seconds.size(), *keep);
    if (code != std::errc() || end != seconds.data() + seconds.size() || *keep < 0 ||
        *keep > most) {
      return wrong("keep", "'keep' must be seconds from 0 to " + std::to_string(most));
    }
  }
  if (*job && services.jobs == nullptr) {
    error->status = 501;
    error->message = "this server keeps no jobs (--jobs FILE)";
    return false;
  }
  return true;
}

}  // namespace

void ExtractDocuments(const Services& services, std::shared_ptr<const HttpRequest> request,
                      std::shared_ptr<Reply> reply) {
  const auto fail = [&](const ApiError& error) {
    reply->Send(ErrorResponse(Dialect::kOpenAi, error));
  };
  ApiError error;
  Upload upload;
  auto run = std::make_shared<Run>(
      Run{services, {}, {}, {}, {}, {}, request->tenant, {}, reply, request->id});
  bool job = false;
  int64_t keep = -1;
  if (!ReadJobQuery(services, request->query, &job, &keep, &error) ||
      !ReadUpload(services, *request, ExtractFormFields(), StudyUse::kTaken, &upload, &error) ||
      !ReadExtractCall(services, upload, &run->call, &error) ||
      !FindReader(services, run->call, &run->model.info, &error)) {
    return fail(error);
  }
  if (!run->call.send_to.empty() && !services.studies->KnowsDestination(run->call.send_to)) {
    return fail(ErrorOfField(
        InvalidArgument("'send_to' must be a title that the server has (--dicom-send-to), or "
                        "dicomweb:NAME (--dicomweb)"),
        "send_to"));
  }
  if (!run->call.second_model.empty() &&
      !FindNamedModel(services, run->call.second_model, "second_model", &run->second.info,
                      &error)) {
    return fail(error);
  }
  if (!AcquireModel(services, run->model.info, &run->model, &error)) return fail(error);
  if (run->second.info != nullptr &&
      !AcquireModel(services, run->second.info, &run->second, &error)) {
    return fail(error);
  }
  if (!RecordDocuments(services, *request, run->model, run->second.info.get(),
                       DigestsOf(services, upload), &error)) {
    return fail(error);
  }
  run->files = std::move(upload.files);
  run->study = std::move(upload.study);
  run->warnings = std::move(upload.warnings);
  if (job) return StartJob(run, keep);
  RunOnDocuments(services, *request, reply, run->stop,
                 [run] { run->call.stream ? Stream(run.get()) : Answer(run.get()); });
}

}  // namespace galen::server

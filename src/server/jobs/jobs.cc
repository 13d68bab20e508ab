// GET /jobs/ID, GET /jobs/ID/events, DELETE /jobs/ID.
#include "server/api/errors.h"
#include "server/api/write_json.h"
#include "server/documents/document_pool.h"
#include "server/endpoints.h"
#include "server/jobs/job_board.h"
#include "server/services.h"

namespace galen::server {
namespace {

constexpr std::string_view kEvents = "/events";
constexpr char kNoJobs[] = "this server keeps no jobs (--jobs FILE)";
constexpr char kNoSuchJob[] = "there is no such job";

void FailJobRequest(int status, const std::string& message, Reply* reply) {
  ApiError error;
  error.status = status;
  error.message = message;
  reply->Send(ErrorResponse(Dialect::kOpenAi, error));
}

// Another tenant's job is none. False with an answer sent.
bool FindRecord(const Services& services, const std::string& id, const Tenant& tenant,
                JobRecord* record, Reply* reply) {
  if (services.jobs == nullptr) {
    FailJobRequest(404, kNoJobs, reply);
    return false;
  }
  Result<std::optional<JobRecord>> found = services.jobs->store().Find(id, tenant.name);
  if (!found.ok()) {
    const bool sealed = found.status().code() == StatusCode::kUnsupported;
    FailJobRequest(503, sealed ? found.status().message() : "the jobs cannot be read", reply);
    return false;
  }
  if (!*found) {
    FailJobRequest(404, kNoSuchJob, reply);
    return false;
  }
  *record = **std::move(found);
  return true;
}

bool IsOver(const JobRecord& record) {
  return record.state != "queued" && record.state != "running";
}

// DICOM is kept as base64.
const char* AnswerField(const JobRecord& record) {
  return record.content_type == "application/dicom" ? "data" : "text";
}

// The record as the answer; what is JSON already goes in as it is.
std::string StatusText(const JobRecord& record, const std::string& progress) {
  Json json = {{"id", record.id}, {"state", record.state}, {"created", record.created}};
  if (IsOver(record)) json["expires"] = record.expires;
  std::string text = WriteJson(json);
  text.pop_back();
  if (!progress.empty()) text += ",\"progress\":" + progress;
  if (record.state == "failed") {
    text += ",\"error\":" + record.answer;
  } else if (record.state == "done" && record.content_type.find("json") != std::string::npos) {
    text += ",\"result\":" + record.answer;
  } else if (record.state == "done") {
    text += ",\"content_type\":" + Quoted(record.content_type) + ",\"" + AnswerField(record) +
            "\":" + Quoted(record.answer);
  }
  return text + "}";
}

const char* FormatOf(const JobRecord& record) {
  const auto has = [&](const char* word) {
    return record.content_type.find(word) != std::string::npos;
  };
  return has("fhir")    ? "fhir"
         : has("csv")   ? "csv"
         : has("html")  ? "html"
         : has("dicom") ? "sr"
                        : "json";
}

// What a job told is gone once it is over: its end is told again.
void TellEnd(const JobRecord& record, const std::shared_ptr<Reply>& reply) {
  EventStream events(reply);
  if (record.state == "done" && record.content_type == "application/json") {
    std::string line = record.answer;
    std::erase(line, '\n');
    events.Last("result", line);
  } else if (record.state == "done") {
    events.Last("result", WriteJson(Json{{"format", FormatOf(record)},
                                         {AnswerField(record), record.answer}}));
  } else if (record.state == "failed") {
    events.Last("error", record.answer);
  } else {
    events.Last("interrupted", "{}");
  }
}

}  // namespace

void ShowJob(const Services& services, std::shared_ptr<const HttpRequest> request,
             std::shared_ptr<Reply> reply) {
  std::string id = PathParameter("/jobs/*", request->path);
  const bool events = id.ends_with(kEvents);
  if (events) id.resize(id.size() - kEvents.size());
  const std::shared_ptr<DocumentJob> job =
      services.jobs == nullptr ? nullptr : services.jobs->Find(id, request->tenant.name);
  if (events && job != nullptr) return job->Listen(reply);
  JobRecord record;
  if (!FindRecord(services, id, request->tenant, &record, reply.get())) return;
  if (events) return TellEnd(record, reply);
  HttpResponse response;
  response.body = StatusText(record, job == nullptr ? "" : job->progress());
  reply->Send(std::move(response));
}

void DeleteJob(const Services& services, std::shared_ptr<const HttpRequest> request,
               std::shared_ptr<Reply> reply) {
  const std::string id = PathParameter("/jobs/*", request->path);
  if (services.jobs == nullptr) return FailJobRequest(404, kNoJobs, reply.get());
  const Result<bool> removed = services.jobs->store().Remove(id, request->tenant.name);
  if (!removed.ok()) return FailJobRequest(503, "the job could not be deleted", reply.get());
  if (!*removed) return FailJobRequest(404, kNoSuchJob, reply.get());
  if (const std::shared_ptr<DocumentJob> job = services.jobs->Find(id, request->tenant.name)) {
    job->Delete();
    services.documents.Drop(job->place());
  }
  HttpResponse response;
  response.body = WriteJson(Json{{"id", id}, {"state", "deleted"}});
  reply->Send(std::move(response));
}

}  // namespace galen::server

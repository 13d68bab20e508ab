// POST /dicom-web/studies[/UID]: instances in (STOW-RS, PS3.18 10.5), as the DICOM port takes them.
#include "dicomnet/peers.h"
#include "http/multipart.h"
#include "server/api/audit.h"
#include "server/api/write_json.h"
#include "server/dicom/study_room.h"
#include "server/endpoints.h"

namespace galen::server {
namespace {

constexpr char kDicom[] = "application/dicom";
constexpr size_t kMostParts = 10'000;

void FailStow(int status, const std::string& message, Reply* reply, int retry_after = 0) {
  ApiError error;
  error.status = status;
  error.message = message;
  error.retry_after = retry_after;
  reply->Send(ErrorResponse(Dialect::kOpenAi, error));
}

// Whether this server and this key take studies.
bool MayUseStudies(const Services& services, const HttpRequest& request, Reply* reply) {
  if (services.studies == nullptr) {
    FailStow(501, "this server takes no studies (--dicom-inbox DIR)", reply);
    return false;
  }
  if (!request.tenant.dicom) {
    FailStow(403, "studies are sent and asked about by keys with the right 'dicom' alone", reply);
    return false;
  }
  return true;
}

Json UidElement(const std::string& uid) { return {{"vr", "UI"}, {"Value", {uid}}}; }

struct StowOutcome {
  Json stored = Json::array(), failed = Json::array(), other = Json::array();
  std::vector<std::string> digests;
};

void TakePart(StudyRoom* room, std::string_view body, const std::string& study,
              StowOutcome* outcome) {
  dicomnet::Refusal why = dicomnet::Refusal::kOutOfResources;
  const auto incoming = room->inbox().Begin();
  incoming->Write(body);
  const auto stored = incoming->Accept({"", "", study}, &why);
  if (stored.ok()) {
    outcome->stored.push_back({{"00081150", UidElement(stored->name.sop_class)},
                               {"00081155", UidElement(stored->name.instance)},
                               {"00081190", {{"vr", "UR"}}}});
    outcome->digests.push_back(stored->sha256);
    return;
  }
  const Json reason = {{"vr", "US"}, {"Value", {static_cast<int>(why)}}};
  const dicomnet::InstanceName name = incoming->name();
  if (name.instance.empty()) {  // nothing that could be named
    outcome->other.push_back({{"00081197", reason}});
  } else {
    outcome->failed.push_back({{"00081150", UidElement(name.sop_class)},
                               {"00081155", UidElement(name.instance)},
                               {"00081197", reason}});
  }
}

HttpResponse StowResponse(const StowOutcome& outcome) {
  Json body = {{"00081190", {{"vr", "UR"}}}};
  const auto put = [&](const char* tag, const Json& items) {
    if (!items.empty()) body[tag] = {{"vr", "SQ"}, {"Value", items}};
  };
  put("00081199", outcome.stored);
  put("00081198", outcome.failed);
  put("0008119A", outcome.other);
  HttpResponse response;
  response.status = outcome.stored.empty()                            ? 409
                    : outcome.failed.empty() && outcome.other.empty() ? 200
                                                                      : 202;
  response.content_type = "application/dicom+json";
  response.body = WriteJson(body);
  return response;
}

void Stow(const Services& services, const HttpRequest& request, const std::string& study,
          Reply* reply) {
  if (!MayUseStudies(services, request, reply)) return;
  FormLimits limits;
  limits.parts = kMostParts;
  const auto parts = ParseRelated(request.content_type, kDicom, request.body.Reveal(), limits);
  if (!parts.ok()) {
    const StatusCode code = parts.status().code();
    return FailStow(code == StatusCode::kUnsupported         ? 415
                    : code == StatusCode::kResourceExhausted ? 413
                                                             : 400,
                    parts.status().message(), reply);
  }
  if (parts->empty()) return FailStow(400, "the body has no parts", reply);
  ApiError error;
  if (!RecordStudies(services, request, "store", &error))
    return reply->Send(ErrorResponse(Dialect::kOpenAi, error));
  StowOutcome outcome;
  for (const RelatedPart& part : *parts) TakePart(services.studies, part.body, study, &outcome);
  const auto failed = static_cast<int64_t>(outcome.failed.size() + outcome.other.size());
  services.studies->Stored(request.id, outcome.digests);
  services.studies->Count(static_cast<int64_t>(outcome.digests.size()), failed);
  reply->Send(StowResponse(outcome));
}

bool StudyOfPath(const HttpRequest& request, std::string* study, Reply* reply) {
  *study = PathParameter("/dicom-web/studies/*", request.path);
  if (dicomnet::IsUid(*study)) return true;
  FailStow(400, "a study is named by its Study Instance UID", reply);
  return false;
}

}  // namespace

void StowStudies(const Services& services, std::shared_ptr<const HttpRequest> request,
                 std::shared_ptr<Reply> reply) {
  Stow(services, *request, "", reply.get());
}

void StowStudy(const Services& services, std::shared_ptr<const HttpRequest> request,
               std::shared_ptr<Reply> reply) {
  std::string study;
  if (StudyOfPath(*request, &study, reply.get())) Stow(services, *request, study, reply.get());
}

void DeleteStudy(const Services& services, std::shared_ptr<const HttpRequest> request,
                 std::shared_ptr<Reply> reply) {
  std::string study;
  if (!MayUseStudies(services, *request, reply.get()) ||
      !StudyOfPath(*request, &study, reply.get())) {
    return;
  }
  const auto found = services.studies->inbox().Find(study).ok();
  if (!found) return FailStow(404, "the inbox has no study of this UID", reply.get());
  ApiError error;
  if (!RecordStudies(services, *request, "delete", &error))
    return reply->Send(ErrorResponse(Dialect::kOpenAi, error));
  if (!services.studies->inbox().Remove(study))
    return FailStow(409, "the study is being read; try later", reply.get(), 5);
  HttpResponse response;
  response.status = 204;
  reply->Send(std::move(response));
}

}  // namespace galen::server

#include "server/documents/upload.h"

#include <algorithm>

#include "base/sha256.h"
#include "http/multipart.h"
#include "media/image/decode.h"
#include "server/api/audit.h"
#include "server/dicom/study_room.h"

namespace galen::server {
namespace {

constexpr size_t kMostName = 200;
constexpr size_t kMostFormText = size_t{1} << 20;

bool Refuse(int status, std::string message, const std::string& param, ApiError* error) {
  error->status = status;
  error->message = std::move(message);
  error->param = param;
  return false;
}

// The last part of a path, without what no name has. It is shown and never opened.
std::string CleanName(std::string_view name, size_t number) {
  name = name.substr(name.find_last_of("/\\") + 1);
  std::string clean;
  for (const char c : name) {
    if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) clean += c;
  }
  if (clean.size() > kMostName) clean.resize(kMostName);
  return clean.empty() || clean == "." || clean == ".." ? "file-" + std::to_string(number) : clean;
}

bool TooMany(const Services& services, const Upload& upload, ApiError* error) {
  if (static_cast<int64_t>(upload.files.size()) < services.options.max_files) return false;
  Refuse(413,
         "more than the " + std::to_string(services.options.max_files) +
             " files that this server takes in a request",
         "file", error);
  return true;
}

OrderedJson ValueOf(const FormPart& part, std::span<const FormField> typed) {
  const std::string text(part.body);
  for (const FormField& field : typed) {
    if (field.name != part.name) continue;
    if (field.value == FormValue::kBool) {
      if (text == "true" || text == "false") return text == "true";
    } else if (const auto number = ParseOrderedJson(text, 1); number.ok() && number->is_number()) {
      return *number;
    }
  }
  return text;  // where another type is wanted, who reads the field says so
}

bool ReadForm(const Services& services, const HttpRequest& request,
              std::span<const FormField> typed, Upload* upload, ApiError* error) {
  FormLimits limits;
  limits.parts = static_cast<size_t>(services.options.max_files) + 32;
  const auto parts = ParseForm(request.content_type, request.body.Reveal(), limits);
  if (!parts.ok()) {
    const bool limit = parts.status().code() == StatusCode::kResourceExhausted;
    return Refuse(limit ? 413 : 400, parts.status().message(), "", error);
  }
  for (const FormPart& part : *parts) {
    if (part.name == "file" || part.name == "files") {
      if (!part.is_file) return Refuse(422, "'file' must be a file", "file", error);
      // A form whose file was not chosen sends an empty one.
      if (part.filename.empty() && part.body.empty()) continue;
      if (TooMany(services, *upload, error)) return false;
      upload->files.push_back(
          {CleanName(part.filename, upload->files.size() + 1), std::string(part.body)});
      continue;
    }
    const std::string name = part.name.substr(0, 64);
    if (part.is_file) return Refuse(422, "'" + name + "' must not be a file", name, error);
    if (part.body.size() > kMostFormText)
      return Refuse(413, "'" + name + "' is longer than 1 MiB", name, error);
    if (upload->fields.contains(part.name))
      return Refuse(422, "'" + name + "' comes more than once", name, error);
    upload->fields[part.name] = ValueOf(part, typed);
  }
  return true;
}

// One entry of "files".
bool AddFile(const OrderedJson& json, const std::string& where, size_t most, Upload* upload,
             ApiError* error) {
  std::string failed, name, data;
  Fields fields(json, where, &failed);
  const Status read = [&] {
    RETURN_IF_ERROR(fields.Check());
    RETURN_IF_ERROR(fields.String("name", &name));
    if (fields.Any("data") == nullptr) return fields.Fail("data", "is missing");
    RETURN_IF_ERROR(fields.String("data", &data));
    return fields.Finish();
  }();
  if (!read.ok()) return Refuse(422, read.message(), failed, error);
  const bool url = data.starts_with("data:");
  const auto bytes = DecodeDataUrl(url ? data : "data:;base64," + data, most);
  if (!bytes.ok()) {
    return Refuse(400, "'" + where + ".data' is neither base64 nor a data URL", where + ".data",
                  error);
  }
  upload->files.push_back(
      {CleanName(name, upload->files.size() + 1),
       std::string(reinterpret_cast<const char*>(bytes->data()), bytes->size())});
  return true;
}

bool ReadJson(const Services& services, const HttpRequest& request, Upload* upload,
              ApiError* error) {
  Result<OrderedJson> body = ParseBody(request.body.Reveal(), services.options.max_json_depth);
  if (!body.ok()) return Refuse(400, body.status().message(), "", error);
  if (!body->is_object()) {
    return Refuse(422, std::string("the body must be a JSON object, not ") + body->type_name(), "",
                  error);
  }
  const auto files = body->find("files");
  if (files == body->end() && body->contains("study")) {
    upload->fields = *std::move(body);
    return true;
  }
  if (files == body->end() || !files->is_array())
    return Refuse(422, "'files' must be an array of {\"name\", \"data\"}", "files", error);
  for (size_t i = 0; i < files->size(); ++i) {
    if (TooMany(services, *upload, error)) return false;
    if (!AddFile((*files)[i], "files[" + std::to_string(i) + "]",
                 static_cast<size_t>(services.options.http.max_body_bytes), upload, error)) {
      return false;
    }
  }
  body->erase("files");
  upload->fields = *std::move(body);
  return true;
}

bool IsJson(std::string_view type) {
  std::string lower(type.substr(0, type.find(';')));
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  while (!lower.empty() && (lower.back() == ' ' || lower.back() == '\t')) lower.pop_back();
  return lower.empty() || lower == "application/json" || lower.ends_with("+json");
}

// A study of a DICOMweb server, retrieved into the inbox.
bool RetrieveStudy(const Services& services, const HttpRequest& request, const std::string& name,
                   Upload* upload, ApiError* error) {
  if (!RecordStudies(services, request, "retrieve", error)) return false;
  bool busy = false;
  int64_t left_out = 0;
  Result<dicomnet::Study> found = services.studies->Retrieve(request.id, name, &busy, &left_out);
  if (found.ok()) {
    if (left_out > 0) {
      upload->warnings.push_back(
          "instances of the study in transfer syntaxes that galen does not read were left out: " +
          std::to_string(left_out));
    }
    upload->study = *std::move(found);
    return true;
  }
  int status = 502;  // of whom it was asked
  switch (found.status().code()) {
    case StatusCode::kNotFound:
      status = 404;
      break;
    case StatusCode::kResourceExhausted:
      status = busy ? 429 : 507;
      break;
    case StatusCode::kCancelled:
      status = 503;
      break;
    default:
      break;
  }
  Refuse(status, found.status().message(), "study", error);
  error->retry_after = busy ? 10 : 0;
  return false;
}

// The field "study", taken out of the fields.
bool FindStudy(const Services& services, const HttpRequest& request, Upload* upload,
               ApiError* error) {
  const auto field = upload->fields.find("study");
  if (field == upload->fields.end() || field->is_null()) return true;
  if (!field->is_string())
    return Refuse(422, "'study' must be a Study Instance UID", "study", error);
  const std::string uid = *field;
  upload->fields.erase("study");
  if (!upload->files.empty())
    return Refuse(422, "'study' stands instead of files, not beside them", "study", error);
  if (services.studies == nullptr)
    return Refuse(501, "this server takes no studies (--dicom-inbox DIR)", "study", error);
  if (!request.tenant.dicom) {
    return Refuse(403, "studies are sent and asked about by keys with the right 'dicom' alone",
                  "study", error);
  }
  if (WebSources::IsWebName(uid)) {
    if (!services.studies->KnowsStudyName(uid))
      return Refuse(422,
                    "'study' must be dicomweb:NAME/UID, with a NAME of --dicomweb and a Study "
                    "Instance UID",
                    "study", error);
    return RetrieveStudy(services, request, uid, upload, error);
  }
  Result<dicomnet::Study> found = services.studies->inbox().Find(uid);
  if (!found.ok()) {
    const bool wrong = found.status().code() == StatusCode::kInvalidArgument;
    return Refuse(wrong ? 422 : 404, found.status().message(), "study", error);
  }
  upload->study = *std::move(found);
  return true;
}

}  // namespace

bool ReadUpload(const Services& services, const HttpRequest& request,
                std::span<const FormField> typed, StudyUse studies, Upload* upload,
                ApiError* error) {
  if (IsForm(request.content_type)) {
    if (!ReadForm(services, request, typed, upload, error)) return false;
  } else if (IsJson(request.content_type)) {
    if (!ReadJson(services, request, upload, error)) return false;
  } else {
    return Refuse(415, "the body must be multipart/form-data or application/json", "", error);
  }
  if (studies == StudyUse::kTaken && !FindStudy(services, request, upload, error)) return false;
  if (upload->files.empty() && !upload->study)
    return Refuse(422, "no file was given", "file", error);
  return true;
}

std::vector<std::string> DigestsOf(const Services& services, const Upload& upload) {
  std::vector<std::string> digests;
  if (services.audit == nullptr) return digests;
  for (const extract::NamedBytes& file : upload.files) {
    digests.push_back(
        Sha256Hex({reinterpret_cast<const uint8_t*>(file.bytes.data()), file.bytes.size()}));
  }
  if (!upload.study) return digests;
  for (const dicomnet::Study::File& file : upload.study->files()) {
    const Result<std::string> digest = dicomnet::Study::DigestOf(file);
    digests.push_back(digest.ok() ? *digest : std::string(64, '0'));  // it cannot be read
  }
  return digests;
}

ApiError ErrorOfField(const Status& status, const std::string& field) {
  ApiError error;
  error.status = 422;
  error.message = status.message();
  error.param = field;
  return error;
}

bool FindNamedModel(const Services& services, const std::string& name, const std::string& field,
                    ModelRef* info, ApiError* error) {
  if (name.empty()) {
    if ((*info = services.models.Only()) != nullptr) return true;
    return Refuse(422, "'" + field + "' is missing", field, error);
  }
  *info = services.models.Find(name);
  return *info != nullptr || Refuse(404, services.models.Unknown(name), field, error);
}

}  // namespace galen::server

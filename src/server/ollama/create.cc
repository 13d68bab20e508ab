// POST /api/create: of another model, or of GGUF files that were sent as blobs.
#include "base/files.h"
#include "formats/gguf.h"
#include "server/api/audit.h"
#include "server/api/write_json.h"
#include "server/endpoints.h"
#include "server/library/blob_upload.h"
#include "server/library/library.h"
#include "server/ollama/change.h"
#include "server/ollama/params.h"

namespace galen::server {
namespace {

constexpr size_t kMaxFiles = 8;

struct CreateCall {
  std::string from, system, license;
  OrderedJson parameters = OrderedJson::object();
  OrderedJson files = OrderedJson::object();  // name to digest
  bool stream = true;
};

Status ReadLicense(Fields* fields, std::string* license) {
  std::vector<std::string> texts;
  RETURN_IF_ERROR(fields->Strings("license", 16, &texts));
  for (const std::string& text : texts) *license += (license->empty() ? "" : "\n") + text;
  return OkStatus();
}

Status ReadCreate(const OrderedJson& body, CreateCall* call, std::string* failed) {
  Fields fields(body, "", failed);
  RETURN_IF_ERROR(fields.String("from", &call->from));
  RETURN_IF_ERROR(fields.String("system", &call->system));
  RETURN_IF_ERROR(ReadLicense(&fields, &call->license));
  RETURN_IF_ERROR(fields.Bool("stream", &call->stream));
  Status status;
  if (const OrderedJson* parameters = fields.Object("parameters", &status)) {
    RETURN_IF_ERROR(CheckParameters(*parameters, failed));
    call->parameters = *parameters;
  }
  RETURN_IF_ERROR(status);
  if (const OrderedJson* files = fields.Object("files", &status)) call->files = *files;
  RETURN_IF_ERROR(status);
  RETURN_IF_ERROR(
      fields.Refuse("template", "a model keeps the template of its files", {OrderedJson("")}));
  RETURN_IF_ERROR(fields.Refuse("adapters",
                                "the store holds no models with adapters; `galen adapter merge` "
                                "makes a model of its own of one",
                                {OrderedJson::object()}));
  RETURN_IF_ERROR(fields.Refuse("quantize", "`galen quantize` does it", {OrderedJson("")}));
  RETURN_IF_ERROR(
      fields.Refuse("messages", "a model keeps no conversation", {OrderedJson::array()}));
  RETURN_IF_ERROR(fields.Refuse("modelfile", "its contents are sent as fields: from, system, ...",
                                {OrderedJson("")}));
  RETURN_IF_ERROR(fields.Refuse("path", "no path is opened for a request", {OrderedJson("")}));
  fields.Accept({"model", "name"});
  RETURN_IF_ERROR(fields.Finish());
  if (call->from.empty() == call->files.empty())
    return fields.Fail("from", "or 'files', one of them, must say what the model is made of");
  if (call->files.size() > kMaxFiles) return fields.Fail("files", "has more than 8 entries");
  return OkStatus();
}

Result<bool> IsProjector(const std::string& path, const std::string& name) {
  ASSIGN_OR_RETURN(const std::shared_ptr<MappedFile> file, MappedFile::Open(path));
  ASSIGN_OR_RETURN(const GgufFile gguf, GgufFile::Parse(file->bytes(), name));
  const Result<std::string_view> architecture = gguf.GetString("general.architecture");
  return architecture.ok() && *architecture == "clip";
}

// A decoder, and its image projector where there is one.
Status PartsOfFiles(const ModelStore& store, const OrderedJson& files, ModelParts* parts) {
  for (const auto& [name, value] : files.items()) {
    std::string field = "files.";
    field.append(name, 0, 200);
    if (!value.is_string()) return InvalidArgument("'" + field + "' must be a digest");
    const Result<std::string> digest = ParseBlobDigest(value.get<std::string>());
    if (!digest.ok()) return digest.status().WithContext("'" + field + "'");
    const std::string path = store.BlobPath(*digest);
    if (!FileExists(path)) {
      return InvalidArgument("'" + field + "': there is no blob sha256:" + *digest +
                             "; send it to /api/blobs first");
    }
    const Result<bool> projector = IsProjector(path, field);
    if (!projector.ok()) {
      return InvalidArgument("'" + field + "' is no GGUF file (" + projector.status().message() +
                             "); directories of safetensors come into the store by `galen import`");
    }
    std::string& part = *projector ? parts->projector : parts->model;
    if (!part.empty())
      return InvalidArgument(*projector ? "'files' has two projectors" : "'files' has two models");
    part = path;
  }
  return parts->model.empty() ? InvalidArgument("'files' has a projector, but no model")
                              : OkStatus();
}

Status PartsOfModel(const ModelInfo& info, ModelParts* parts) {
  const ModelSpec& spec = info.spec;
  if (info.adapters != 0) {
    return InvalidArgument("'from': '" + spec.name +
                           "' is a model with an adapter; `galen adapter "
                           "merge` makes a model of its own of it");
  }
  if (IsDirectory(spec.path)) {
    return InvalidArgument("'from': '" + spec.name +
                           "' is a directory of safetensors, of which the "
                           "store can hold no changed model; `galen quantize` makes a GGUF file");
  }
  *parts = PartsOf(info);
  return OkStatus();
}

// What the request says, over what the model says that it is made from.
Status AddTexts(const CreateCall& call, ModelParts* parts) {
  if (!call.system.empty()) parts->system = call.system;
  if (!call.license.empty()) parts->license = call.license;
  if (call.parameters.empty()) return OkStatus();
  OrderedJson parameters = OrderedJson::object();
  if (!parts->parameters.empty()) {
    ASSIGN_OR_RETURN(parameters, ParseOrderedJson(parts->parameters, 8));
  }
  parameters.update(call.parameters);
  parts->parameters = WriteJson(parameters);
  return OkStatus();
}

}  // namespace

void OllamaCreate(const Services& services, std::shared_ptr<const HttpRequest> request,
                  std::shared_ptr<Reply> reply) {
  const auto fail = [&](const ApiError& error) {
    reply->Send(ErrorResponse(Dialect::kOllama, error));
  };
  ApiError error;
  OrderedJson body;
  std::string model, failed;
  if (!ReadChange(services, *request, &body, &model, &error)) return fail(error);
  CreateCall call;
  const Status read = ReadCreate(body, &call, &failed);
  if (!read.ok()) return fail(ErrorOf(read, failed));
  Library& library = *services.library;
  const Result<OllamaName> name = library.MayName(model);
  if (!name.ok()) return fail(ErrorOf(name.status(), "model"));
  ModelRef from;
  ModelParts parts;
  Status status;
  if (call.from.empty()) {
    status = PartsOfFiles(library.store(), call.files, &parts);
  } else {
    from = services.models.Find(call.from);
    status = from == nullptr ? NotFound(services.models.Unknown(call.from))
                             : PartsOfModel(*from, &parts);
  }
  if (status.ok()) status = AddTexts(call, &parts);
  if (!status.ok()) return fail(ErrorOf(status));
  RunSlowly(services, reply,
            [&services, request, reply, from, parts, name = *name, stream = call.stream] {
              ApiError refusal;
              if (!RecordChange(services, *request, "create", name.text(), &refusal))
                return reply->Send(ErrorResponse(Dialect::kOllama, refusal));
              ChangeAnswer answer(stream, reply);
              ComposeOptions options;
              options.on_status = [&](const std::string& text) { answer.Say({{"status", text}}); };
              options.cancelled = EndsWith(services, reply);
              const Status done = services.library->Compose(name, parts, options);
              RecordChanged(services.audit, request->id, name.text(), done.ok());
              answer.End(done);
            });
}

}  // namespace galen::server

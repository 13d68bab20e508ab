#include "server/documents/extract_call.h"

#include <algorithm>
#include <array>

#include "extract/output/output.h"

namespace galen::server {
namespace {

// A kind, "auto", or the text of a JSON Schema (in JSON also an object). No file is ever opened.
Status ReadSchema(Fields* fields, extract::ExtractOptions* options) {
  const OrderedJson* schema = fields->Any("schema");
  if (schema == nullptr) return OkStatus();
  if (schema->is_object()) {
    options->schema = schema->dump();
    return OkStatus();
  }
  if (!schema->is_string())
    return fields->Fail("schema", "must be a kind of document, auto, or a JSON Schema");
  const auto& text = schema->get_ref<const std::string&>();
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first != text.npos && text[first] == '{') {
    if (!extract::CustomKind("schema", text).ok()) return fields->Fail("schema", "is no JSON");
    options->schema = text;
    return OkStatus();
  }
  if (text != extract::kAutoKind) {
    std::string names;
    bool known = false;
    for (const extract::Kind& kind : extract::Kinds()) {
      known = known || kind.id == text;
      names += kind.id + ", ";
    }
    if (!known) return fields->Fail("schema", "must be " + names + "auto, or a JSON Schema");
  }
  options->kind = text;
  return OkStatus();
}

Status ReadChoice(Fields* fields, const char* key, std::initializer_list<std::string_view> choices,
                  std::string* value) {
  RETURN_IF_ERROR(fields->String(key, value));
  if (std::find(choices.begin(), choices.end(), *value) != choices.end()) return OkStatus();
  std::string names;
  for (const std::string_view choice : choices)
    names.append(names.empty() ? "" : ", ").append(choice);
  return fields->Fail(key, "must be one of " + names);
}

Status Read(const ServerOptions& server, bool has_study, Fields* fields, ExtractCall* call) {
  RETURN_IF_ERROR(fields->String("model", &call->model));
  RETURN_IF_ERROR(fields->String("second_model", &call->second_model));
  RETURN_IF_ERROR(ReadSchema(fields, &call->options));
  RETURN_IF_ERROR(
      ReadChoice(fields, "format", {"json", "fhir", "csv", "html", "sr"}, &call->format));
  RETURN_IF_ERROR(fields->Bool("pages", &call->pictures));
  if (call->pictures && call->format != "json")
    return fields->Fail("pages", "goes with the format json alone");
  RETURN_IF_ERROR(fields->String("send_to", &call->send_to));
  if (!call->send_to.empty() && call->format != "json")
    return fields->Fail("send_to",
                        "goes with the format json alone, whose 'sent' says what became of it");
  if (!call->send_to.empty() && !has_study)
    return fields->Fail("send_to", "goes with 'study' alone: the report becomes part of it");
  RETURN_IF_ERROR(fields->Bool("stream", &call->stream));
  RETURN_IF_ERROR(fields->String("page_range", &call->source.pages));
  if (call->source.pages.size() > 1000) return fields->Fail("page_range", "is too long");
  RETURN_IF_ERROR(fields->Int("max_tokens", 0, int64_t{1} << 31, &call->max_tokens));
  float dpi = static_cast<float>(call->source.dpi);
  RETURN_IF_ERROR(fields->Number("dpi", 36, 600, &dpi));
  call->source.dpi = dpi;
  std::string ocr = "auto", today;
  RETURN_IF_ERROR(ReadChoice(fields, "ocr", {"auto", "always", "never"}, &ocr));
  call->source.ocr = ocr == "never"    ? extract::OcrUse::kNever
                     : ocr == "always" ? extract::OcrUse::kAlways
                                       : extract::OcrUse::kAuto;
  RETURN_IF_ERROR(fields->String("today", &today));
  if (today.empty()) {
    call->options.today = extract::Today();
  } else if (!extract::ReadIsoDate(today, &call->options.today) ||
             !extract::IsPossible(call->options.today)) {
    return fields->Fail("today", "must be a date such as 2026-01-31");
  }
  RETURN_IF_ERROR(fields->Finish());
  call->source.max_pages = server.max_pages;
  call->source.image.max_pixels = server.max_image_pixels;
  if (server.max_tokens > 0) {
    call->max_tokens =
        call->max_tokens > 0 ? std::min(call->max_tokens, server.max_tokens) : server.max_tokens;
  }
  return OkStatus();
}

}  // namespace

std::span<const FormField> ExtractFormFields() {
  static constexpr std::array<FormField, 4> kFields = {{{"pages", FormValue::kBool},
                                                        {"stream", FormValue::kBool},
                                                        {"max_tokens", FormValue::kNumber},
                                                        {"dpi", FormValue::kNumber}}};
  return kFields;
}

bool ReadExtractCall(const Services& services, const Upload& upload, ExtractCall* call,
                     ApiError* error) {
  std::string failed;
  Fields fields(upload.fields, "", &failed);
  const Status read = Read(services.options, upload.study.has_value(), &fields, call);
  if (!read.ok()) *error = ErrorOfField(read, failed);
  return read.ok();
}

bool FindReader(const Services& services, const ExtractCall& call, ModelRef* info,
                ApiError* error) {
  // Readers of lines know kinds of documents, not schemas of one's own.
  if (call.model.empty() && call.options.schema.empty()) {
    if ((*info = services.models.FindLineReader(call.options.kind)) != nullptr) return true;
  }
  return FindNamedModel(services, call.model, "model", info, error);
}

}  // namespace galen::server

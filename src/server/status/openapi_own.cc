#include "server/status/openapi_own.h"

#include "extract/kind.h"
#include "recipes/recipe.h"

namespace galen::server {
namespace {

constexpr char kSchemas[] = R"json({
  "Error": {"type": "object", "required": ["error"], "properties": {"error": {"type": "object",
    "required": ["message", "type", "param", "code"], "properties": {
      "message": {"type": "string"}, "type": {"type": "string"},
      "param": {"type": ["string", "null"], "description": "path of the field that is wrong"},
      "code": {"type": ["string", "null"]}}}}},
  "OllamaError": {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}},
  "File": {"type": "object", "required": ["data"], "additionalProperties": false, "properties": {
    "name": {"type": ["string", "null"], "description": "shown, never opened"},
    "data": {"type": "string", "description": "base64, or a data URL"}}},
  "Box": {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 4,
    "description": "x0, y0, x1, y1 from the top left corner, in units of the page's width and height"},
  "Verdict": {"type": "object", "required": ["id", "level", "message"], "properties": {
    "id": {"type": "string"}, "level": {"enum": ["ok", "note", "flag"]}, "message": {"type": "string"},
    "rule": {"type": "string"}, "source": {"type": "string"}}},
  "Value": {"type": "object", "required": ["path", "value", "verdicts"], "properties": {
    "path": {"type": "string", "description": "JSON pointer into the document"},
    "value": {}, "text": {"type": "string"},
    "confidence": {"type": "object", "properties": {"mean": {"type": "number"}, "lowest": {"type": "number"}}},
    "evidence": {"type": "object", "properties": {"page": {"type": "integer", "minimum": 1}, "file": {"type": "string"},
      "page_of_file": {"type": "integer"}, "box": {"$ref": "#/components/schemas/Box"}, "words": {"type": "string"}}},
    "ucum": {"type": "string"}, "analyte": {"type": "string"}, "second_reader": {},
    "converted": {"type": "object", "properties": {"value": {"type": "string"}, "ucum": {"type": "string"}}},
    "verdicts": {"type": "array", "items": {"$ref": "#/components/schemas/Verdict"}}}},
  "Page": {"type": "object", "required": ["file", "page_of_file", "width", "height", "words", "word_source"], "properties": {
    "file": {"type": "string"}, "page_of_file": {"type": "integer"}, "width": {"type": "number"}, "height": {"type": "number"},
    "words": {"type": "integer"}, "word_source": {"enum": ["none", "text_layer", "tesseract"]},
    "page": {"type": "integer", "minimum": 1, "description": "with 'pages': true"},
    "image": {"type": ["string", "null"], "description": "with 'pages': true: a data URL of a PNG"}}},
  "Extraction": {"type": "object",
    "required": ["galen", "written", "kind", "kind_by", "complete", "document", "files", "pages", "readers", "values", "verdicts", "summary", "warnings"],
    "properties": {"galen": {"type": "string"}, "written": {"type": "string"}, "kind": {"type": "string"},
      "kind_by": {"enum": ["asked", "words", "model", "reader"]}, "complete": {"type": "boolean"}, "document": {},
      "files": {"type": "array", "items": {"type": "object"}},
      "pages": {"type": "array", "items": {"$ref": "#/components/schemas/Page"}},
      "readers": {"type": "array", "items": {"type": "object"}}, "requests": {"type": "integer"},
      "values": {"type": "array", "items": {"$ref": "#/components/schemas/Value"}},
      "verdicts": {"type": "array", "items": {"$ref": "#/components/schemas/Verdict"}},
      "summary": {"type": "object", "properties": {"values": {"type": "integer"}, "flagged": {"type": "integer"}, "noted": {"type": "integer"}}},
      "warnings": {"type": "array", "items": {"type": "string"}}}},
  "Media": {"type": "object", "required": ["recipe", "images", "pan_and_scan", "facts", "warnings", "digest"], "properties": {
    "recipe": {"type": "object"}, "pan_and_scan": {"type": "boolean"}, "digest": {"type": "string"},
    "images": {"type": "array", "items": {"type": "object", "required": ["source", "width", "height", "recipe", "to_source"], "properties": {
      "source": {"type": "string"}, "width": {"type": "integer"}, "height": {"type": "integer"}, "recipe": {"type": "string"},
      "to_source": {"type": "object"}, "png": {"type": "string", "description": "of /look: a data URL"}}}},
    "facts": {"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}, "value": {"type": "string"}}}},
    "warnings": {"type": "array", "items": {"type": "string"}},
    "system": {"type": "string"}, "prompt": {"type": "string"}, "overviews": {"type": "array"}}},
  "Analysis": {"type": "object", "required": ["text", "model", "media", "finish_reason", "usage", "timings"], "properties": {
    "text": {"type": "string"}, "thinking": {"type": "string"}, "model": {"type": "string"},
    "media": {"$ref": "#/components/schemas/Media"}, "finish_reason": {"type": "string"},
    "boxes": {"type": "object", "description": "with the recipe localise: {source, width, height, boxes: [{label, box}], warnings}"},
    "usage": {"type": "object"}, "timings": {"type": "object"}}},
  "SliceHeader": {"type": "object", "required": ["series", "instance"], "additionalProperties": false,
    "description": "`header` of a slice of /pixels", "properties": {
    "series": {"type": "string", "pattern": "^[0-9a-f]{64}$"}, "instance": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
    "patient_id": {"type": ["string", "null"], "pattern": "^[0-9a-f]{32}$"}, "patient_name": {"type": ["string", "null"], "pattern": "^[0-9a-f]{32}$"},
    "frame": {"type": ["integer", "null"], "minimum": 0, "maximum": 2147483648},
    "series_number": {"type": ["integer", "null"], "minimum": -2147483648, "maximum": 2147483648},
    "instance_number": {"type": ["integer", "null"], "minimum": -2147483648, "maximum": 2147483648},
    "acquisition_number": {"type": ["integer", "null"], "minimum": -2147483648, "maximum": 2147483648},
    "temporal_position": {"type": ["integer", "null"], "minimum": -2147483648, "maximum": 2147483648},
    "position": {"type": ["array", "null"], "items": {"type": "number", "minimum": -1000000, "maximum": 1000000}, "minItems": 3, "maxItems": 3},
    "orientation": {"type": ["array", "null"], "items": {"type": "number", "minimum": -1000000, "maximum": 1000000}, "minItems": 6, "maxItems": 6},
    "spacing": {"type": ["array", "null"], "items": {"type": "number", "exclusiveMinimum": 0, "maximum": 1000000}, "minItems": 2, "maxItems": 2},
    "rows": {"type": ["integer", "null"], "minimum": 0, "maximum": 2147483648}, "columns": {"type": ["integer", "null"], "minimum": 0, "maximum": 2147483648}}},
  "SlicesToOrder": {"type": "object", "required": ["slices"], "additionalProperties": false, "properties": {
    "slices": {"type": "array", "items": {"$ref": "#/components/schemas/SliceHeader"}, "minItems": 1, "maxItems": 20000},
    "allow_mixed_patients": {"type": ["boolean", "null"], "default": false}}},
  "SliceOrder": {"type": "object", "required": ["series", "patients"], "properties": {"patients": {"type": "integer"},
    "series": {"type": "array", "items": {"type": "object", "required": ["slices", "locations", "time_points", "order", "warnings"], "properties": {
      "slices": {"type": "array", "items": {"type": "integer"}, "description": "indices into the request's slices, in the order in which a model sees them"},
      "locations": {"type": "array", "items": {"type": ["number", "null"]}}, "time_points": {"type": "array", "items": {"type": "integer"}},
      "order": {"type": "string"}, "normal": {"type": ["array", "null"]}, "slice_spacing": {"type": ["number", "null"]},
      "warnings": {"type": "array", "items": {"type": "object"}}}}}}},
  "Slide": {"type": "object", "required": ["id", "format", "width", "height", "levels", "tile", "zooms", "keep_seconds", "warnings"], "properties": {
    "id": {"type": "string"}, "format": {"type": "string"}, "width": {"type": "integer"}, "height": {"type": "integer"},
    "um_per_pixel": {"type": ["number", "null"]},
    "um_source": {"enum": ["file", "objective", null], "description": "objective: um_per_pixel is estimated from the objective's power"},
    "objective_power": {"type": ["number", "null"]},
    "levels": {"type": "array", "items": {"type": "object", "properties": {"width": {"type": "integer"}, "height": {"type": "integer"}, "downsample": {"type": "number"}}}},
    "tile": {"type": "integer", "description": "side of a tile"},
    "zooms": {"type": "array", "items": {"type": "integer"}, "description": "a pixel of zoom z is 2^z pixels of the slide"},
    "keep_seconds": {"type": "integer", "description": "after the last request for a part of it"},
    "warnings": {"type": "array", "items": {"type": "string"}}}},
  "Benchmark": {"type": "object", "required": ["machine", "models"], "properties": {
    "machine": {"type": "object", "properties": {"processors": {"type": "integer"}, "read_gb_per_s": {"type": "number"}, "isas": {"type": "object"}}},
    "models": {"type": "array", "items": {"type": "object", "properties": {"model": {"type": "string"}, "bytes": {"type": "integer"},
      "prompt_tokens": {"type": "integer"}, "answer_tokens": {"type": "integer"}, "busy_seconds": {"type": "number"},
      "tokens_per_busy_second": {"type": ["number", "null"]}}}}}},
  "Job": {"type": "object", "required": ["id", "state"], "properties": {
    "id": {"type": "string"}, "state": {"enum": ["queued", "running", "done", "failed", "interrupted", "deleted"]},
    "created": {"type": "integer"}, "expires": {"type": "integer"}, "url": {"type": "string"}, "events": {"type": "string"},
    "progress": {"type": "object", "properties": {"done": {"type": "integer"}, "total": {"type": "integer"}}},
    "result": {}, "content_type": {"type": "string"}, "text": {"type": "string"},
    "data": {"type": "string", "contentEncoding": "base64", "description": "of the format sr, instead of text"}, "error": {"$ref": "#/components/schemas/Error"}}},
  "Audit": {"type": "object", "required": ["records"], "properties": {"records": {"type": "array", "items": {"type": "object"}}}},
  "Recipes": {"type": "object", "required": ["recipes"], "properties": {"recipes": {"type": "array", "items": {"type": "object",
    "properties": {"recipe": {"type": "string"}, "official": {"type": "boolean"}, "title": {"type": "string"},
      "source": {"type": "string"}, "note": {"type": "string"}}}}}}
})json";

constexpr char kExtractFields[] = R"json({
  "model": {"type": "string"}, "second_model": {"type": "string"}, "schema": {},
  "format": {"enum": ["json", "fhir", "csv", "html", "sr"], "default": "json"},
  "send_to": {"type": "string", "description": "with a study: the title, or dicomweb:NAME, that the report is sent to as DICOM SR"},
  "pages": {"type": "boolean", "default": false, "description": "pictures of the pages, with the format json"},
  "stream": {"type": "boolean", "default": false, "description": "events: page, kind, token, reading, verdicts, result, error"},
  "page_range": {"type": "string", "description": "1-3,7 or 2-", "maxLength": 1000},
  "max_tokens": {"type": "integer", "minimum": 0, "maximum": 2147483648}, "dpi": {"type": "number", "minimum": 36, "maximum": 600},
  "ocr": {"enum": ["auto", "always", "never"]}, "today": {"anyOf": [{"type": "string", "format": "date"}, {"const": ""}]}
})json";

constexpr char kMediaFields[] = R"json({
  "question": {"type": "string"}, "page_range": {"type": "string", "maxLength": 1000},
  "slices": {"type": "string", "maxLength": 1000, "description": "of a series, in the order shown: 1-20 or 40-"},
  "window_center": {"type": "number", "minimum": -1000000, "maximum": 1000000},
  "window_width": {"type": "number", "minimum": 0.000001, "maximum": 1000000},
  "max_images": {"type": "integer", "minimum": 1, "maximum": 1000}, "dpi": {"type": "number", "minimum": 1, "maximum": 600},
  "plane": {"enum": ["axial", "coronal", "sagittal"]}, "frame": {"type": "integer", "minimum": 0, "maximum": 1048576},
  "series": {"type": "integer", "minimum": 0, "maximum": 2147483648},
  "allow_mixed_patients": {"type": "boolean"}, "keep_identity": {"type": "boolean"},
  "seed": {"type": "integer", "minimum": 0, "maximum": 9007199254740992}
})json";

constexpr char kAnswerFields[] = R"json({
  "model": {"type": "string"}, "system": {"type": "string"},
  "stream": {"type": "boolean", "default": false, "description": "events: media, thinking, token, result, error"},
  "max_tokens": {"type": "integer", "minimum": 1, "maximum": 2147483648}, "temperature": {"type": "number", "minimum": 0, "maximum": 2},
  "top_p": {"type": "number", "minimum": 0, "maximum": 1}, "think": {"enum": ["show", "hide", "off"]}
})json";

constexpr char kPixelsFields[] = R"json({
  "from": {"type": "integer", "minimum": 0, "maximum": 2147483648, "default": 0, "description": "the first frame to give"}
})json";

Json SchemaField() {
  Json kinds = Json::array({"auto"});
  for (const extract::Kind& kind : extract::Kinds()) kinds.push_back(kind.id);
  return {{"anyOf",
           {{{"enum", kinds}},
            {{"type", "object"}, {"description", "a JSON Schema"}},
            {{"type", "string"}, {"pattern", "^\\s*\\{"}, {"description", "its text"}}}}};
}

Json RecipeField() {
  Json names = Json::array();
  for (const Recipe& recipe : BuiltinRecipes()) names.push_back(recipe.name);
  return {{"enum", names}};
}

// The fields as JSON with "files", and as a form with "file"; where the server takes studies and
// `studies` says so, or with "study" instead.
void SetBody(Json fields, const ServerOptions& options, bool studies, Json* operation) {
  studies = studies && !options.studies.inbox.folder.empty();
  if (studies)
    fields["study"] = {
        {"type", "string"},
        {"description", "Study Instance UID, or dicomweb:NAME/UID, instead of files"}};
  Json form = fields;
  form["file"] = {{"type", "array"},
                  {"items", {{"type", "string"}, {"contentMediaType", "application/octet-stream"}}},
                  {"minItems", 1},
                  {"maxItems", options.max_files}};
  for (auto& [name, schema] : fields.items()) {
    if (name != "study") AllowNull(&schema);
  }
  fields["files"] = {{"type", "array"},
                     {"items", {{"$ref", "#/components/schemas/File"}}},
                     {"minItems", 1},
                     {"maxItems", options.max_files}};
  const auto object = [studies](Json properties, const char* required) {
    Json schema = {
        {"type", "object"}, {"properties", std::move(properties)}, {"additionalProperties", false}};
    if (studies) {
      schema["oneOf"] = {{{"required", {required}}}, {{"required", {"study"}}}};
    } else {
      schema["required"] = {required};
    }
    return schema;
  };
  (*operation)["requestBody"] = {
      {"required", true},
      {"content",
       {{"application/json", {{"schema", object(std::move(fields), "files")}}},
        {"multipart/form-data", {{"schema", object(std::move(form), "file")}}}}}};
  Json& responses = (*operation)["responses"];
  const Json error = {{"application/json", {{"schema", {{"$ref", "#/components/schemas/Error"}}}}}};
  responses["415"] = {{"description", "Neither a form nor JSON"}, {"content", error}};
  responses["422"] = {{"description", "A field is wrong; `param` names it"}, {"content", error}};
}

void SetAnswer(const char* schema, Json* operation) {
  (*operation)["responses"]["200"] = {
      {"description", "The answer"},
      {"content",
       {{"application/json",
         {{"schema", {{"$ref", std::string("#/components/schemas/") + schema}}}}}}}};
}

Json Parsed(const char* text) { return Json::parse(text); }

Json Merged(std::initializer_list<const char*> texts) {
  Json all = Json::object();
  for (const char* text : texts) all.update(Parsed(text));
  return all;
}

void DescribeOrder(Json* operation) {
  (*operation)["requestBody"] = {
      {"required", true},
      {"content",
       {{"application/json", {{"schema", {{"$ref", "#/components/schemas/SlicesToOrder"}}}}}}}};
  SetAnswer("SliceOrder", operation);
  (*operation)["responses"]["422"] = {
      {"description", "A field is wrong; `param` names it"},
      {"content", {{"application/json", {{"schema", {{"$ref", "#/components/schemas/Error"}}}}}}}};
}

// ?job=true of /extract, where jobs are kept.
void DescribeJobs(Json* operation) {
  (*operation)["parameters"] = Parsed(
      R"([{"name": "job", "in": "query", "description": "true: answers 202 and goes on without the connection",
           "schema": {"type": "boolean", "default": false}},
          {"name": "keep", "in": "query", "description": "seconds that the job stays when it is over",
           "schema": {"type": "integer", "minimum": 0, "maximum": 604800}}])");
  (*operation)["responses"]["202"] = {
      {"description", "A job was begun"},
      {"content", {{"application/json", {{"schema", {{"$ref", "#/components/schemas/Job"}}}}}}}};
}

// Taken, looked at, let go of.
void DescribeSlides(std::string_view method, const ServerOptions& options, Json* operation) {
  Json& responses = (*operation)["responses"];
  if (method == "POST") {
    SetBody(Json::object(), options, false, operation);
    responses["201"] = {
        {"description", "It can be looked at"},
        {"content",
         {{"application/json", {{"schema", {{"$ref", "#/components/schemas/Slide"}}}}}}}};
    responses.erase("200");
  } else if (method == "GET") {
    responses["200"]["content"] = {{"image/jpeg", {{"schema", {{"type", "string"}}}}}};
  } else {
    responses["204"] = {{"description", "It is let go of"}};
    responses.erase("200");
  }
}

void DescribeStow(std::string_view method, Json* operation) {
  Json& responses = (*operation)["responses"];
  if (method == "DELETE") {
    responses.erase("200");
    responses["204"] = {{"description", "It is removed"}};
    return;
  }
  (*operation)["requestBody"] = {
      {"required", true},
      {"content",
       {{"multipart/related",
         {{"schema", {{"type", "string"}, {"description", "parts of type application/dicom"}}}}}}}};
  const Json content = {{"application/dicom+json", {{"schema", {{"type", "object"}}}}}};
  responses["200"] = {{"description", "All instances were stored"}, {"content", content}};
  responses["202"] = {{"description", "Some were stored; FailedSOPSequence names the others"},
                      {"content", content}};
  responses["409"] = {{"description", "None was stored"}, {"content", content}};
  responses["415"] = {
      {"description", "No multipart/related; type=\"application/dicom\""},
      {"content", {{"application/json", {{"schema", {{"$ref", "#/components/schemas/Error"}}}}}}}};
}

}  // namespace

void AllowNull(Json* schema) {
  const Json null = {{"type", "null"}};
  if (schema->contains("anyOf")) {
    (*schema)["anyOf"].push_back(null);
  } else if (schema->contains("enum")) {
    (*schema)["enum"].push_back(nullptr);
  } else if (schema->contains("type") && (*schema)["type"].is_string()) {
    (*schema)["type"] = Json::array({(*schema)["type"], "null"});
  }
}

void DescribeOwn(std::string_view method, std::string_view path, const ServerOptions& options,
                 Json* operation) {
  const auto content = [&]() -> Json& { return (*operation)["responses"]["200"]["content"]; };
  const Json text = {{"schema", {{"type", "string"}}}};
  if (path == "/extract") {
    Json fields = Parsed(kExtractFields);
    fields["schema"] = SchemaField();
    SetBody(std::move(fields), options, true, operation);
    SetAnswer("Extraction", operation);
    content()["application/fhir+json"]["schema"] = {{"type", "object"}};
    content()["application/dicom"] = Json::object();  // bytes: no schema says more
    for (const char* type : {"text/csv", "text/html", "text/event-stream"}) content()[type] = text;
    if (!options.jobs.empty()) DescribeJobs(operation);
  } else if (path == "/analyze") {
    Json fields = Merged({kMediaFields, kAnswerFields});
    fields["recipe"] = RecipeField();
    SetBody(std::move(fields), options, true, operation);
    SetAnswer("Analysis", operation);
    content()["text/event-stream"] = text;
  } else if (path == "/look") {
    Json fields = Parsed(kMediaFields);
    fields["recipe"] = RecipeField();
    SetBody(std::move(fields), options, true, operation);
    SetAnswer("Media", operation);
  } else if (path == "/pixels") {
    SetBody(Parsed(kPixelsFields), options, false, operation);
    content() = {{"application/octet-stream", text}};
  } else if (path == "/pixels/order") {
    DescribeOrder(operation);
  } else if (path.starts_with("/slides")) {
    DescribeSlides(method, options, operation);
  } else if (path == "/jobs/*") {
    SetAnswer("Job", operation);
    content()["text/event-stream"] = text;
  } else if (path.starts_with("/dicom-web/")) {
    DescribeStow(method, operation);
  } else if (path == "/recipes") {
    SetAnswer("Recipes", operation);
  } else if (path == "/benchmark") {
    SetAnswer("Benchmark", operation);
  } else if (path == "/audit") {
    SetAnswer("Audit", operation);
    (*operation)["parameters"] = Parsed(
        R"([{"name": "n", "in": "query", "required": false,
             "schema": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 10}}])");
    (*operation)["responses"]["422"] = {
        {"description", "'n' is wrong"},
        {"content",
         {{"application/json", {{"schema", {{"$ref", "#/components/schemas/Error"}}}}}}}};
  }
}

Json OwnSchemas() { return Parsed(kSchemas); }

}  // namespace galen::server

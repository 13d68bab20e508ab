#include "server/status/openapi_library.h"

#include <string>

namespace galen::server {
namespace {

// Of each endpoint the JSON Schema of its body.
constexpr char kBodies[] = R"json({
  "/api/pull": {"type": "object", "required": ["model"], "additionalProperties": false, "properties": {
    "model": {"type": "string", "description": "[namespace/]model[:tag], or hf.co/org/name[:variant]"},
    "name": {"type": "string"}, "stream": {"type": "boolean", "default": true},
    "insecure": {"enum": [false]}}},
  "/api/create": {"type": "object", "required": ["model"], "additionalProperties": false, "properties": {
    "model": {"type": "string", "description": "[namespace/]model[:tag]"}, "name": {"type": "string"},
    "from": {"type": "string", "description": "a model of this server"},
    "files": {"type": "object", "maxProperties": 8, "description": "GGUF files: name to sha256:HEX of a blob",
      "additionalProperties": {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"}},
    "system": {"type": "string"},
    "license": {"anyOf": [{"type": "string"}, {"type": "array", "maxItems": 16, "items": {"type": "string"}}]},
    "parameters": {"type": "object", "additionalProperties": false, "properties": {
      "temperature": {"type": "number", "minimum": 0, "maximum": 100}, "top_k": {"type": "integer", "minimum": 0, "maximum": 1048576},
      "top_p": {"type": "number", "minimum": 0, "maximum": 1}, "min_p": {"type": "number", "minimum": 0, "maximum": 1},
      "repeat_penalty": {"type": "number", "minimum": 0.01, "maximum": 10},
      "presence_penalty": {"type": "number", "minimum": -10, "maximum": 10},
      "frequency_penalty": {"type": "number", "minimum": -10, "maximum": 10},
      "seed": {"type": "integer"}, "num_predict": {"type": "integer", "minimum": -2, "maximum": 2147483648},
      "stop": {"anyOf": [{"type": "string"}, {"type": "array", "maxItems": 16, "items": {"type": "string"}}]}}},
    "stream": {"type": "boolean", "default": true}}},
  "/api/copy": {"type": "object", "required": ["source", "destination"], "additionalProperties": false, "properties": {
    "source": {"type": "string"}, "destination": {"type": "string"}}},
  "/api/delete": {"type": "object", "required": ["model"], "additionalProperties": false, "properties": {
    "model": {"type": "string"}, "name": {"type": "string"}}}
})json";

}  // namespace

void DescribeLibrary(std::string_view method, std::string_view path, Json* operation) {
  Json& responses = (*operation)["responses"];
  const Json error = {
      {"application/json", {{"schema", {{"$ref", "#/components/schemas/OllamaError"}}}}}};
  if (path == "/api/blobs/*") {
    if (method == "HEAD") {  // without a body, whatever the status
      for (auto& [status, response] : responses.items()) response.erase("content");
      return;
    }
    (*operation)["requestBody"]["content"] = {
        {"application/octet-stream", {{"schema", {{"type", "string"}}}}}};
    responses.erase("200");
    responses["201"] = {{"description", "The store has the blob"}};
    responses["507"] = {{"description", "The disk is full"}, {"content", error}};
    return;
  }
  const Json bodies = Json::parse(kBodies);
  const auto body = bodies.find(std::string(path));
  if (body == bodies.end()) return;
  (*operation)["requestBody"] = {{"required", true},
                                 {"content", {{"application/json", {{"schema", *body}}}}}};
  if (path == "/api/delete") return;
  responses["507"] = {{"description", "The disk is full"}, {"content", error}};
  if (path == "/api/copy") return;
  responses["200"]["content"] = {
      {"application/json",
       {{"schema", {{"type", "object"}, {"properties", {{"status", {{"type", "string"}}}}}}}}},
      {"application/x-ndjson", {{"schema", {{"type", "string"}}}}}};
}

}  // namespace galen::server

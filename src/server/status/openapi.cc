// GET /openapi.json, made from the table of endpoints and the fields below.
#include <algorithm>
#include <cctype>

#include "server/api/write_json.h"
#include "server/endpoints.h"
#include "server/services.h"
#include "server/status/openapi_library.h"
#include "server/status/openapi_own.h"

namespace galen::server {
namespace {

Json Type(const char* type) { return {{"type", type}}; }
Json Range(const char* type, double low, double high) {
  return {{"type", type}, {"minimum", low}, {"maximum", high}};
}
Json ListOf(Json items) { return {{"type", "array"}, {"items", std::move(items)}}; }
Json AnyOf(std::initializer_list<Json> forms) { return {{"anyOf", Json(forms)}}; }

Json Object(Json properties, Json required) {
  for (auto& [name, schema] : properties.items()) {
    if (std::find(required.begin(), required.end(), Json(name)) == required.end())
      AllowNull(&schema);
  }
  Json object = {{"type", "object"}, {"properties", std::move(properties)}};
  if (!required.empty()) object["required"] = std::move(required);
  object["additionalProperties"] = false;
  return object;
}

Json Sampling(const ServerOptions& options) {
  return {
      {"model", Type("string")},
      {"temperature", Range("number", 0, 2)},
      {"top_p", Range("number", 0, 1)},
      {"min_p", Range("number", 0, 1)},
      {"top_k", Range("integer", -1, 1 << 20)},
      {"frequency_penalty", Range("number", -2, 2)},
      {"presence_penalty", Range("number", -2, 2)},
      {"repetition_penalty", Range("number", 0.01, 10)},
      {"repeat_penalty", Range("number", 0.01, 10)},
      {"seed", Type("integer")},
      {"n", Range("integer", 1, static_cast<double>(options.max_choices))},
      {"stop", AnyOf({Type("string"), ListOf(Type("string"))})},
      {"logit_bias", {{"type", "object"}, {"additionalProperties", Range("number", -100, 100)}}},
      {"stream", Type("boolean")},
      {"stream_options", Object({{"include_usage", Type("boolean")}}, Json::array())},
      {"user", Type("string")}};
}

Json Tools() {
  return ListOf(Object({{"type", {{"enum", {"function"}}}},
                        {"function", Object({{"name", Type("string")},
                                             {"description", Type("string")},
                                             {"parameters", Type("object")},
                                             {"strict", Type("boolean")}},
                                            {"name"})}},
                       {"function"}));
}

Json EmbeddingBody(std::string_view path) {
  const Json ids = ListOf(Range("integer", 0, 1 << 23));
  const Json input = AnyOf({Type("string"), ids, ListOf(AnyOf({Type("string"), ids}))});
  Json fields = {{"model", Type("string")},
                 {"dimensions", Type("integer")},
                 {"pooling", {{"enum", {"mean", "last"}}}}};
  if (path == "/v1/embeddings") {
    fields["input"] = input;
    fields["encoding_format"] = {{"enum", {"float", "base64"}}};
    fields["user"] = Type("string");
    return Object(std::move(fields), {"input"});
  }
  fields[path == "/api/embed" ? "input" : "prompt"] = input;
  fields["keep_alive"] = AnyOf({Type("string"), Type("number")});
  fields["truncate"] = Type("boolean");
  fields["options"] = Type("object");
  return Object(std::move(fields), Json::array());  // a server with one model needs no name
}

Json ChatBody(const ServerOptions& options) {
  Json fields = Sampling(options);
  const Json url = AnyOf(
      {Type("string"), Object({{"url", Type("string")}, {"detail", Type("string")}}, {"url"})});
  const Json part = Object(
      {{"type", {{"enum", {"text", "image_url"}}}}, {"text", Type("string")}, {"image_url", url}},
      {"type"});
  fields["messages"] =
      ListOf(Object({{"role", {{"enum", {"system", "developer", "user", "assistant", "tool"}}}},
                     {"content", AnyOf({Type("string"), ListOf(part)})}},
                    {"role", "content"}));
  fields["messages"]["minItems"] = 1;
  fields["max_tokens"] = Range("integer", 1, 2147483648.0);
  fields["max_completion_tokens"] = Range("integer", 1, 2147483648.0);
  fields["logprobs"] = Type("boolean");
  fields["top_logprobs"] = Range("integer", 0, 20);
  fields["tools"] = Tools();
  fields["tool_choice"] = AnyOf({Type("string"), Type("object")});
  fields["parallel_tool_calls"] = Type("boolean");
  return Object(std::move(fields), {"messages"});
}

Json CompletionBody(const ServerOptions& options) {
  Json fields = Sampling(options);
  const Json ids = ListOf(Range("integer", 0, 1 << 23));
  fields["prompt"] = AnyOf({Type("string"), ids, ListOf(AnyOf({Type("string"), ids}))});
  fields["max_tokens"] = Range("integer", 0, 2147483648.0);
  fields["logprobs"] = Range("integer", 0, 20);
  fields["echo"] = Type("boolean");
  return Object(std::move(fields), {"prompt"});
}

Json OllamaBody(bool chat) {
  Json fields = {{"model", Type("string")},
                 {"stream", Type("boolean")},
                 {"options", Type("object")},
                 {"think", AnyOf({Type("boolean"), Type("string")})},
                 {"keep_alive", AnyOf({Type("string"), Type("number")})}};
  if (chat) {
    fields["messages"] = ListOf(Object(
        {{"role", Type("string")}, {"content", Type("string")}, {"images", ListOf(Type("string"))}},
        {"role"}));
    fields["tools"] = Tools();
  } else {
    fields["prompt"] = Type("string");
    fields["system"] = Type("string");
    fields["raw"] = Type("boolean");
    fields["images"] = ListOf(Type("string"));
  }
  return Object(std::move(fields), Json::array());
}

Json BodyOf(std::string_view path, const ServerOptions& options) {
  if (path == "/v1/chat/completions") return ChatBody(options);
  if (path == "/v1/completions") return CompletionBody(options);
  if (path.find("/embed") != path.npos) return EmbeddingBody(path);
  if (path == "/api/chat" || path == "/api/generate") return OllamaBody(path == "/api/chat");
  return Type("object");
}

Json Responses(const Endpoint& endpoint, bool keys) {
  const char* schema = DialectOf(endpoint.path) == Dialect::kOllama ? "OllamaError" : "Error";
  const Json content = {{"application/json",
                         {{"schema", {{"$ref", std::string("#/components/schemas/") + schema}}}}}};
  Json responses = {{"200", {{"description", "The answer"}}}};
  const auto error = [&](const char* status, const char* what) {
    responses[status] = {{"description", what}, {"content", content}};
  };
  error("400", "The request is wrong; the message names the field");
  error("403", "The request of a web page from elsewhere, or a key without the right");
  error("404", "No such model, or nothing there");
  error("413", "The body, or something in it, is too large");
  error("429", "The queue is full; see Retry-After");
  error("431", "The headers are too large");
  error("500", "An error of this server");
  error("501", "Not implemented");
  error("503", "Not now; see Retry-After");
  if (keys && !endpoint.open) error("401", "No valid API key");
  return responses;
}

}  // namespace

void OpenApi(const Services& services, std::shared_ptr<const HttpRequest>,
             std::shared_ptr<Reply> reply) {
  const bool keys = !services.options.api_keys.empty();
  Json paths = Json::object();
  for (const Endpoint& endpoint : services.endpoints) {
    std::string path = endpoint.path, method = endpoint.method;
    if (path.starts_with("/dicom-web/") && services.studies == nullptr) continue;
    for (char& c : method) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    Json operation = {{"summary", endpoint.summary}, {"responses", Responses(endpoint, keys)}};
    if (path.ends_with('*')) {
      path.replace(path.size() - 1, 1, "{name}");
      operation["parameters"] = {
          {{"name", "name"}, {"in", "path"}, {"required", true}, {"schema", Type("string")}}};
    }
    if (method == "post") {
      operation["requestBody"]["content"]["application/json"]["schema"] =
          BodyOf(endpoint.path, services.options);
    }
    DescribeOwn(endpoint.method, endpoint.path, services.options, &operation);
    DescribeLibrary(endpoint.method, endpoint.path, &operation);
    if (keys && !endpoint.open) operation["security"] = Json::array({{{"key", Json::array()}}});
    paths[path][method] = std::move(operation);
  }
  Json json = {{"openapi", "3.1.0"},
               {"info", {{"title", "galen"}, {"version", services.options.version}}},
               {"paths", paths}};
  if (keys) json["components"]["securitySchemes"]["key"] = {{"type", "http"}, {"scheme", "bearer"}};
  json["components"]["schemas"] = OwnSchemas();
  HttpResponse response;
  response.body = WriteJson(json);
  reply->Send(std::move(response));
}

}  // namespace galen::server

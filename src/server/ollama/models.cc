// What Ollama's clients ask about models: GET /api/tags, POST /api/show, GET /api/ps; and what
// galen does not do, POST /api/push.
#include "base/rfc3339.h"
#include "server/api/fields.h"
#include "server/api/generate.h"
#include "server/api/write_json.h"
#include "server/endpoints.h"

namespace galen::server {
namespace {

std::string Rounded(int64_t parameters) {
  char text[32];
  if (parameters >= 1'000'000'000)
    std::snprintf(text, sizeof(text), "%.1fB", static_cast<double>(parameters) / 1e9);
  else
    std::snprintf(text, sizeof(text), "%.2fM", static_cast<double>(parameters) / 1e6);
  return text;
}

Json Details(const Services& services, const ModelInfo& info) {
  const ModelConfig& config = info.files.config;
  Json families = {config.architecture};
  return {
      {"parent_model", ""},
      {"format", info.files.checkpoint->kind() == CheckpointKind::kGguf ? "gguf" : "safetensors"},
      {"family", config.architecture},
      {"families", families},
      {"parameter_size", Rounded(info.parameters)},
      {"quantization_level", info.quantisation},
      {"context_length", services.models.ContextOf(info)},
      {"embedding_length", config.hidden_size}};
}

Json Entry(const Services& services, const ModelInfo& info) {
  return {
      {"name", info.spec.name},  {"model", info.spec.name}, {"modified_at", Rfc3339(info.modified)},
      {"size", info.file_bytes}, {"digest", info.identity}, {"details", Details(services, info)}};
}

// A line for each, as Ollama shows them.
std::string ParametersText(const std::string& parameters) {
  const Json json = Json::parse(parameters, nullptr, false);
  std::string text;
  const auto add = [&](const std::string& name, const Json& value) {
    text += (text.empty() ? "" : "\n") + name + " " + WriteJson(value);
  };
  if (!json.is_object()) return text;
  for (const auto& [name, value] : json.items()) {
    for (const Json& one : value.is_array() ? value : Json::array({value})) add(name, one);
  }
  return text;
}

void SendJson(const Json& json, Reply* reply) {
  HttpResponse response;
  response.body = WriteJson(json);
  reply->Send(std::move(response));
}

}  // namespace

void OllamaTags(const Services& services, std::shared_ptr<const HttpRequest>,
                std::shared_ptr<Reply> reply) {
  Json models = Json::array();
  for (const ModelRef& info : services.models.models()) {
    Json entry = Entry(services, *info);
    entry["capabilities"] = info->capabilities();
    models.push_back(std::move(entry));
  }
  SendJson({{"models", models}}, reply.get());
}

void OllamaPs(const Services& services, std::shared_ptr<const HttpRequest>,
              std::shared_ptr<Reply> reply) {
  Json models = Json::array();
  for (const ModelRegistry::Loaded& loaded : services.models.loaded()) {
    Json entry = Entry(services, *loaded.info);
    entry.erase("modified_at");
    entry["size"] = loaded.host->reserved_bytes();
    entry["size_vram"] = 0;
    entry["context_length"] = loaded.host->context();
    entry["expires_at"] = Rfc3339(loaded.expires > 0 ? loaded.expires : 32503680000);  // year 3000
    models.push_back(std::move(entry));
  }
  SendJson({{"models", models}}, reply.get());
}

void OllamaShow(const Services& services, std::shared_ptr<const HttpRequest> request,
                std::shared_ptr<Reply> reply) {
  const auto fail = [&](const ApiError& error) {
    reply->Send(ErrorResponse(Dialect::kOllama, error));
  };
  Result<OrderedJson> body = ParseBody(request->body.Reveal(), services.options.max_json_depth);
  if (!body.ok()) return fail(ErrorOf(body.status()));
  if (body->is_object() && body->contains("name") && !body->contains("model"))
    (*body)["model"] = (*body)["name"];  // as older clients send it
  ModelRef info;
  ApiError error;
  if (!FindModel(services, *body, &info, &error)) return fail(error);
  std::string failed;
  Fields fields(*body, "", &failed);
  bool verbose = false;
  Status status = fields.Bool("verbose", &verbose);
  if (status.ok()) status = fields.Refuse("system", "models are shown as they are");
  fields.Accept({"model", "name", "template", "options"});
  if (status.ok()) status = fields.Finish();
  if (!status.ok()) return fail(ErrorOf(status, failed));
  const ModelConfig& c = info->files.config;
  const std::string& family = c.architecture;
  Json facts = {{"general.architecture", family},
                {"general.parameter_count", info->parameters},
                {family + ".context_length", c.max_position_embeddings},
                {family + ".embedding_length", c.hidden_size},
                {family + ".block_count", c.num_hidden_layers},
                {family + ".feed_forward_length", c.intermediate_size},
                {family + ".attention.head_count", c.num_attention_heads},
                {family + ".attention.head_count_kv", c.num_key_value_heads},
                {family + ".attention.key_length", c.head_dim},
                {family + ".vocab_size", c.vocab_size}};
  Json json = {{"modelfile", "# " + info->spec.name + ", served by galen"},
               {"parameters", ParametersText(info->spec.parameters)},
               {"template", info->files.chat_template},
               {"system", info->spec.system},
               {"license", info->spec.license},
               {"details", Details(services, *info)},
               {"model_info", facts},
               {"capabilities", info->capabilities()},
               {"modified_at", Rfc3339(info->modified)}};
  if (verbose) {
    Json tensors = Json::array();
    for (const TensorInfo& tensor : info->files.checkpoint->tensors()) {
      tensors.push_back(
          {{"name", tensor.name}, {"type", tensor.type_name}, {"shape", tensor.shape}});
    }
    json["tensors"] = std::move(tensors);
  }
  SendJson(json, reply.get());
}

void OllamaPush(const Services&, std::shared_ptr<const HttpRequest>, std::shared_ptr<Reply> reply) {
  ApiError error;
  error.status = 501;
  error.message = "galen sends no models to registries";
  reply->Send(ErrorResponse(Dialect::kOllama, error));
}

void OllamaRoot(const Services&, std::shared_ptr<const HttpRequest>, std::shared_ptr<Reply> reply) {
  HttpResponse response;
  response.content_type = "text/plain; charset=utf-8";
  response.body = "Ollama is running";  // what its clients look for
  reply->Send(std::move(response));
}

void OllamaVersion(const Services& services, std::shared_ptr<const HttpRequest>,
                   std::shared_ptr<Reply> reply) {
  SendJson({{"version", services.options.version}}, reply.get());
}

}  // namespace galen::server

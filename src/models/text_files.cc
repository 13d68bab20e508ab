#include "models/text_files.h"

#include <optional>

#include "base/files.h"
#include "base/json.h"
#include "text/template/builtin_templates.h"

namespace galen {
namespace {

constexpr int64_t kMaxTokenId = (int64_t{1} << 31) - 1;

std::string Join(const std::string& directory, const char* file) { return directory + "/" + file; }

// Absent keys leave the value alone; present ones must fit.
Status ReadOptional(const GgufFile& file, const char* key, std::optional<TokenId>* value) {
  if (!file.Has(key)) return OkStatus();
  ASSIGN_OR_RETURN(const int64_t id, file.GetInt(key));
  // Some converters write -1 (as a u32) for none.
  if (id >= 0 && id <= kMaxTokenId) *value = static_cast<TokenId>(id);
  return OkStatus();
}

Status ReadOptional(const GgufFile& file, const char* key, std::optional<bool>* value) {
  if (!file.Has(key)) return OkStatus();
  ASSIGN_OR_RETURN(*value, file.GetBool(key));
  return OkStatus();
}

Result<GgufVocab> ReadVocab(const std::shared_ptr<const Checkpoint>& checkpoint) {
  const GgufFile& file = *checkpoint->gguf();
  GgufVocab vocab;
  vocab.owner = checkpoint;
  ASSIGN_OR_RETURN(const std::string_view model, file.GetString("tokenizer.ggml.model"));
  vocab.model = model;
  if (file.Has("tokenizer.ggml.pre")) {
    ASSIGN_OR_RETURN(const std::string_view pre, file.GetString("tokenizer.ggml.pre"));
    vocab.pre = pre;
  }
  ASSIGN_OR_RETURN(vocab.tokens, file.GetStrings("tokenizer.ggml.tokens"));
  if (file.Has("tokenizer.ggml.scores")) {
    ASSIGN_OR_RETURN(vocab.scores, file.GetFloats("tokenizer.ggml.scores"));
  }
  if (file.Has("tokenizer.ggml.token_type")) {
    ASSIGN_OR_RETURN(const std::vector<int64_t> types, file.GetInts("tokenizer.ggml.token_type"));
    for (const int64_t type : types) {
      if (type < 0 || type > kMaxTokenId) {
        return DataLoss(file.name() + ": tokenizer.ggml.token_type holds " + std::to_string(type));
      }
    }
    vocab.token_types.assign(types.begin(), types.end());
  }
  if (file.Has("tokenizer.ggml.merges")) {
    ASSIGN_OR_RETURN(vocab.merges, file.GetStrings("tokenizer.ggml.merges"));
  }
  const std::pair<const char*, std::optional<TokenId>*> ids[] = {
      {"tokenizer.ggml.bos_token_id", &vocab.bos},
      {"tokenizer.ggml.eos_token_id", &vocab.eos},
      {"tokenizer.ggml.eot_token_id", &vocab.eot},
      {"tokenizer.ggml.eom_token_id", &vocab.eom},
      {"tokenizer.ggml.unknown_token_id", &vocab.unk},
      {"tokenizer.ggml.padding_token_id", &vocab.pad},
  };
  for (const auto& [key, id] : ids) RETURN_IF_ERROR(ReadOptional(file, key, id));
  RETURN_IF_ERROR(ReadOptional(file, "tokenizer.ggml.add_bos_token", &vocab.add_bos));
  RETURN_IF_ERROR(ReadOptional(file, "tokenizer.ggml.add_eos_token", &vocab.add_eos));
  RETURN_IF_ERROR(ReadOptional(file, "tokenizer.ggml.add_space_prefix", &vocab.add_space_prefix));
  // Without them every prompt would be another than the model was trained on, and no answer end.
  if (!vocab.bos && vocab.add_bos.value_or(vocab.model == "llama")) {
    return DataLoss(file.name() + ": metadata key \"tokenizer.ggml.bos_token_id\" is missing; " +
                    "expected the token that begins every text");
  }
  if (!vocab.eos && !vocab.eot) {
    return DataLoss(file.name() + ": metadata key \"tokenizer.ggml.eos_token_id\" is missing; " +
                    "expected the token that ends a text");
  }
  return vocab;
}

Status BadTokenizer(const Status& status) {
  return {status.code(), status.message() +
                             "; download or convert the model again, or use its Hugging Face "
                             "directory with tokenizer.json"};
}

Result<std::shared_ptr<const Tokenizer>> ReadDirectoryTokenizer(const std::string& directory) {
  const std::string json = Join(directory, "tokenizer.json");
  if (FileExists(json)) {
    ASSIGN_OR_RETURN(const std::string text, ReadFile(json, kMaxTokenizerBytes));
    std::string config;
    const std::string config_path = Join(directory, "tokenizer_config.json");
    if (FileExists(config_path)) {
      ASSIGN_OR_RETURN(config, ReadFile(config_path));
    }
    auto tokenizer = Tokenizer::FromJson(text, config);
    if (!tokenizer.ok()) return tokenizer.status().WithContext(json);
    return tokenizer;
  }
  const std::string model = Join(directory, "tokenizer.model");
  if (!FileExists(model)) {
    return NotFound(directory +
                    ": neither tokenizer.json nor tokenizer.model is there; copy it from where " +
                    "the model comes from");
  }
  ASSIGN_OR_RETURN(const std::string bytes, ReadFile(model, kMaxTokenizerBytes));
  // As the tokenizers of transformers for LLaMA and Gemma, which take BOS for granted.
  bool add_bos = true, add_eos = false;
  const std::string config_path = Join(directory, "tokenizer_config.json");
  if (FileExists(config_path)) {
    ASSIGN_OR_RETURN(const std::string text, ReadFile(config_path));
    const Result<Json> config = ParseJson(text);
    if (!config.ok()) return config.status().WithContext(config_path);
    const auto read = [&](const char* key, bool* value) {
      if (config->is_object() && config->contains(key) && (*config)[key].is_boolean())
        *value = (*config)[key].get<bool>();
    };
    read("add_bos_token", &add_bos);
    read("add_eos_token", &add_eos);
  }
  auto tokenizer = Tokenizer::FromSentencePiece(bytes, add_bos, add_eos);
  if (!tokenizer.ok()) return tokenizer.status().WithContext(model);
  return tokenizer;
}

// The "chat_template" of a JSON file: a string, or a list of {name, template}. Empty if there is
// none.
Result<std::string> TemplateOfJson(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  const Result<Json> parsed = ParseJson(text);
  if (!parsed.ok()) return parsed.status().WithContext(path);
  const Json& json = *parsed;
  if (!json.is_object() || !json.contains("chat_template")) return std::string();
  const Json& value = json["chat_template"];
  if (value.is_null()) return std::string();
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_array()) {
    return DataLoss(path + ": chat_template is neither a string nor a list of named templates");
  }
  std::string fallback;
  for (const Json& entry : value) {
    if (!entry.is_object() || !entry.contains("template") || !entry["template"].is_string()) {
      return DataLoss(path + ": chat_template holds an entry without a template");
    }
    const std::string source = entry["template"].get<std::string>();
    if (entry.value("name", Json()) == "default") return source;
    if (fallback.empty()) fallback = source;
  }
  return fallback;
}

Result<TemplateSource> OwnTemplate(const Checkpoint& checkpoint) {
  if (checkpoint.gguf() != nullptr) {
    constexpr const char* kKey = "tokenizer.chat_template";
    if (!checkpoint.gguf()->Has(kKey)) return TemplateSource();
    ASSIGN_OR_RETURN(const std::string_view source, checkpoint.gguf()->GetString(kKey));
    return TemplateSource{std::string(source), kKey};
  }
  // The order of transformers: a file of its own wins.
  const std::string& directory = checkpoint.directory();
  const std::string jinja = Join(directory, "chat_template.jinja");
  if (FileExists(jinja)) {
    ASSIGN_OR_RETURN(std::string source, ReadFile(jinja));
    return TemplateSource{std::move(source), "chat_template.jinja"};
  }
  for (const char* name : {"chat_template.json", "tokenizer_config.json"}) {
    const std::string path = Join(directory, name);
    if (!FileExists(path)) continue;
    ASSIGN_OR_RETURN(std::string source, TemplateOfJson(path));
    if (!source.empty()) return TemplateSource{std::move(source), name};
  }
  return TemplateSource();
}

}  // namespace

Result<std::shared_ptr<const Tokenizer>> ReadTokenizer(
    const std::shared_ptr<const Checkpoint>& checkpoint) {
  if (checkpoint->gguf() == nullptr) return ReadDirectoryTokenizer(checkpoint->directory());
  Result<GgufVocab> vocab = ReadVocab(checkpoint);
  if (!vocab.ok()) return BadTokenizer(vocab.status());
  auto tokenizer = Tokenizer::FromGguf(*std::move(vocab));
  if (!tokenizer.ok()) return BadTokenizer(tokenizer.status().WithContext(checkpoint->path()));
  return tokenizer;
}

Result<TemplateSource> ReadChatTemplate(const Checkpoint& checkpoint, const Tokenizer* tokenizer,
                                        const std::string& architecture, const std::string& name) {
  ASSIGN_OR_RETURN(TemplateSource own, OwnTemplate(checkpoint));
  if (!own.source.empty()) return own;
  TemplateHints hints;
  hints.architecture = architecture;
  hints.name = name;
  for (int id = 0; tokenizer != nullptr && id < tokenizer->vocab_size(); ++id) {
    if (tokenizer->IsControl(id)) hints.vocabulary.push_back(tokenizer->TokenText(id));
  }
  const Result<BuiltinTemplate> builtin = BuiltinTemplateFor(hints);
  if (!builtin.ok()) return TemplateSource();
  return TemplateSource{std::string(builtin->source), "built in: " + std::string(builtin->name)};
}

}  // namespace galen

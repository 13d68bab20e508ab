#include "formats/peft_config.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <regex>

#include "base/json.h"
#include "formats/metadata_view.h"
#include "formats/quote.h"

namespace galen {
namespace {

constexpr int64_t kMaxRank = 1 << 16;
constexpr size_t kMaxRegexBytes = 512;  // bytes of a regular expression
constexpr double kMaxAlpha = 1e9;

// Read below.
constexpr auto kRead = std::to_array<std::string_view>(
    {"peft_type", "r", "lora_alpha", "use_rslora", "use_dora", "lora_bias", "bias",
     "target_modules", "modules_to_save", "rank_pattern", "alpha_pattern",
     "base_model_name_or_path", "init_lora_weights", "fan_in_fan_out", "ensure_weight_tying"});

// Of training, of who made the file, or of where LoRA went, which the tensors' names say anyway.
constexpr auto kHarmless = std::to_array<std::string_view>(
    {"task_type", "revision", "inference_mode", "peft_version", "auto_mapping", "lora_dropout",
     "exclude_modules", "layers_to_transform", "layers_pattern", "loftq_config", "eva_config",
     "corda_config", "lora_ga_config", "runtime_config", "megatron_core", "qalora_group_size",
     "parallelism_config"});

// Ways to begin training that leave the base as it is. The others (pissa, olora, corda, loftq,
// lora_ga) take what the adapter starts with out of the base weights.
constexpr auto kHarmlessInit =
    std::to_array<std::string_view>({"gaussian", "eva", "orthogonal", "mica", "true", "false"});

bool IsDefault(const Json& value) {
  return value.is_null() || (value.is_boolean() && !value.get<bool>()) ||
         ((value.is_object() || value.is_array() || value.is_string()) && value.empty());
}

template <typename List>
bool Contains(const List& list, std::string_view item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

// PEFT's get_pattern_key: the first key that matches the end of the path, from a dot on.
template <typename T>
Result<const T*> FindPattern(const std::vector<std::pair<std::string, T>>& patterns,
                             std::string_view module) {
  for (const auto& [key, value] : patterns) {
    if (key == module) return &value;
    try {
      const std::regex pattern("(.*\\.)?(" + key + ")");
      if (std::regex_match(module.begin(), module.end(), pattern)) return &value;
    } catch (const std::regex_error&) {
      return Unsupported(Quoted(key) +
                         " in rank_pattern or alpha_pattern is no regular expression "
                         "that galen reads");
    }
  }
  return static_cast<const T*>(nullptr);
}

Status CheckFields(const Json& json, const std::string& name) {
  for (const auto& [key, value] : json.items()) {
    if (Contains(kRead, key) || Contains(kHarmless, key) || IsDefault(value)) continue;
    return Unsupported(name + ": " + Quoted(key) + " is set to " +
                       Quoted(value.dump(-1, ' ', true, Json::error_handler_t::replace), 60) +
                       ", which galen does not compute; the adapter would answer differently from "
                       "what it was trained to (merge it with PEFT instead)");
  }
  return OkStatus();
}

Status CheckInit(const JsonView& view, const std::string& name) {
  if (!view.Has("init_lora_weights") || view.json()["init_lora_weights"].is_boolean()) {
    return OkStatus();
  }
  ASSIGN_OR_RETURN(const std::string init, view.GetString("init_lora_weights"));
  if (Contains(kHarmlessInit, init)) return OkStatus();
  return Unsupported(name + ": init_lora_weights " + Quoted(init, 40) +
                     " changed the base weights when training began; convert the adapter with "
                     "PEFT's save_pretrained(path_initial_model_for_weight_conversion=...)");
}

// With modules_to_save the file holds both of the tied matrices; with a low-rank adapter of one of
// them PEFT applies it to the other as well.
Status CheckTying(const JsonView& view, const PeftConfig& c) {
  ASSIGN_OR_RETURN(const bool tying, view.GetBoolOr("ensure_weight_tying", false));
  if (!tying) return OkStatus();
  bool adapted = !c.target_pattern.empty() && c.target_pattern != "all-linear";
  for (const std::string& target : c.target_modules) {
    adapted = adapted || target.ends_with("embed_tokens") || target.ends_with("lm_head");
  }
  if (!adapted) return OkStatus();
  return Unsupported(view.Describe("ensure_weight_tying") +
                     " is set and target_modules may mean the embedding table or the head: galen "
                     "does not apply one low-rank adapter to both (merge it with PEFT instead)");
}

template <typename T, typename Read>
Status ReadPattern(const JsonView& view, std::string_view key, Read read,
                   std::vector<std::pair<std::string, T>>* pattern) {
  ASSIGN_OR_RETURN(const JsonView object, view.Object(key));
  for (const auto& [module, value] : object.json().items()) {
    if (module.size() > kMaxRegexBytes) {
      return DataLoss(view.Describe(key) + " has a key of " + std::to_string(module.size()) +
                      " bytes; at most " + std::to_string(kMaxRegexBytes));
    }
    ASSIGN_OR_RETURN(const T number, read(object, module));
    pattern->emplace_back(module, number);
  }
  return OkStatus();
}

}  // namespace

Result<double> PeftConfig::Scaling(std::string_view module, int64_t rank) const {
  ASSIGN_OR_RETURN(const double* own, FindPattern(alpha_pattern, module));
  const double alpha = own == nullptr ? lora_alpha : *own;
  const auto n = static_cast<double>(rank);
  return use_rslora ? alpha / std::sqrt(n) : alpha / n;
}

Result<int64_t> PeftConfig::RankOf(std::string_view module) const {
  ASSIGN_OR_RETURN(const int64_t* own, FindPattern(rank_pattern, module));
  return own == nullptr ? r : *own;
}

Result<PeftConfig> ParsePeftConfig(std::string_view text, const std::string& name) {
  const Result<Json> json = ParseJson(text, 32);
  if (!json.ok()) return json.status().WithContext(name);
  if (!json->is_object()) return DataLoss(name + ": not a JSON object");
  const JsonView view(*json, name);
  PeftConfig c;
  ASSIGN_OR_RETURN(const std::string type, view.GetString("peft_type"));
  if (type != "LORA") {
    return Unsupported(name + ": peft_type is " + Quoted(type, 40) +
                       "; galen runs LORA (with rsLoRA, DoRA and modules_to_save)");
  }
  RETURN_IF_ERROR(CheckFields(*json, name));
  RETURN_IF_ERROR(CheckInit(view, name));
  ASSIGN_OR_RETURN(c.r, view.GetIntOr("r", c.r, 1, kMaxRank));
  ASSIGN_OR_RETURN(c.lora_alpha,
                   view.GetDoubleOr("lora_alpha", c.lora_alpha, -kMaxAlpha, kMaxAlpha));
  ASSIGN_OR_RETURN(c.use_rslora, view.GetBoolOr("use_rslora", false));
  ASSIGN_OR_RETURN(c.use_dora, view.GetBoolOr("use_dora", false));
  ASSIGN_OR_RETURN(c.lora_bias, view.GetBoolOr("lora_bias", false));
  ASSIGN_OR_RETURN(c.bias, view.GetStringOr("bias", "none"));
  if (c.bias != "none" && c.bias != "all" && c.bias != "lora_only") {
    return Unsupported(view.Describe("bias") + " is " + Quoted(c.bias, 40) +
                       "; known: none, all, lora_only");
  }
  if (view.IsList("target_modules")) {
    ASSIGN_OR_RETURN(c.target_modules, view.GetStrings("target_modules"));
  } else {
    ASSIGN_OR_RETURN(c.target_pattern, view.GetStringOr("target_modules", ""));
  }
  if (view.Has("modules_to_save")) {
    ASSIGN_OR_RETURN(c.modules_to_save, view.GetStrings("modules_to_save"));
  }
  RETURN_IF_ERROR(CheckTying(view, c));
  ASSIGN_OR_RETURN(c.base_model, view.GetStringOr("base_model_name_or_path", ""));
  RETURN_IF_ERROR(ReadPattern(
      view, "rank_pattern",
      [](const JsonView& v, std::string_view key) { return v.GetInt(key, 1, kMaxRank); },
      &c.rank_pattern));
  RETURN_IF_ERROR(ReadPattern(
      view, "alpha_pattern",
      [](const JsonView& v, std::string_view key) {
        return v.GetDouble(key, -kMaxAlpha, kMaxAlpha);
      },
      &c.alpha_pattern));
  ASSIGN_OR_RETURN(const bool transposed, view.GetBoolOr("fan_in_fan_out", false));
  if (transposed) {
    c.notes.push_back("fan_in_fan_out has no effect: this model's layers are no Conv1D");
  }
  return c;
}

}  // namespace galen

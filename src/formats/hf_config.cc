#include "formats/hf_config.h"

#include <utility>

#include "base/files.h"

namespace galen {
namespace {

constexpr int64_t kMaxTokenId = (int64_t{1} << 31) - 1;
constexpr size_t kMaxEosTokens = 1024;

// One id, a list of ids, or nothing.
Result<std::vector<int64_t>> ReadEos(const JsonView& view) {
  constexpr std::string_view kKey = "eos_token_id";
  if (!view.Has(kKey)) return std::vector<int64_t>();
  if (!view.IsList(kKey)) {
    ASSIGN_OR_RETURN(const int64_t id, view.GetInt(kKey, 0, kMaxTokenId));
    return std::vector<int64_t>{id};
  }
  ASSIGN_OR_RETURN(std::vector<int64_t> ids, view.GetInts(kKey, 0, kMaxTokenId));
  if (ids.size() > kMaxEosTokens) {
    return DataLoss(view.Describe(kKey) + " lists " + std::to_string(ids.size()) +
                    " tokens; at most " + std::to_string(kMaxEosTokens) + " are possible");
  }
  return ids;
}

Result<Json> ParseObject(std::string_view text, const std::string& file) {
  Result<Json> json = ParseJson(text, 64);
  if (!json.ok()) return json.status().WithContext(file);
  if (!json->is_object()) return DataLoss(file + ": expected a JSON object");
  return json;
}

}  // namespace

Result<HfConfig> HfConfig::Open(const std::string& directory) {
  const std::string path = directory + "/config.json";
  if (!FileExists(path)) {
    return NotFound(
        path + " is missing: a Hugging Face model directory holds config.json beside its weights");
  }
  ASSIGN_OR_RETURN(const std::string config, ReadFile(path));
  std::string generation;
  const std::string generation_path = directory + "/generation_config.json";
  if (FileExists(generation_path)) {
    ASSIGN_OR_RETURN(generation, ReadFile(generation_path));
    if (generation.empty())
      return DataLoss(generation_path + ": the file is empty; download it again");
  }
  return Parse(config, generation, directory);
}

Result<HfConfig> HfConfig::Parse(std::string_view config, std::string_view generation,
                                 const std::string& directory) {
  const std::string file = directory + "/config.json";
  ASSIGN_OR_RETURN(Json parsed, ParseObject(config, file));
  auto json = std::make_shared<const Json>(std::move(parsed));
  JsonView root(*json, file);
  JsonView text = root;
  if (root.Has("text_config")) {
    ASSIGN_OR_RETURN(text, root.Object("text_config"));
  }
  HfConfig result(json, root, text);
  ASSIGN_OR_RETURN(result.model_type_, root.GetStringOr("model_type", ""));
  if (root.Has("architectures")) {
    ASSIGN_OR_RETURN(const std::vector<std::string> names, root.GetStrings("architectures"));
    if (!names.empty()) result.architecture_ = names[0];
  }
  if (!generation.empty()) {
    const std::string generation_file = directory + "/generation_config.json";
    ASSIGN_OR_RETURN(const Json object, ParseObject(generation, generation_file));
    ASSIGN_OR_RETURN(result.eos_token_ids_, ReadEos(JsonView(object, generation_file)));
  }
  for (const JsonView* view : {&result.root_, &result.text_}) {
    if (result.eos_token_ids_.empty()) {
      ASSIGN_OR_RETURN(result.eos_token_ids_, ReadEos(*view));
    }
  }
  return result;
}

}  // namespace galen

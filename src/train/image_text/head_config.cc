#include "train/image_text/head_config.h"

#include <utility>

#include "base/files.h"

namespace galen {

Result<Json> ConfigInFp32(const std::string& directory) {
  constexpr size_t kLargest = size_t{64} << 20;
  const std::string path = directory + "/config.json";
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kLargest));
  Result<Json> config = ParseJson(text);
  if (!config.ok()) return config.status().WithContext(path);
  config->erase("torch_dtype");
  for (Json* part : {&*config, &(*config)["vision_config"], &(*config)["text_config"]}) {
    if (!part->is_object()) continue;
    part->erase("torch_dtype");
    if (part == &*config || part->contains("dtype")) (*part)["dtype"] = "float32";
  }
  for (const char* part : {"vision_config", "text_config"}) {
    if ((*config)[part].is_null()) config->erase(part);
  }
  return config;
}

Json HeadConfig(Json base, const std::vector<std::string>& labels, Framing framing,
                const std::vector<std::optional<double>>& thresholds) {
  // A tower by itself becomes the tower of a model.
  if (base.value("model_type", "") == "siglip_vision_model") {
    base.erase("architectures");
    Json tower = std::move(base);
    base = Json::object();
    base["vision_config"] = std::move(tower);
    base["dtype"] = "float32";
  }
  base["model_type"] = "siglip";
  base["architectures"] = Json::array({"SiglipForImageClassification"});
  base["problem_type"] = "multi_label_classification";
  base.erase("num_labels");  // follows from the names
  Json names = Json::object(), numbers = Json::object(), chosen = Json::object();
  for (size_t i = 0; i < labels.size(); ++i) {
    names[std::to_string(i)] = labels[i];
    numbers[labels[i]] = i;
    if (i < thresholds.size() && thresholds[i].has_value()) chosen[labels[i]] = *thresholds[i];
  }
  base["id2label"] = std::move(names);
  base["label2id"] = std::move(numbers);
  base["galen"] = {{"preprocessing", FramingName(framing)}, {"thresholds", std::move(chosen)}};
  return base;
}

}  // namespace galen

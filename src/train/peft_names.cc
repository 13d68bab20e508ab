#include "train/peft_names.h"

#include <algorithm>
#include <set>
#include <string_view>

#include "base/nearest_name.h"
#include "models/vision/vision_names.h"

namespace galen {
namespace {

constexpr std::string_view kImageTextPrefix = "model.language_model.";

std::string LastPart(const std::string& path) { return path.substr(path.rfind('.') + 1); }

bool Means(const std::string& entry, const std::string& path) {
  return path == entry || path.ends_with("." + entry);
}

}  // namespace

std::string OlderModulePath(const std::string& path) {
  constexpr std::string_view kTower = "model.vision_tower.";
  if (path.starts_with(kImageTextPrefix)) {
    return "language_model.model." + path.substr(kImageTextPrefix.size());
  }
  if (path.starts_with(kTower)) {
    return "vision_tower.vision_model." + path.substr(kTower.size());
  }
  return path;
}

std::string PeftModulePath(const ModelFiles& files, const ParamSpec& spec) {
  std::string name = spec.name;
  if (name.ends_with(".weight")) name.resize(name.size() - std::string_view(".weight").size());
  if (name == "lm_head") return name;
  // The text part of Qwen2.5-VL is not a model of its own in transformers, with or without a tower.
  const bool qwen = !files.config.mrope_section.empty();
  if (std::string image = TransformersVisionName(qwen, name); !image.empty()) return image;
  const bool sees = files.vision_status.ok() || qwen;
  return (sees ? std::string(kImageTextPrefix) : "model.") + name;
}

Result<std::vector<bool>> SelectModules(const std::vector<std::string>& paths,
                                        const std::vector<std::string>& entries) {
  std::vector<bool> chosen(paths.size(), false);
  for (const std::string& entry : entries) {
    bool found = false;
    for (size_t i = 0; i < paths.size(); ++i) {
      if (entry != "all-linear" && !Means(entry, paths[i]) &&
          !Means(entry, OlderModulePath(paths[i]))) {
        continue;
      }
      chosen[i] = found = true;
    }
    if (found) continue;
    std::set<std::string> endings;
    for (const std::string& path : paths) endings.insert(LastPart(path));
    std::string known;
    for (const std::string& ending : endings) known += (known.empty() ? "" : ", ") + ending;
    const std::string nearest = NearestName(LastPart(entry), endings);
    return InvalidArgument("lora.target_modules: no module is called \"" + entry + "\"" +
                           (nearest.empty() ? "" : "; did you mean \"" + nearest + "\"?") +
                           " Known: all-linear, " + known +
                           (entry.find("vis") == std::string::npos
                                ? ""
                                : "; freeze_vision_tower: false lets the image tower be adapted"));
  }
  return chosen;
}

std::vector<std::string> TargetModuleNames(const std::vector<std::string>& chosen,
                                           const std::vector<std::string>& all) {
  std::set<std::string> endings;
  for (const std::string& path : chosen) endings.insert(LastPart(path));
  const bool sees = std::any_of(all.begin(), all.end(), [](const std::string& path) {
    return path.starts_with(kImageTextPrefix);
  });
  const auto meant = std::count_if(all.begin(), all.end(), [&](const std::string& path) {
    return endings.count(LastPart(path)) != 0;
  });
  if (sees || meant != static_cast<std::ptrdiff_t>(chosen.size())) return chosen;
  return {endings.begin(), endings.end()};
}

}  // namespace galen

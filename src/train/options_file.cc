// Options from YAML, by yaml-cpp.
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cstdlib>

#include "base/files.h"
#include "train/options.h"

namespace galen {
namespace {

constexpr size_t kLargestFile = size_t{1} << 20;

std::string Folder(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash + 1);
}

std::string Where(const std::string& path, const YAML::Node& node) {
  return path + ":" + std::to_string(node.Mark().line + 1);
}

// A scalar or a list of them.
Result<std::vector<std::string>> Scalars(const YAML::Node& node) {
  std::vector<std::string> values;
  if (node.IsScalar()) {
    values.push_back(node.Scalar());
  } else if (node.IsSequence()) {
    for (const YAML::Node& item : node) {
      if (!item.IsScalar()) return InvalidArgument("holds a list of what is no text");
      values.push_back(item.Scalar());
    }
  } else {
    return InvalidArgument("has no value");
  }
  return values;
}

Status SetAll(const std::string& path, const std::string& section, const YAML::Node& map,
              TrainOptions* options) {
  for (const auto& entry : map) {
    const std::string where = Where(path, entry.first);
    if (!entry.first.IsScalar()) return InvalidArgument(where + ": a key is no text");
    const std::string name = section + entry.first.Scalar();
    if (entry.second.IsMap()) {
      if (!section.empty() || name != "lora") {
        return InvalidArgument(where + ": \"" + name + "\" is no section; known: lora");
      }
      options->lora.enabled = true;
      RETURN_IF_ERROR(SetAll(path, "lora.", entry.second, options));
      continue;
    }
    const Result<std::vector<std::string>> values = Scalars(entry.second);
    if (!values.ok()) return InvalidArgument(where + ": " + name + " " + values.status().message());
    RETURN_IF_ERROR(SetOption(name, *values, options).WithContext(where));
  }
  return OkStatus();
}

bool IsRelativeFile(const std::string& path) {
  return !path.empty() && path[0] != '/' && path.find(':') == std::string::npos;
}

// "~/" is the user's home.
void ExpandHome(std::string* path) {
  if (const char* home = std::getenv("HOME"); home != nullptr && path->starts_with("~/")) {
    *path = home + path->substr(1);
  }
}

// A path of the file counts from the file's folder; one that does not exist there from where galen
// was started.
void Anchor(const std::string& folder, std::string* path) {
  ExpandHome(path);
  if (!IsRelativeFile(*path) || folder.empty()) return;
  const std::string beside = folder + *path;
  if (FileExists(beside)) *path = beside;
}

}  // namespace

Result<TrainOptions> ReadTrainOptions(const std::string& path,
                                      const std::vector<std::string>& sets) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kLargestFile));
  TrainOptions options;
  try {
    const YAML::Node root = YAML::Load(text);
    if (!root.IsMap()) return InvalidArgument(path + ": is no YAML mapping of options");
    RETURN_IF_ERROR(SetAll(path, "", root, &options));
  } catch (const YAML::Exception& error) {
    return InvalidArgument(path + ":" + std::to_string(error.mark.line + 1) + ": " + error.msg);
  }
  const std::string folder = Folder(path);
  Anchor(folder, &options.model);
  Anchor(folder, &options.chat_template);
  ExpandHome(&options.output_dir);
  for (std::string& file : options.train_file) Anchor(folder, &file);
  for (std::string& file : options.eval_file) Anchor(folder, &file);
  for (const std::string& set : sets) {
    const size_t equals = set.find('=');
    if (equals == std::string::npos) {
      return InvalidArgument("--set wants NAME=VALUE, not \"" + set + "\"");
    }
    std::vector<std::string> values;
    const std::string value = set.substr(equals + 1);
    for (size_t at = 0; at <= value.size();) {
      const size_t comma = std::min(value.find(',', at), value.size());
      values.push_back(value.substr(at, comma - at));
      at = comma + 1;
    }
    RETURN_IF_ERROR(SetOption(set.substr(0, equals), values, &options).WithContext("--set"));
  }
  RETURN_IF_ERROR(CheckTrainOptions(options).WithContext(path));
  return options;
}

}  // namespace galen

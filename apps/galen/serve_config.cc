#include "serve_config.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>

#include "base/files.h"
#include "base/nearest_name.h"

namespace galen::cli {
namespace {

constexpr size_t kLargestConfig = size_t{1} << 20;

std::string NameOf(const CLI::Option& option) {
  if (!option.get_lnames().empty()) return option.get_lnames().front();
  return option.get_positional() ? option.get_name() : "";
}

Result<ConfigValue> ValueOf(const YAML::Node& node, const std::string& where) {
  ConfigValue value;
  value.where = where;
  if (node.IsScalar()) {
    value.values.push_back(node.Scalar());
  } else if (node.IsSequence() && node.size() > 0) {
    for (const YAML::Node& item : node) {
      if (!item.IsScalar()) return InvalidArgument("has a list of what is no text");
      value.values.push_back(item.Scalar());
    }
  } else {
    return InvalidArgument(node.IsMap() ? "has options of its own, which no option has"
                                        : "has no value");
  }
  return value;
}

Status SetFlag(const ConfigValue& value, CLI::Option* option) {
  if (value.values.size() != 1 || (value.values[0] != "true" && value.values[0] != "false"))
    return InvalidArgument("must be true or false");
  option->add_result(value.values[0]);
  return OkStatus();
}

Status SetOne(const std::string& name, const ConfigValue& value, CLI::Option* option) {
  try {
    if (option->get_items_expected_max() == 0) {
      RETURN_IF_ERROR(SetFlag(value, option).WithContext("'" + name + "'"));
    } else {
      option->add_result(value.values);
    }
    option->run_callback();
  } catch (const CLI::Error& error) {
    return InvalidArgument(error.what());
  }
  return OkStatus();
}

}  // namespace

Result<Config> ReadConfig(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kLargestConfig));
  Config config;
  try {
    const YAML::Node root = YAML::Load(text);
    if (root.IsNull()) return config;
    if (!root.IsMap()) return InvalidArgument(path + ": is no YAML mapping of options");
    for (const auto& entry : root) {
      const std::string where = path + ":" + std::to_string(entry.first.Mark().line + 1);
      if (!entry.first.IsScalar()) return InvalidArgument(where + ": a name is no text");
      const std::string& name = entry.first.Scalar();
      Result<ConfigValue> value = ValueOf(entry.second, where);
      if (!value.ok()) return value.status().WithContext(where + ": '" + name + "'");
      if (!config.emplace(name, *std::move(value)).second)
        return InvalidArgument(where + ": '" + name + "' stands there twice");
    }
  } catch (const YAML::Exception& error) {
    return InvalidArgument(path + ":" + std::to_string(error.mark.line + 1) + ": " + error.msg);
  }
  return config;
}

std::set<std::string> GivenOptions(const CLI::App& verb) {
  std::set<std::string> given;
  for (const CLI::Option* option : verb.get_options()) {
    if (option->count() > 0) given.insert(NameOf(*option));
  }
  return given;
}

Status ApplyConfig(const Config& config, const std::set<std::string>& given,
                   const std::set<std::string>& never, CLI::App* verb) {
  std::map<std::string, CLI::Option*> options;
  std::vector<std::string> names;
  for (CLI::Option* option : verb->get_options()) {
    const std::string name = NameOf(*option);
    if (name.empty() || never.count(name) > 0) continue;
    options[name] = option;
    names.push_back(name);
  }
  for (const auto& [name, value] : config) {
    const auto option = options.find(name);
    if (option == options.end()) {
      const std::string nearest = NearestName(name, names);
      return InvalidArgument(value.where + ": there is no option '" + name + "' for a file" +
                             (nearest.empty() ? "" : "; did you mean '" + nearest + "'?"));
    }
    if (given.count(name) > 0) continue;
    RETURN_IF_ERROR(SetOne(name, value, option->second).WithContext(value.where));
  }
  return OkStatus();
}

std::vector<std::string> ChangedOptions(const Config& before, const Config& after) {
  std::set<std::string> changed;
  for (const auto& [one, other] : {std::pair(&before, &after), std::pair(&after, &before)}) {
    for (const auto& [name, value] : *one) {
      const auto same = other->find(name);
      if (same == other->end() || same->second.values != value.values) changed.insert(name);
    }
  }
  return {changed.begin(), changed.end()};
}

}  // namespace galen::cli

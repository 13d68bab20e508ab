// `galen serve --config FILE`: options of the command line, written down in YAML.
#pragma once

#include <CLI/CLI.hpp>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/status.h"

namespace galen::cli {

// By the options' names, without "--"; those of arguments, such as "models", as they are.
struct ConfigValue {
  std::vector<std::string> values;
  std::string where;  // "FILE:LINE", for messages
};
using Config = std::map<std::string, ConfigValue>;

// A mapping of names to scalars or lists of them. NotFound, Io; InvalidArgument with file and line.
Result<Config> ReadConfig(const std::string& path);

// Names of the options that have been given to a verb.
std::set<std::string> GivenOptions(const CLI::App& verb);

// Sets the verb's options to what the file says, but for those of `given`. `never`: options that
// mean nothing in a file. InvalidArgument with file and line: a name that is none, with the nearest
// one; a value that the command line would refuse, too.
Status ApplyConfig(const Config& config, const std::set<std::string>& given,
                   const std::set<std::string>& never, CLI::App* verb);

// The names whose values differ.
std::vector<std::string> ChangedOptions(const Config& before, const Config& after);

}  // namespace galen::cli

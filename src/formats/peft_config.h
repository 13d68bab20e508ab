// adapter_config.json of PEFT (0.21): what an adapter is and how it is scaled. Fields that would
// change the result and that galen does not compute are refused by name.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"

namespace galen {

struct PeftConfig {
  int64_t r = 8;
  double lora_alpha = 8;
  bool use_rslora = false;
  bool use_dora = false;
  bool lora_bias = false;
  std::string bias = "none";                // none, all, lora_only
  std::vector<std::string> target_modules;  // names or suffixes; empty where target_pattern is set
  std::string target_pattern;               // a regular expression, or "all-linear"
  std::vector<std::string> modules_to_save;
  std::vector<std::pair<std::string, int64_t>> rank_pattern;  // regular expressions, in file order
  std::vector<std::pair<std::string, double>> alpha_pattern;
  std::string base_model;  // base_model_name_or_path, for people
  std::vector<std::string> notes;

  // Scale of the product B A of a module with rank r: alpha / r, or alpha / sqrt(r).
  Result<double> Scaling(std::string_view module, int64_t rank) const;
  // The rank that the file says for a module.
  Result<int64_t> RankOf(std::string_view module) const;
};

// `name` is used in messages. DataLoss: no JSON object, or a value of the wrong type. Unsupported:
// another kind of adapter, or a field that changes the result in a way that galen does not compute.
Result<PeftConfig> ParsePeftConfig(std::string_view json, const std::string& name);

}  // namespace galen

#include "train/run_identity.h"

#include <set>
#include <string>
#include <variant>

namespace galen {
namespace {

// Options that change where things go or how often something is told, never a number.
const std::set<std::string>& Free() {
  static const std::set<std::string> names = {"output_dir",
                                              "threads",
                                              "memory_limit_gb",
                                              "logging_steps",
                                              "save_steps",
                                              "save_total_limit",
                                              "report_to_tensorboard",
                                              "gradient_checkpointing",
                                              "model",
                                              "train_file",
                                              "eval_file",
                                              "num_train_epochs",
                                              "max_steps",
                                              "eval_steps"};
  return names;
}

}  // namespace

Json RunIdentity(const TrainOptions& options, const DataReport& data, int64_t total_steps) {
  Json json;
  for (const OptionRow& row : OptionRows()) {
    const std::string name = OptionName(row);
    if (Free().count(name) != 0) continue;
    std::visit(
        [&](auto field) {
          if constexpr (std::is_invocable_v<decltype(field), const TrainOptions&>) {
            json[name] = options.*field;
          } else {
            if (options.lora.enabled) json[name] = options.lora.*field;
          }
        },
        row.field);
  }
  json["lora"] = options.lora.enabled;
  json["total steps"] = total_steps;
  json["examples"] = data.used;
  json["tokens of all examples"] = data.tokens;
  json["labels of all examples"] = data.labels;
  json["images of all examples"] = data.images;
  for (const ClassCount& c : data.classes) json["classes"].push_back(c.name);
  return json;
}

Status CheckIdentity(const Json& saved, const Json& now) {
  // What an older version did not save was as it is by default.
  TrainOptions plain;
  plain.lora.enabled = true;
  const Json defaults = RunIdentity(plain, {}, 0);
  for (const auto& [name, value] : now.items()) {
    const Json before = saved.is_object() ? saved.value(name, Json()) : Json();
    if (before == value) continue;
    if (before.is_null() && defaults.value(name, Json()) == value) continue;
    return InvalidArgument("the run was begun with " + name + " = " + before.dump() +
                           " and is to go on with " + value.dump() +
                           ": it would not be the same run. Give the same value, or choose another "
                           "output_dir");
  }
  return OkStatus();
}

}  // namespace galen

#include "train/task_options.h"

#include <map>
#include <set>
#include <string_view>

namespace galen {
namespace {

using Tasks = std::set<std::string_view>;

// Options that not every task has; all others mean the same in each.
const std::map<std::string_view, Tasks>& OwnOptions() {
  static const Tasks language = {"language"}, head = {"classification"},
                     image_text = {"classification", "contrastive"};
  static const std::map<std::string_view, Tasks> own = {
      {"chat_template", language},  {"on_long_sample", language},
      {"max_seq_length", language}, {"packing", language},
      {"image_tokens", language},   {"image_fit", language},
      {"min_pixels", language},     {"max_pixels", language},
      {"weights", language},        {"head_weights", language},
      {"init", language},           {"train_last_layers", image_text},
      {"preprocessing", head},      {"labels", head},
      {"pos_weight", head},         {"thresholds", head}};
  return own;
}

std::string JoinTasks(const Tasks& tasks) {
  std::string text;
  for (const std::string_view task : tasks) {
    text.append(text.empty() ? "" : " and ").append("task: ").append(task);
  }
  return text;
}

}  // namespace

Status CheckTask(const TrainOptions& options) {
  if (options.task != "language" && options.lora.enabled) {
    return InvalidArgument("lora: is of task: language; task: " + options.task +
                           " trains a head, whole towers or their train_last_layers");
  }
  if (options.train_last_layers > 0 && options.task == "classification" &&
      options.freeze_vision_tower) {
    return InvalidArgument(
        "train_last_layers needs freeze_vision_tower: false; a head alone has no layers");
  }
  const TrainOptions plain;
  for (const OptionRow& row : OptionRows()) {
    const auto own = OwnOptions().find(OptionName(row));
    if (own == OwnOptions().end() || own->second.count(options.task) != 0) continue;
    if (OptionText(row, options) == OptionText(row, plain)) continue;
    return InvalidArgument(OptionName(row) + " is of " + JoinTasks(own->second) +
                           "; leave it out with task: " + options.task);
  }
  return OkStatus();
}

}  // namespace galen

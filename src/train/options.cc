#include "train/options.h"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <type_traits>

#include "base/nearest_name.h"
#include "train/task_options.h"

namespace galen {
namespace {

constexpr double kMany = 1e15;

template <typename Field>
const auto& Read(const Field& field, const TrainOptions& o) {
  if constexpr (std::is_invocable_v<Field, const TrainOptions&>) {
    return o.*field;
  } else {
    return o.lora.*field;
  }
}

template <typename Field>
auto& Write(const Field& field, TrainOptions* o) {
  if constexpr (std::is_invocable_v<Field, TrainOptions&>) {
    return (*o).*field;
  } else {
    return o->lora.*field;
  }
}

std::string Number(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.12g", value);
  return text;
}

std::string Join(const std::vector<std::string>& values) {
  std::string text;
  for (const std::string& value : values) text += (text.empty() ? "" : ", ") + value;
  return text;
}

bool IsNumber(const OptionRow& row) {
  return std::visit(
      [](auto field) {
        using T = std::remove_cvref_t<decltype(Read(field, TrainOptions()))>;
        return std::is_same_v<T, int64_t> || std::is_same_v<T, double>;
      },
      row.field);
}

std::string Allowed(const OptionRow& row) {
  if (!row.choices.empty()) {
    std::string text;
    for (const char* choice : row.choices) text += (text.empty() ? "" : ", ") + std::string(choice);
    return text;
  }
  if (IsNumber(row)) {
    return Number(row.least) + (row.most >= kMany ? " or more" : " to " + Number(row.most));
  }
  return std::visit(
      [](auto field) -> std::string {
        using T = std::remove_cvref_t<decltype(Read(field, TrainOptions()))>;
        if constexpr (std::is_same_v<T, bool>) return "true, false";
        if constexpr (std::is_same_v<T, std::vector<std::string>>) return "a text or a list";
        return "a text";
      },
      row.field);
}

Status Bad(const OptionRow& row, const std::string& value) {
  return InvalidArgument(OptionName(row) + " is \"" + value + "\"; allowed: " + Allowed(row));
}

Status Set(const OptionRow& row, const std::vector<std::string>& values, TrainOptions* o) {
  const std::string text = Join(values);
  return std::visit(
      [&](auto field) -> Status {
        auto& target = Write(field, o);
        using T = std::remove_cvref_t<decltype(target)>;
        if constexpr (std::is_same_v<T, std::vector<std::string>>) {
          target = values;
          return OkStatus();
        } else {
          if (values.size() != 1) return Bad(row, text);
          if constexpr (std::is_same_v<T, std::string>) {
            bool known = row.choices.empty();
            for (const char* choice : row.choices) known = known || text == choice;
            if (!known) return Bad(row, text);
            target = text;
          } else if constexpr (std::is_same_v<T, bool>) {
            if (text != "true" && text != "false") return Bad(row, text);
            target = text == "true";
          } else {
            double value = 0;
            const auto [end, error] =
                std::from_chars(text.data(), text.data() + text.size(), value);
            if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value) ||
                value < row.least || value > row.most) {
              return Bad(row, text);
            }
            target = static_cast<T>(value);
            if (static_cast<double>(target) != value) return Bad(row, text);
          }
          return OkStatus();
        }
      },
      row.field);
}

}  // namespace

std::string OptionName(const OptionRow& row) {
  return (*row.section == '\0' ? "" : std::string(row.section) + ".") + row.name;
}

std::string OptionText(const OptionRow& row, const TrainOptions& o) {
  return std::visit(
      [&](auto field) -> std::string {
        const auto& value = Read(field, o);
        using T = std::remove_cvref_t<decltype(value)>;
        if constexpr (std::is_same_v<T, std::string>) {
          return value.empty() ? "none" : value;
        } else if constexpr (std::is_same_v<T, bool>) {
          return value ? "true" : "false";
        } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
          return value.empty() ? "none" : Join(value);
        } else {
          return Number(static_cast<double>(value));
        }
      },
      row.field);
}

const std::vector<OptionRow>& OptionRows() {
  using T = TrainOptions;
  using L = LoraOptions;
  static const std::vector<OptionRow> rows = {
      {"",
       "task",
       &T::task,
       0,
       0,
       {"language", "classification", "contrastive"},
       "language: answers of conversations. Of SigLIP models, classification: a head of several "
       "labels on the image tower; contrastive: images and texts that belong together, by SigLIP's "
       "loss"},
      {"", "model", &T::model, 0, 0, {}, "The base: a GGUF file or a Hugging Face directory"},
      {"", "output_dir", &T::output_dir, 0, 0, {}, "Where checkpoints, logs and the result go"},
      {"",
       "chat_template",
       &T::chat_template,
       0,
       0,
       {},
       "A Jinja file in place of the model's own template"},
      {"",
       "init",
       &T::init,
       0,
       0,
       {"checkpoint", "random"},
       "Where weights come from: the model's files, or a folder with config.json and a tokenizer "
       "and "
       "chance by the seed"},
      {"", "train_file", &T::train_file, 0, 0, {}, "JSON Lines to learn from"},
      {"", "eval_file", &T::eval_file, 0, 0, {}, "JSON Lines to measure the loss on"},
      {"",
       "on_bad_sample",
       &T::on_bad_sample,
       0,
       0,
       {"skip", "error"},
       "A line that is broken, has no answer or a missing image: leave it out, or stop before the "
       "training"},
      {"",
       "on_long_sample",
       &T::on_long_sample,
       0,
       0,
       {"skip", "truncate", "error"},
       "An example longer than max_seq_length: leave it out, cut its end off, or stop"},
      {"", "max_seq_length", &T::max_seq_length, 2, 1 << 20, {}, "Longest example, in tokens"},
      {"",
       "packing",
       &T::packing,
       0,
       0,
       {},
       "Fill each batch with examples up to max_seq_length * per_device_train_batch_size tokens; "
       "examples never see each other"},
      {"",
       "image_tokens",
       &T::image_tokens,
       0,
       1 << 20,
       {},
       "Tokens of each image, fewer mean a smaller image: a square number (Gemma 3), or at most so "
       "many (Qwen2.5-VL). 0: the model's own"},
      {"",
       "min_pixels",
       &T::min_pixels,
       0,
       kMany,
       {},
       "Area that smaller images are enlarged to, of models that take images of any shape "
       "(Qwen2.5-VL). 0: the model's own"},
      {"",
       "max_pixels",
       &T::max_pixels,
       0,
       kMany,
       {},
       "Area that larger images are reduced to, of the same. 0: the model's own"},
      {"",
       "image_fit",
       &T::image_fit,
       0,
       0,
       {"page", "part", "strip"},
       "page: each image is resized as the model does. part: images keep their pixels and are "
       "parts "
       "of a page, at a place that changes from step to step. strip: the same, always at its top "
       "left corner"},
      {"",
       "freeze_vision_tower",
       &T::freeze_vision_tower,
       0,
       0,
       {},
       "Leave the image tower and its projector as they are; their results are computed once. "
       "false: "
       "train them, or with lora: adapt the modules that target_modules names"},
      {"",
       "train_last_layers",
       &T::train_last_layers,
       0,
       4096,
       {},
       "Of SigLIP's towers that are trained, only so many last layers and what is above them; 0: "
       "all, embeddings too"},
      {"",
       "preprocessing",
       &T::preprocessing,
       0,
       0,
       {"own", "plain", "pad_to_square", "center_crop"},
       "What comes before the image processor's own steps for a classification head, which then "
       "wants it of every image. own: as the base's head has it, else plain"},
      {"",
       "labels",
       &T::labels,
       0,
       0,
       {},
       "The classes of a head, in order. none: those of the base's head, else the names in "
       "train_file, sorted"},
      {"",
       "pos_weight",
       &T::pos_weight,
       0,
       0,
       {},
       "What a yes counts in the loss of a head: none (1), balanced (no's for each yes of "
       "train_file), or a number for each class"},
      {"",
       "thresholds",
       &T::thresholds,
       0,
       0,
       {"youden", "f1", "none"},
       "From which score on galen classify calls a class present, chosen on eval_file: the largest "
       "sensitivity + specificity, the largest F1, or none (0.5)"},
      {"",
       "per_device_train_batch_size",
       &T::per_device_train_batch_size,
       1,
       65536,
       {},
       "Examples of a forward pass (never padded)"},
      {"",
       "gradient_accumulation_steps",
       &T::gradient_accumulation_steps,
       1,
       65536,
       {},
       "Forward passes of an optimiser step"},
      {"", "num_train_epochs", &T::num_train_epochs, 0, 1e6, {}, "Rounds through the data"},
      {"",
       "max_steps",
       &T::max_steps,
       0,
       kMany,
       {},
       "Optimiser steps; 0: as num_train_epochs says"},
      {"",
       "seed",
       &T::seed,
       0,
       kMany,
       {},
       "Of the order of the data, of new weights and of dropout"},
      {"",
       "optim",
       &T::optim,
       0,
       0,
       {"adamw", "adamw_8bit"},
       "AdamW with states of 32 bits, or of 8 bits in blocks of 256"},
      {"", "learning_rate", &T::learning_rate, 0, 10, {}, "Peak rate"},
      {"",
       "weight_decay",
       &T::weight_decay,
       0,
       10,
       {},
       "Decoupled decay of matrices; norms and biases have none"},
      {"", "adam_beta1", &T::adam_beta1, 0, 0.999999, {}, "Decay of the first moment"},
      {"", "adam_beta2", &T::adam_beta2, 0, 0.99999999, {}, "Decay of the second moment"},
      {"", "adam_epsilon", &T::adam_epsilon, 0, 1, {}, "Added to the root of the second moment"},
      {"",
       "max_grad_norm",
       &T::max_grad_norm,
       0,
       1e9,
       {},
       "Gradients are scaled down to this norm over all parameters; 0: never"},
      {"",
       "lr_scheduler_type",
       &T::lr_scheduler_type,
       0,
       0,
       {"cosine", "linear", "constant"},
       "What the rate does after the warm-up"},
      {"", "warmup_steps", &T::warmup_steps, 0, kMany, {}, "Steps of linear warm-up"},
      {"", "warmup_ratio", &T::warmup_ratio, 0, 1, {}, "The same as a share of all steps"},
      {"",
       "weights",
       &T::weights,
       0,
       0,
       {"file", "nf4", "int8", "q8_0", "q6_k", "q5_0", "q4_k", "q4_0"},
       "Of the frozen base of a lora: section: as in its file, or a type that the 16- and 32-bit "
       "matrices of its layers are encoded to when they are loaded"},
      {"",
       "head_weights",
       &T::head_weights,
       0,
       0,
       {"file", "q8_0", "q6_k", "q5_0", "q4_k", "q4_0"},
       "The same of its embedding table and output head"},
      {"",
       "compute",
       &T::compute,
       0,
       0,
       {"bf16", "fp32"},
       "Operands of products rounded to bf16 (sums in fp32), or everything in fp32"},
      {"",
       "gradient_checkpointing",
       &T::gradient_checkpointing,
       0,
       0,
       {},
       "Keep the input of each layer only and compute the layer again on the way back"},
      {"", "threads", &T::threads, 0, 4096, {}, "0: all processors"},
      {"",
       "memory_limit_gb",
       &T::memory_limit_gb,
       0,
       1e6,
       {},
       "Refuse to begin if the plan needs more; 0: what the machine has free"},
      {"",
       "logging_steps",
       &T::logging_steps,
       1,
       kMany,
       {},
       "Steps between lines of the log, whose loss is their mean"},
      {"",
       "eval_steps",
       &T::eval_steps,
       0,
       kMany,
       {},
       "Steps between evaluations; 0: after each epoch"},
      {"",
       "early_stopping_patience",
       &T::early_stopping_patience,
       0,
       kMany,
       {},
       "Stop after this many evaluations without a better loss; 0: never"},
      {"",
       "save_steps",
       &T::save_steps,
       0,
       kMany,
       {},
       "Steps between checkpoints; 0: after each epoch"},
      {"", "save_total_limit", &T::save_total_limit, 1, kMany, {}, "Checkpoints that are kept"},
      {"",
       "report_to_tensorboard",
       &T::report_to_tensorboard,
       0,
       0,
       {},
       "Write event files for TensorBoard to output_dir/runs"},
      {"lora", "r", &L::r, 1, 65536, {}, "Rank"},
      {"lora", "lora_alpha", &L::lora_alpha, 0, 1e6, {}, "Scale: alpha / r, or alpha / sqrt(r)"},
      {"lora", "lora_dropout", &L::lora_dropout, 0, 0.99, {}, "Dropout before A"},
      {"lora",
       "target_modules",
       &L::target_modules,
       0,
       0,
       {},
       "Names of modules, endings of names, or all-linear (all but the output head; the image "
       "tower's too where it is not frozen)"},
      {"lora", "use_rslora", &L::use_rslora, 0, 0, {}, "Scale by alpha / sqrt(r)"},
      {"lora",
       "use_dora",
       &L::use_dora,
       0,
       0,
       {},
       "Also learn the length of each row of W + BA (DoRA)"},
      {"lora",
       "modules_to_save",
       &L::modules_to_save,
       0,
       0,
       {},
       "Modules that are trained whole and saved with the adapter: those whose path ends so, e.g. "
       "lm_head, embed_tokens, multi_modal_projector. They get no adapter"},
      {"lora",
       "ensure_weight_tying",
       &L::ensure_weight_tying,
       0,
       0,
       {},
       "Where the base's head is its embedding table, modules_to_save trains them as one; false: "
       "each that is named becomes a matrix of its own"},
      {"lora",
       "bias",
       &L::bias,
       0,
       0,
       {"none", "all", "lora_only"},
       "Biases that are trained: none, all that the base has, or those of layers with an adapter"},
  };
  return rows;
}

std::string DescribeOptions(bool markdown) {
  const TrainOptions defaults;
  std::string text = markdown ? "| option | default | allowed | |\n|---|---|---|---|\n" : "";
  for (const OptionRow& row : OptionRows()) {
    if (markdown) {
      text += "| `" + OptionName(row) + "` | " + OptionText(row, defaults) + " | " + Allowed(row) +
              " | " + row.help + " |\n";
      continue;
    }
    char line[256];
    std::snprintf(line, sizeof(line), "%-30s %-12s %s", OptionName(row).c_str(),
                  OptionText(row, defaults).c_str(), Allowed(row).c_str());
    text += line + std::string("\n    ") + row.help + "\n";
  }
  return text;
}

Status SetOption(const std::string& name, const std::vector<std::string>& values,
                 TrainOptions* options) {
  std::vector<std::string> names;
  for (const OptionRow& row : OptionRows()) {
    if (OptionName(row) == name) {
      if (*row.section != '\0') options->lora.enabled = true;
      return Set(row, values, options);
    }
    names.push_back(OptionName(row));
  }
  const std::string nearest = NearestName(name, names);
  return InvalidArgument("unknown option \"" + name + "\"" +
                         (nearest.empty() ? "; galen train --help-config lists them"
                                          : "; did you mean \"" + nearest + "\"?"));
}

Status SetOption(const std::string& name, const std::string& value, TrainOptions* options) {
  return SetOption(name, std::vector<std::string>{value}, options);
}

Status CheckTrainOptions(const TrainOptions& o) {
  if (o.model.empty()) return InvalidArgument("model is not set; name the base to train");
  if (o.output_dir.empty()) return InvalidArgument("output_dir is not set");
  if (o.train_file.empty()) return InvalidArgument("train_file is not set");
  if (o.early_stopping_patience > 0 && o.eval_file.empty()) {
    return InvalidArgument("early_stopping_patience needs an eval_file to measure on");
  }
  if (o.max_steps == 0 && o.num_train_epochs <= 0) {
    return InvalidArgument("num_train_epochs and max_steps are 0: there is nothing to do");
  }
  if (o.init == "random" && o.lora.enabled) {
    return InvalidArgument("init: random trains all parameters; leave the lora: section out");
  }
  if (!o.lora.enabled && (o.weights != "file" || o.head_weights != "file")) {
    return InvalidArgument(
        "weights and head_weights are of a frozen base: add a lora: section, or leave them out");
  }
  if (o.image_fit != "page" && o.image_tokens > 0) {
    return InvalidArgument("image_fit: " + o.image_fit +
                           " keeps the pixels of images; leave image_tokens out");
  }
  RETURN_IF_ERROR(CheckTask(o));
  if (o.lora.use_dora && o.lora.lora_dropout > 0) {
    return InvalidArgument("lora.use_dora and lora.lora_dropout do not go together here");
  }
  return OkStatus();
}

}  // namespace galen

// What a training run is told: one struct, and one row for each option (options.cc), from which the
// configuration file, --set, --help-config and docs/TRAINING.md are made. Names are Hugging Face's
// where it has one.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/status.h"

namespace galen {

struct LoraOptions {
  bool enabled = false;  // there is a `lora:` section
  int64_t r = 8;
  double lora_alpha = 16;
  double lora_dropout = 0;
  std::vector<std::string> target_modules = {"all-linear"};
  bool use_rslora = false;
  bool use_dora = false;
  std::vector<std::string> modules_to_save;  // trained whole
  bool ensure_weight_tying = false;
  std::string bias = "none";  // none, all, lora_only
};

struct TrainOptions {
  std::string task = "language";  // language, classification, contrastive
  std::string model;
  std::string output_dir;
  std::string chat_template;        // empty: the model's own
  std::string init = "checkpoint";  // checkpoint, random
  std::vector<std::string> train_file;
  std::vector<std::string> eval_file;
  std::string on_bad_sample = "skip";   // skip, error
  std::string on_long_sample = "skip";  // skip, truncate, error
  int64_t max_seq_length = 1024;
  bool packing = false;
  int64_t image_tokens = 0;  // of each image; 0: the model's number
  int64_t min_pixels = 0;    // of images of any shape, once resized; 0: the model's limits
  int64_t max_pixels = 0;
  std::string image_fit = "page";     // page, part, strip
  bool freeze_vision_tower = true;    // projector included
  int64_t train_last_layers = 0;      // of each tower that is trained; 0: all, and what is below
  std::string preprocessing = "own";  // own, plain, pad_to_square, center_crop

  // Of a classification head.
  std::vector<std::string> labels;                 // empty: the base's, or those of the data
  std::vector<std::string> pos_weight = {"none"};  // none, balanced, or a number for each label
  std::string thresholds = "youden";               // youden, f1, none

  int64_t per_device_train_batch_size = 1;
  int64_t gradient_accumulation_steps = 1;
  double num_train_epochs = 1;
  int64_t max_steps = 0;  // > 0: instead of epochs
  int64_t seed = 42;

  std::string optim = "adamw";  // adamw, adamw_8bit
  double learning_rate = 2e-4;
  double weight_decay = 0;
  double adam_beta1 = 0.9;
  double adam_beta2 = 0.999;
  double adam_epsilon = 1e-8;
  double max_grad_norm = 1.0;                // 0: no clipping
  std::string lr_scheduler_type = "cosine";  // cosine, linear, constant
  int64_t warmup_steps = 0;
  double warmup_ratio = 0;  // of all steps, where warmup_steps is 0

  // Of a frozen base's layers, and of its embedding table and head: file, or a type that they are
  // encoded to when they are loaded.
  std::string weights = "file", head_weights = "file";
  std::string compute = "bf16";  // bf16, fp32
  bool gradient_checkpointing = false;
  int64_t threads = 0;
  double memory_limit_gb = 0;  // 0: what the machine has

  int64_t logging_steps = 1;
  int64_t eval_steps = 0;  // 0: at the end of an epoch, if there is an eval_file
  int64_t early_stopping_patience = 0;
  int64_t save_steps = 0;  // 0: at the end of an epoch
  int64_t save_total_limit = 2;
  bool report_to_tensorboard = true;

  LoraOptions lora;
};

// The option's value as text: what DescribeOptions prints.
struct OptionRow;
std::string OptionText(const OptionRow& row, const TrainOptions& options);
// "lora.r", "seed".
std::string OptionName(const OptionRow& row);

// One option: where it lives, and what documentation says.
struct OptionRow {
  const char* section;  // "" or "lora"
  const char* name;
  std::variant<std::string TrainOptions::*, int64_t TrainOptions::*, double TrainOptions::*,
               bool TrainOptions::*, std::vector<std::string> TrainOptions::*,
               std::string LoraOptions::*, int64_t LoraOptions::*, double LoraOptions::*,
               bool LoraOptions::*, std::vector<std::string> LoraOptions::*>
      field;
  double least, most;                // of numbers
  std::vector<const char*> choices;  // of texts; empty: any
  const char* help;
};
const std::vector<OptionRow>& OptionRows();

// "name  default  range  help" of all options, a line each; markdown: as a table.
std::string DescribeOptions(bool markdown);

// Sets an option from a text: what --set does. InvalidArgument names the option, the value and what
// is allowed, or for an unknown name the most similar one.
Status SetOption(const std::string& name, const std::string& value, TrainOptions* options);
Status SetOption(const std::string& name, const std::vector<std::string>& values,
                 TrainOptions* options);

// A YAML file. Errors begin with FILE:LINE. Input files of relative paths are looked for in the
// file's folder, then where galen was started; output_dir counts from the latter.
Result<TrainOptions> ReadTrainOptions(const std::string& path,
                                      const std::vector<std::string>& sets);
// Options that do not go together, or that must be there.
Status CheckTrainOptions(const TrainOptions& options);

}  // namespace galen

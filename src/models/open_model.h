// From a path to a model that can run: a GGUF file or a Hugging Face directory.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "formats/checkpoint.h"
#include "models/architecture.h"
#include "models/causal_lm.h"
#include "models/weight_store.h"
#include "text/tokenizer.h"

namespace galen {

// What a model's files say, headers only: cheap, and enough for `galen show` and `galen tokenize`.
struct ModelFiles {
  std::shared_ptr<const Checkpoint> checkpoint;
  const Architecture* architecture = nullptr;
  ModelConfig config;  // valid
  // Why there is no tokenizer, or ok.
  Status tokenizer_status;
  std::shared_ptr<const Tokenizer> tokenizer;
  // Jinja source; empty if the files have none and no built-in template fits.
  std::string chat_template;
  // Where it is from, for people: "tokenizer_config.json", "built in: gemma3", ...
  std::string chat_template_origin;
  // The image part: where it is (the checkpoint itself, or a projector file), or why there is none.
  Status vision_status;
  std::shared_ptr<const Checkpoint> vision_checkpoint;
  VisionConfig vision;  // valid where vision_status is ok
  std::shared_ptr<const ImageProcessor> image_processor;
  std::vector<std::string> notes;  // for people
};

struct ReadModelOptions {
  bool tokenizer = true;  // reading a large vocabulary takes a tenth of a second
  // The projector file of a GGUF model ("mmproj-*.gguf"); it must fit the model. Empty: the image
  // part of the checkpoint itself, else the one file beside a GGUF model whose name holds "mmproj"
  // and that fits.
  std::string mmproj;
};

// path: a .gguf file, a Hugging Face directory, or a .safetensors file inside one.
Result<ModelFiles> ReadModel(const std::string& path, const ReadModelOptions& options = {});

struct OpenModelOptions {
  ReadModelOptions read;
  // Load the image part too; its absence is an error then.
  bool images = false;
  WeightUse use = WeightUse::kInference;
  // A block format that the text layers' plain matrices are encoded to when they are loaded.
  // InvalidArgument: there are none.
  std::optional<DType> encode;
  const KernelTable* kernels = nullptr;  // null: the table of ChooseIsa()
  ThreadPool* pool = nullptr;            // null: one of all processors, for the time of loading
  // Called before memory is taken; an error ends the loading and is passed on.
  // plan: of both parts; tower: null without images.
  std::function<Status(const ModelConfig& config, const WeightPlan& plan, const ImageTower* tower)>
      admit;
};

struct LoadedModel {
  ModelFiles files;
  std::unique_ptr<CausalLM> model;
  WeightStore weights;                // what the model's slots point into
  std::unique_ptr<ImageTower> tower;  // null unless asked for
  WeightStore tower_weights;
  WeightPlan plan;  // of both
};

// The image part alone.
struct LoadedTower {
  std::unique_ptr<ImageTower> tower;
  WeightStore weights;
  WeightPlan plan;
};
// files: of ReadModel. admit: as OpenModelOptions::admit, may be empty. Errors:
// files.vision_status, and those of loading.
Result<LoadedTower> OpenTower(
    const ModelFiles& files, WeightUse use, const KernelTable& kernels, ThreadPool& pool,
    const std::function<Status(const WeightPlan& plan, const ImageTower& tower)>& admit);

// ReadModel, then the weights; the tokenizer is read meanwhile. A model whose tokenizer cannot be
// read opens nevertheless (files.tokenizer_status says why).
Result<LoadedModel> OpenModel(const std::string& path, const OpenModelOptions& options = {});

}  // namespace galen

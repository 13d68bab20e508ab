// What PEFT calls the modules of a model: the attribute paths of transformers 5.
#pragma once

#include <string>
#include <vector>

#include "models/open_model.h"
#include "models/param_spec.h"

namespace galen {

// The path of a weight's module, "model.layers.0.self_attn.q_proj", or in image-text models
// "model.language_model.layers.0.self_attn.q_proj", "model.vision_tower.encoder.layers.0.mlp.fc1",
// "model.visual.blocks.0.attn.qkv" (of the three weights that one module holds).
std::string PeftModulePath(const ModelFiles& files, const ParamSpec& spec);

// What transformers before 4.52 called a module of an image-text model, as far as its ending tells:
// "language_model.model.layers.0.mlp.up_proj" (which ends as Qwen2.5-VL's "model.layers.0..." did),
// "vision_tower.vision_model.encoder.layers.0.mlp.fc1". Of other modules the path itself.
std::string OlderModulePath(const std::string& path);

// Which of the modules an option's entries mean: "all-linear" all; else those whose path, of either
// generation, is an entry or ends with a dot and it. InvalidArgument names an entry that means
// none, and the most similar ending.
Result<std::vector<bool>> SelectModules(const std::vector<std::string>& paths,
                                        const std::vector<std::string>& entries);

// For adapter_config.json: names that mean these of all modules and no other. The last parts of the
// paths, each once, where they do; else, and in image-text models (the image tower's modules end
// alike), the whole paths.
std::vector<std::string> TargetModuleNames(const std::vector<std::string>& chosen,
                                           const std::vector<std::string>& all);

}  // namespace galen

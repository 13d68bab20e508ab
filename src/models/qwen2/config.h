// Qwen2's hyper-parameters from the two kinds of files.
#pragma once

#include "formats/gguf.h"
#include "formats/hf_config.h"
#include "models/model_config.h"

namespace galen {

Result<ModelConfig> Qwen2ConfigFromGguf(const GgufFile& file);
Result<ModelConfig> Qwen2ConfigFromHf(const HfConfig& file);

}  // namespace galen

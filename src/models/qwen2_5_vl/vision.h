// The image part of Qwen2.5-VL: configuration, tower, processor. docs/models/qwen2_5_vl.md.
#pragma once

#include "models/architecture.h"

namespace galen {

extern const VisionArchitecture kQwen2_5VLVision;

Result<VisionConfig> Qwen2_5VLVisionFromHf(const HfConfig& file, const std::string& directory,
                                           const ModelConfig& text);
// A projector file of llama.cpp, clip.projector_type qwen2.5vl_merger.
Result<VisionConfig> Qwen2_5VLVisionFromGguf(const GgufFile& file, const ModelConfig& text);
std::unique_ptr<ImageTower> MakeQwen2_5VLTower(VisionConfig config);
std::unique_ptr<ImageProcessor> MakeQwen2_5VLProcessor(const VisionConfig& config);

}  // namespace galen

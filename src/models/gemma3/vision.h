// Gemma 3's image part: SigLIP encoder, pooling projector, image processor.
// docs/models/medgemma.md.
#pragma once

#include "models/architecture.h"

namespace galen {

extern const VisionArchitecture kGemma3Vision;

Result<VisionConfig> Gemma3VisionFromHf(const HfConfig& file, const std::string& directory,
                                        const ModelConfig& text);
Result<VisionConfig> Gemma3VisionFromGguf(const GgufFile& file, const ModelConfig& text);
std::unique_ptr<ImageTower> MakeGemma3Tower(VisionConfig config);
std::unique_ptr<ImageProcessor> MakeGemma3Processor(const VisionConfig& config);

}  // namespace galen

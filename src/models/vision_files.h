// Where the image part of a model lies: in its checkpoint, or in a projector file ("mmproj").
#pragma once

#include <memory>
#include <string>

#include "formats/checkpoint.h"
#include "models/architecture.h"

namespace galen {

struct VisionFiles {
  std::shared_ptr<const Checkpoint> checkpoint;
  VisionConfig config;  // valid
};

// mmproj: a file that was named, or empty (ReadModelOptions::mmproj). Unsupported: a family without
// images. NotFound: no image part, with what to do. InvalidArgument: the named file belongs to
// another model, or several files beside the model fit.
Result<VisionFiles> FindVision(const Architecture& architecture,
                               const std::shared_ptr<const Checkpoint>& checkpoint,
                               const ModelConfig& text, const std::string& mmproj);

}  // namespace galen

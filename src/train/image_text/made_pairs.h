// The data that a dry run of an image-text model makes up.
#pragma once

#include <cstdint>
#include <memory>

#include "train/image_text/image_text_plan.h"
#include "train/image_text/image_text_runner.h"

namespace galen {

// As ChooseClasses; where only the data could tell them, eight.
Status ChooseMadeClasses(const TrainOptions& options, ImageTextPlan* plan);

// The forward pass of step `step`: noise as images (or as what a frozen tower made of them), random
// labels or texts.
std::unique_ptr<ImageTextBatch> MakePairs(const ImageTextPlan& plan, int64_t size, int64_t step);

}  // namespace galen

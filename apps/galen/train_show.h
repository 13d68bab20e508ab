// galen train --show: examples as the model will see them.
#pragma once

#include "base/status.h"
#include "train/options.h"

namespace galen::cli {

// Prints the first `count` examples of train_file: their text with what is learned in brackets, or
// as JSON Lines {"name", "tokens", "labels", "text"}; of images with labels {"name", "image",
// "labels"}, with texts {"name", "image", "text", "tokens"}.
Status ShowExamples(TrainOptions options, int64_t count, bool json);

}  // namespace galen::cli

// The part of config.json about a classification head.
#pragma once

#include "models/dual_encoder/dual_encoder_config.h"

namespace galen {

// NotFound without id2label, since a score without a name is none; DataLoss names what is wrong.
Result<ClassifierConfig> ReadClassifier(const JsonView& root);

}  // namespace galen

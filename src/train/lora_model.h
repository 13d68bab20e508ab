// Training of adapters on a frozen base, dense or packed.
#pragma once

#include <memory>

#include "train/language_model.h"

namespace galen {

Result<std::unique_ptr<LanguageModel>> OpenLoraModel(const LanguageModelSetup& setup);

}  // namespace galen

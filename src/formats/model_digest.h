// Which model it is, without reading it whole.
#pragma once

#include <string>

#include "base/status.h"
#include "formats/checkpoint.h"

namespace galen {

// SHA-256, 64 hexadecimal digits, of the settings and vocabularies in a model's directory, of the
// names, types, shapes and sizes of its tensors, and of the first bytes of each: a fine-tuned copy
// differs, and no weight file is read whole.
Result<std::string> ModelDigest(const Checkpoint& checkpoint);

}  // namespace galen

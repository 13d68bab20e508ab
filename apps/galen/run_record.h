// What the rows of a file were made with, kept beside it, so that a later run adds only rows that
// can be compared with them.
#pragma once

#include <string>

#include "base/json.h"
#include "base/status.h"
#include "formats/checkpoint.h"

namespace galen::cli {

// SHA-256 of the settings and vocabularies in a model's directory, of the names, types, shapes and
// sizes of its tensors, and of the first bytes of each: a fine-tuned copy differs, and no weight
// file is read whole.
Result<std::string> ModelDigest(const Checkpoint& checkpoint);

// Writes `settings`, an object, to <path>.run.json.
Status WriteRunRecord(const std::string& path, const Json& settings);

// InvalidArgument unless <path>.run.json holds `settings`; names those that differ.
Status CheckRunRecord(const std::string& path, const Json& settings);

}  // namespace galen::cli

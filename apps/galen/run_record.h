// What the rows of a file were made with, kept beside it, so that a later run adds only rows that
// can be compared with them.
#pragma once

#include <string>

#include "base/json.h"
#include "base/status.h"

namespace galen::cli {

// Writes `settings`, an object, to <path>.run.json.
Status WriteRunRecord(const std::string& path, const Json& settings);

// InvalidArgument unless <path>.run.json holds `settings`; names those that differ.
Status CheckRunRecord(const std::string& path, const Json& settings);

}  // namespace galen::cli

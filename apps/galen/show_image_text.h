// galen show, for image-text models and their towers.
#pragma once

#include <string>

#include "base/status.h"

namespace galen::cli {

Status ShowImageText(const std::string& path, bool as_json);

}  // namespace galen::cli

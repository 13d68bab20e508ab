// The files of share/verify, inside the program.
#pragma once

#include <span>
#include <string_view>

#include "base/builtin_files.h"

namespace galen {

// builtin:verify/NAME.safetensors
std::span<const BuiltinFile> GoldenFiles();
std::string_view GoldenName(const BuiltinFile& file);  // NAME

}  // namespace galen

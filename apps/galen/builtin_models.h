// The models that are part of the program.
#pragma once

#include <span>
#include <string_view>

#include "base/builtin_files.h"

namespace galen {

// builtin:galen-mini/..., a Hugging Face directory. docs/models/galen-mini.md
std::span<const BuiltinFile> MiniFiles();

namespace cli {
// As a MODEL argument.
inline constexpr std::string_view kMiniModel = "galen-mini";
}  // namespace cli

}  // namespace galen

// Files that are part of the program, read by base/files.h like those of a disk under paths that
// begin with "builtin:".
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace galen {

inline constexpr std::string_view kBuiltinPrefix = "builtin:";

struct BuiltinFile {
  std::string_view path;  // "builtin:galen-mini/config.json"
  std::span<const uint8_t> bytes;
};

// files and what they name must live as long as the program. Called before other threads run; a
// second call replaces the first.
void SetBuiltinFiles(std::span<const BuiltinFile> files);

std::span<const BuiltinFile> BuiltinFiles();
bool IsBuiltinPath(std::string_view path);
// Nothing: there is no such file.
std::optional<std::span<const uint8_t>> FindBuiltinFile(std::string_view path);
bool IsBuiltinFolder(std::string_view path);
// Those directly in a folder, in the order of their names.
std::vector<BuiltinFile> BuiltinFilesIn(std::string_view folder);

}  // namespace galen

#include "base/builtin_files.h"

namespace galen {
namespace {

std::span<const BuiltinFile>& Files() {
  static std::span<const BuiltinFile> files;
  return files;
}

}  // namespace

void SetBuiltinFiles(std::span<const BuiltinFile> files) { Files() = files; }

std::span<const BuiltinFile> BuiltinFiles() { return Files(); }

bool IsBuiltinPath(std::string_view path) { return path.starts_with(kBuiltinPrefix); }

std::optional<std::span<const uint8_t>> FindBuiltinFile(std::string_view path) {
  for (const BuiltinFile& file : Files()) {
    if (file.path == path) return file.bytes;
  }
  return std::nullopt;
}

bool IsBuiltinFolder(std::string_view path) {
  while (path.ends_with('/')) path.remove_suffix(1);
  for (const BuiltinFile& file : Files()) {
    if (file.path.size() > path.size() && file.path.starts_with(path) &&
        file.path[path.size()] == '/') {
      return true;
    }
  }
  return false;
}

}  // namespace galen

#include "base/builtin_files.h"

#include <algorithm>

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

bool IsBuiltinFolder(std::string_view path) { return !BuiltinFilesIn(path).empty(); }

std::vector<BuiltinFile> BuiltinFilesIn(std::string_view folder) {
  while (folder.ends_with('/')) folder.remove_suffix(1);
  std::vector<BuiltinFile> files;
  for (const BuiltinFile& file : Files()) {
    if (file.path.starts_with(folder) && file.path.rfind('/') == folder.size())
      files.push_back(file);
  }
  std::sort(files.begin(), files.end(),
            [](const BuiltinFile& a, const BuiltinFile& b) { return a.path < b.path; });
  return files;
}

}  // namespace galen

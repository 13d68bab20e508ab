#include "server/security/file_digest.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <vector>

#include "base/builtin_files.h"
#include "base/files.h"
#include "store/digest.h"
#include "store/system_error.h"

namespace galen::server {

namespace fs = std::filesystem;

namespace {

Result<std::vector<std::string>> SafetensorsIn(const std::string& path) {
  std::vector<std::string> files;
  if (IsBuiltinPath(path)) {
    for (const BuiltinFile& file : BuiltinFilesIn(path)) {
      if (file.path.ends_with(".safetensors"))
        files.emplace_back(file.path.substr(file.path.rfind('/') + 1));
    }
    return files;
  }
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(path, error)) {
    if (entry.path().extension() == ".safetensors") files.push_back(entry.path().filename());
  }
  if (error) return IoError("cannot read " + path + ": " + error.message());
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

Result<std::string> StateOfWeights(const std::string& path) {
  if (IsBuiltinPath(path)) return path;  // as the program is
  std::vector<std::string> files = {""};
  if (IsDirectory(path)) {
    ASSIGN_OR_RETURN(files, SafetensorsIn(path));
  }
  std::string state = path;
  for (const std::string& name : files) {
    const std::string file = name.empty() ? path : (fs::path(path) / name).string();
    struct stat info;
    if (::stat(file.c_str(), &info) != 0) return SystemError("cannot open", file);
    state.append("\n").append(name);
    for (const auto number :
         {static_cast<int64_t>(info.st_dev), static_cast<int64_t>(info.st_ino),
          static_cast<int64_t>(info.st_size), static_cast<int64_t>(info.st_mtim.tv_sec),
          static_cast<int64_t>(info.st_mtim.tv_nsec), static_cast<int64_t>(info.st_ctim.tv_sec),
          static_cast<int64_t>(info.st_ctim.tv_nsec)}) {
      state.append(" ").append(std::to_string(number));
    }
  }
  return state;
}

Result<std::string> DigestOfWeights(const std::string& path) {
  if (!IsDirectory(path)) return Sha256OfFile(path);
  ASSIGN_OR_RETURN(const std::vector<std::string> files, SafetensorsIn(path));
  Digest sha = Digest::Sha256();
  for (const std::string& name : files) {
    const std::string file = (fs::path(path) / name).string();
    std::string digest;
    if (const auto bytes = FindBuiltinFile(file)) {
      Digest whole = Digest::Sha256();
      whole.Add(*bytes);
      digest = whole.Hex();
    } else {
      ASSIGN_OR_RETURN(digest, Sha256OfFile(file));
    }
    const std::string line = digest + "  " + name + "\n";
    sha.Add({reinterpret_cast<const uint8_t*>(line.data()), line.size()});
  }
  return sha.Hex();
}

}  // namespace galen::server

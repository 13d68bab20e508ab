#include "server/security/file_digest.h"

#include <algorithm>
#include <filesystem>
#include <vector>

#include "base/files.h"
#include "store/digest.h"

namespace galen::server {

namespace fs = std::filesystem;

Result<std::string> DigestOfWeights(const std::string& path) {
  if (!IsDirectory(path)) return Sha256OfFile(path);
  std::vector<std::string> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(path, error)) {
    if (entry.path().extension() == ".safetensors") files.push_back(entry.path().filename());
  }
  if (error) return IoError("cannot read " + path + ": " + error.message());
  std::sort(files.begin(), files.end());
  Digest sha = Digest::Sha256();
  for (const std::string& name : files) {
    ASSIGN_OR_RETURN(const std::string digest, Sha256OfFile((fs::path(path) / name).string()));
    const std::string line = digest + "  " + name + "\n";
    sha.Add({reinterpret_cast<const uint8_t*>(line.data()), line.size()});
  }
  return sha.Hex();
}

}  // namespace galen::server

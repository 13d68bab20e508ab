#include "train/read_image.h"

#include "media/image/decode.h"

namespace galen {

Status CheckImagePath(const std::string& named) {
  if (named.empty() || named.starts_with("data:") || named.find("://") != std::string::npos) {
    return InvalidArgument("is no path of a file");
  }
  return OkStatus();
}

Result<Image> ReadUnnamedImage(const std::string& path) {
  Result<Image> image = ReadImage(path);
  if (image.ok()) return image;
  std::string what = image.status().message();
  for (size_t at; (at = what.find(path)) != std::string::npos;) what.replace(at, path.size(), "");
  if (what.starts_with(": ")) what.erase(0, 2);
  return Status(image.status().code(), what);
}

}  // namespace galen

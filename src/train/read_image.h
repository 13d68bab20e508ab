// Image files that lines of data name.
#pragma once

#include <string>

#include "base/status.h"
#include "media/image/image.h"

namespace galen {

// InvalidArgument: `named`, what a line says, is no path of a file (a URL, data).
Status CheckImagePath(const std::string& named);
// Decodes a file as galen run does. Errors do not name it: names of files may be names of patients.
Result<Image> ReadUnnamedImage(const std::string& path);

}  // namespace galen

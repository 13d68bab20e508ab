// The files of the page that people open (apps/web), as the build has put them into the program.
#pragma once

#include <string_view>
#include <vector>

namespace galen::server {

struct PageFile {
  std::string_view name;  // "app.js"
  std::string_view content_type;
  std::string_view tag;   // of the content, quoted as an ETag
  std::string_view gzip;  // the content, compressed
};

// Empty where the program was built without the page (GALEN_WEB=OFF).
const std::vector<PageFile>& PageFiles();

}  // namespace galen::server

// Answers run.py: reads one command a line, writes "ok WIDTH HEIGHT CHANNELS WARNINGS\n", the
// warnings a line each, and the pixels; or "error MESSAGE\n".
//   decode FRAME PATH                        the image that the others work on
//   resize W H FILTER LEFT TOP RIGHT BOTTOM  FILTER: Pillow's number
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "media/image/decode.h"
#include "media/image/resize.h"

using namespace galen;

namespace {

void Answer(const Image& image, const std::vector<std::string>& warnings = {}) {
  std::cout << "ok " << image.width << ' ' << image.height << ' ' << image.channels << ' '
            << warnings.size() << '\n';
  for (const std::string& text : warnings) std::cout << text << '\n';
  std::cout.write(reinterpret_cast<const char*>(image.pixels.data()),
                  static_cast<std::streamsize>(image.pixels.size()));
  std::cout.flush();
}

Image source;

Status Run(std::istringstream& line) {
  std::string verb;
  line >> verb;
  if (verb == "decode") {
    DecodeOptions options;
    std::string path;
    line >> options.frame >> std::ws;
    std::getline(line, path);
    std::vector<std::string> warnings;
    ASSIGN_OR_RETURN(source, ReadImage(path, options, &warnings));
    Answer(source, warnings);
    return OkStatus();
  }
  if (verb == "resize") {
    int64_t width = 0, height = 0, number = 0;
    ResizeBox box;
    line >> width >> height >> number >> box.left >> box.top >> box.right >> box.bottom;
    const auto filter = FilterFromNumber(number);
    if (!line || !filter) return InvalidArgument("resize W H FILTER LEFT TOP RIGHT BOTTOM");
    Answer(Resize(source, width, height, *filter, box));
    return OkStatus();
  }
  return InvalidArgument("unknown command " + verb);
}

}  // namespace

int main() {
  std::ios::sync_with_stdio(false);
  std::string text;
  while (std::getline(std::cin, text)) {
    std::istringstream line(text);
    const Status status = Run(line);
    if (!status.ok()) std::cout << "error " << status.message() << std::endl;
  }
}

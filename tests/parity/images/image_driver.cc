// Answers run.py: reads one command a line; writes "ok WIDTH HEIGHT CHANNELS BYTES WARNINGS\n", the
// warnings a line each, and BYTES of pixels; or "error MESSAGE\n". All but decode and probe work on
// the image that was decoded last.
//   decode FRAME PATH
//   probe PATH                               width, height and the number of frames as "channels",
//   no pixels resize W H FILTER LEFT TOP RIGHT BOTTOM  FILTER: Pillow's number torch W H FILTER 2
//   bilinear, 3 bicubic normalize RESCALE MEAN STD               the same for the three channels;
//   float planes crop LEFT TOP W H | center W H | pad R G B | png time W H FILTER ROUNDS "ok
//   MICROSECONDS 0 0 0 0": the fastest resize
#include <chrono>
#include <iostream>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "base/files.h"
#include "media/image/decode.h"
#include "media/image/geometry.h"
#include "media/image/normalize.h"
#include "media/image/png_writer.h"
#include "media/image/resize.h"
#include "media/image/torch_resize.h"

using namespace galen;

namespace {

Image source;

void Answer(const Image& image, const std::vector<std::string>& warnings, const void* data,
            size_t size) {
  std::cout << "ok " << image.width << ' ' << image.height << ' ' << image.channels << ' ' << size
            << ' ' << warnings.size() << '\n';
  for (const std::string& text : warnings) std::cout << text << '\n';
  std::cout.write(static_cast<const char*>(data), static_cast<std::streamsize>(size));
  std::cout.flush();
}

void Answer(const Image& image, const std::vector<std::string>& warnings = {}) {
  Answer(image, warnings, image.pixels.data(), image.pixels.size());
}

Status Decode(std::istringstream& line) {
  DecodeOptions options;
  std::string path;
  line >> options.frame >> std::ws;
  std::getline(line, path);
  std::vector<std::string> warnings;
  ASSIGN_OR_RETURN(source, ReadImage(path, options, &warnings));
  Answer(source, warnings);
  return OkStatus();
}

Status Probe(std::istringstream& line) {
  std::string path;
  std::getline(line >> std::ws, path);
  ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path, size_t{1} << 30));
  ASSIGN_OR_RETURN(const ImageInfo info,
                   ProbeImage({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}));
  std::cout << "ok " << info.width << ' ' << info.height << ' ' << info.frames << " 0 0"
            << std::endl;
  return OkStatus();
}

Status DoResize(std::istringstream& line, const std::string& verb) {
  int64_t width = 0, height = 0, number = 0;
  line >> width >> height >> number;
  const auto filter = FilterFromNumber(number);
  if (!line || !filter) return InvalidArgument("W H FILTER");
  if (verb == "torch") {
    Answer(ResizeTorch(source, width, height, *filter));
    return OkStatus();
  }
  if (verb == "time") {
    int rounds = 0;
    line >> rounds;
    auto best = std::numeric_limits<int64_t>::max();
    for (int i = 0; i < rounds; ++i) {
      const auto start = std::chrono::steady_clock::now();
      const Image out = Resize(source, width, height, *filter);
      const auto spent = std::chrono::steady_clock::now() - start;
      best = std::min<int64_t>(
          best, std::chrono::duration_cast<std::chrono::microseconds>(spent).count());
    }
    std::cout << "ok " << best << " 0 0 0 0" << std::endl;
    return OkStatus();
  }
  ResizeBox box;
  line >> box.left >> box.top >> box.right >> box.bottom;
  if (!line) return InvalidArgument("resize W H FILTER LEFT TOP RIGHT BOTTOM");
  Answer(Resize(source, width, height, *filter, box));
  return OkStatus();
}

Status DoNormalize(std::istringstream& line) {
  Normalization n;
  line >> n.rescale >> n.mean[0] >> n.std[0];
  n.mean.fill(n.mean[0]);
  n.std.fill(n.std[0]);
  std::vector<float> out(source.pixels.size());
  Normalize(source, n, out);
  Answer(source, {}, out.data(), out.size() * sizeof(float));
  return OkStatus();
}

Status Run(std::istringstream& line) {
  std::string verb;
  line >> verb;
  if (verb == "decode") return Decode(line);
  if (verb == "probe") return Probe(line);
  if (source.pixels.empty()) return InvalidArgument("nothing decoded");
  if (verb == "resize" || verb == "torch" || verb == "time") return DoResize(line, verb);
  if (verb == "normalize") return DoNormalize(line);
  int64_t a = 0, b = 0, c = 0, d = 0;
  line >> a >> b >> c >> d;
  if (verb == "crop") {
    Answer(Crop(source, a, b, c, d));
  } else if (verb == "center") {
    Answer(CenterCrop(source, a, b));
  } else if (verb == "pad") {
    Answer(PadToSquare(
        source, {static_cast<uint8_t>(a), static_cast<uint8_t>(b), static_cast<uint8_t>(c)}));
  } else if (verb == "png") {
    ASSIGN_OR_RETURN(const std::vector<uint8_t> bytes, EncodePng(source));
    Answer(source, {}, bytes.data(), bytes.size());
  } else {
    return InvalidArgument("unknown command " + verb);
  }
  return OkStatus();
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

#include "media/volume/inflate.h"

#include <zlib.h>

#include <algorithm>
#include <limits>

namespace galen {
namespace {

constexpr size_t kStep = size_t{1} << 20;
constexpr int kGzipWindow = 15 + 16;  // zlib.h: 16 more than the window's bits reads gzip

struct Stream {
  z_stream z = {};
  bool open = false;
  ~Stream() {
    if (open) inflateEnd(&z);
  }
};

}  // namespace

bool IsGzip(std::span<const uint8_t> bytes) {
  return bytes.size() >= 2 && bytes[0] == 0x1F && bytes[1] == 0x8B;
}

Result<std::vector<uint8_t>> Inflate(std::span<const uint8_t> bytes, size_t wanted) {
  Stream stream;
  stream.open = inflateInit2(&stream.z, kGzipWindow) == Z_OK;
  if (!stream.open) return ResourceExhausted("no memory for unpacking gzip");
  z_stream& z = stream.z;
  std::vector<uint8_t> out;
  z.next_in = const_cast<uint8_t*>(bytes.data());
  size_t left = bytes.size();
  while (out.size() < wanted) {
    if (z.avail_in == 0) {
      z.avail_in = static_cast<uInt>(std::min<size_t>(left, std::numeric_limits<uInt>::max()));
      left -= z.avail_in;
    }
    const size_t begin = out.size();
    out.resize(begin + std::min(kStep, wanted - begin));
    z.next_out = out.data() + begin;
    z.avail_out = static_cast<uInt>(out.size() - begin);
    const int code = inflate(&z, Z_NO_FLUSH);
    out.resize(out.size() - z.avail_out);
    const bool input_ends = z.avail_in == 0 && left == 0;
    if (code == Z_STREAM_END) {
      // Members may follow one another (RFC 1952, 2.2); anything else behind a member is ignored,
      // as gzip does.
      if (input_ends || !IsGzip({z.next_in, z.avail_in})) break;
      inflateReset(&z);
    } else if (code == Z_BUF_ERROR || (code == Z_OK && input_ends && z.avail_out > 0)) {
      break;  // cut off
    } else if (code != Z_OK) {
      return DataLoss("corrupt gzip data");
    }
  }
  return out;
}

}  // namespace galen

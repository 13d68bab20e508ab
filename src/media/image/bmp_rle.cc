#include "media/image/bmp_rle.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace galen {
namespace {

enum Escape : uint8_t { kEndOfLine = 0, kEndOfBitmap = 1, kJump = 2 };

class Decoder {
 public:
  Decoder(Bytes bytes, size_t begin, bool four_bits, Raster* raster)
      : bytes_(bytes),
        at_(begin),
        four_bits_(four_bits),
        width_(raster->width),
        out_(raster->data) {}

  // How many pixels the codes cover.
  size_t Run() {
    while (done_ < out_.size() && bytes_.size() - at_ >= 2) {
      const uint8_t count = bytes_[at_], value = bytes_[at_ + 1];
      at_ += 2;
      if (count > 0) {
        // A run does not leave its line.
        const size_t left = width_ - std::min(x_, width_);
        PutRun(value, std::min<size_t>(count, left));
      } else if (value == kEndOfBitmap || !RunEscape(value)) {
        break;
      }
    }
    return done_;
  }

 private:
  void Put(uint8_t index) {
    if (done_ < out_.size()) out_[done_++] = index;
  }
  void PutRun(uint8_t value, size_t count) {
    for (size_t i = 0; i < count; ++i) {
      Put(!four_bits_ ? value : i % 2 == 0 ? value >> 4 : value & 15);
    }
    x_ += count;
  }
  void Skip(size_t count) { done_ += std::min(count, out_.size() - done_); }

  bool RunEscape(uint8_t value) {
    if (value == kEndOfLine) {
      Skip((width_ - done_ % width_) % width_);
      x_ = 0;
      return true;
    }
    if (value == kJump) {
      if (bytes_.size() - at_ < 2) return false;
      Skip(bytes_[at_] + bytes_[at_ + 1] * width_);
      at_ += 2;
      x_ = done_ % width_;
      return true;
    }
    // Literal indices, filled up to an even position in the file.
    const size_t count = std::min<size_t>(value, out_.size() - done_);
    const size_t size = four_bits_ ? (count + 1) / 2 : count;
    if (bytes_.size() - at_ < size) return false;
    for (size_t i = 0; i < count; ++i) {
      Put(!four_bits_ ? bytes_[at_ + i] : bytes_[at_ + i / 2] >> (i % 2 == 0 ? 4 : 0) & 15);
    }
    at_ += size;
    at_ = std::min(at_ + at_ % 2, bytes_.size());
    x_ += value;
    return true;
  }

  Bytes bytes_;
  size_t at_;
  bool four_bits_;
  size_t width_;
  std::vector<uint8_t>& out_;
  size_t done_ = 0;
  size_t x_ = 0;
};

}  // namespace

Status ReadBmpRle(Bytes bytes, size_t begin, bool four_bits, bool top_down, Raster* raster) {
  const size_t done = Decoder(bytes, begin, four_bits, raster).Run();
  if (done < raster->data.size()) {
    return DataLoss("truncated: the codes cover " + std::to_string(done) + " of " +
                    std::to_string(raster->data.size()) + " pixels");
  }
  for (int64_t y = 0; !top_down && y < raster->height / 2; ++y) {
    std::swap_ranges(raster->row(y), raster->row(y) + raster->width,
                     raster->row(raster->height - 1 - y));
  }
  return OkStatus();
}

}  // namespace galen

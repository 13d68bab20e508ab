// PNG by libpng. Chunk checksums are verified; 16-bit colour keeps its high byte, 16-bit grey its
// 16 bits, as in Pillow.
#include <png.h>

#include <csetjmp>
#include <cstring>

#include "media/image/format_readers.h"
#include "media/image/png_metadata.h"

namespace galen {
namespace {

// False where a chunk before the pixels claims more bytes than the file has: libpng would allocate
// them.
bool HeadIsComplete(Bytes bytes) {
  constexpr size_t kAround = 12;  // length, type, checksum
  for (size_t at = 8; at + kAround <= bytes.size();) {
    const size_t length =
        size_t{bytes[at]} << 24 | bytes[at + 1] << 16 | bytes[at + 2] << 8 | bytes[at + 3];
    if (std::memcmp(bytes.data() + at + 4, "IDAT", 4) == 0) return true;
    if (length > bytes.size() - at - kAround) return false;
    at += kAround + length;
  }
  return false;
}

// libpng leaves by longjmp. The functions that call setjmp hold nothing that has a destructor.
class PngFile {
 public:
  explicit PngFile(Bytes bytes) : bytes_(bytes) {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, OnError, OnWarning);
    if (png_ != nullptr) info_ = png_create_info_struct(png_);
  }
  ~PngFile() { png_destroy_read_struct(&png_, &info_, nullptr); }
  PngFile(const PngFile&) = delete;
  PngFile& operator=(const PngFile&) = delete;

  // False: see message().
  bool ReadHeader() {
    if (info_ == nullptr) return false;
    if (!HeadIsComplete(bytes_)) {
      std::strcpy(message_, "truncated before the pixels");
      return false;
    }
    if (setjmp(jump_)) return false;
    // The largest that a header can say; what is too many pixels is the caller's to decide.
    png_set_user_limits(png_, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_chunk_malloc_max(png_, 8'000'000);  // of what a compressed chunk grows to
    png_set_option(png_, PNG_SKIP_sRGB_CHECK_PROFILE, PNG_OPTION_ON);
    png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, nullptr, 0);
    png_set_benign_errors(png_, 1);
    png_set_read_fn(png_, this, Read);
    png_read_info(png_, info_);
    return true;
  }

  PixelMode mode() const {
    const int depth = png_get_bit_depth(png_, info_);
    switch (png_get_color_type(png_, info_)) {
      case PNG_COLOR_TYPE_GRAY:
        return depth == 16 ? PixelMode::kI16 : depth == 1 ? PixelMode::kBit : PixelMode::kL;
      case PNG_COLOR_TYPE_GRAY_ALPHA:
        return PixelMode::kLa;
      case PNG_COLOR_TYPE_PALETTE:
        return PixelMode::kP;
      case PNG_COLOR_TYPE_RGB:
        return PixelMode::kRgb;
      default:
        return PixelMode::kRgba;
    }
  }

  // rows: height pointers to rows of width pixels in mode().
  bool ReadRows(uint8_t** rows) {
    if (setjmp(jump_)) return false;
    png_set_packing(png_);
    if (png_get_color_type(png_, info_) == PNG_COLOR_TYPE_GRAY) {
      png_set_expand_gray_1_2_4_to_8(png_);
      png_set_swap(png_);
    } else {
      png_set_strip_16(png_);
    }
    png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
    png_read_image(png_, rows);
    return true;
  }

  bool ReadPalette(uint8_t* palette) {
    png_color* colors = nullptr;
    int count = 0;
    if (png_get_PLTE(png_, info_, &colors, &count) == 0) return false;
    for (int i = 0; i < count && i < 256; ++i) {
      palette[3 * i] = colors[i].red;
      palette[3 * i + 1] = colors[i].green;
      palette[3 * i + 2] = colors[i].blue;
    }
    return true;
  }

  int64_t width() const { return png_get_image_width(png_, info_); }
  int64_t height() const { return png_get_image_height(png_, info_); }
  size_t row_bytes() const { return png_get_rowbytes(png_, info_); }
  const char* message() const { return message_; }

 private:
  static void OnError(png_structp png, png_const_charp message) {
    auto* self = static_cast<PngFile*>(png_get_error_ptr(png));
    std::strncpy(self->message_, message, sizeof(self->message_) - 1);
    std::longjmp(self->jump_, 1);
  }
  static void OnWarning(png_structp, png_const_charp) {}
  static void Read(png_structp png, png_bytep out, png_size_t count) {
    auto* self = static_cast<PngFile*>(png_get_io_ptr(png));
    if (count > self->bytes_.size() - self->at_) png_error(png, "truncated");
    std::memcpy(out, self->bytes_.data() + self->at_, count);
    self->at_ += count;
  }

  Bytes bytes_;
  size_t at_ = 0;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  std::jmp_buf jump_;
  char message_[128] = "no memory";
};

bool AcceptsPng(Bytes bytes) {
  constexpr uint8_t kMagic[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
  return bytes.size() >= sizeof(kMagic) && std::memcmp(bytes.data(), kMagic, sizeof(kMagic)) == 0;
}

Result<ImageInfo> ProbePng(Bytes bytes) {
  PngFile file(bytes);
  if (!file.ReadHeader()) return DataLoss(file.message());
  return ImageInfo{ImageFormat::kPng, file.width(), file.height(), 1};
}

Result<Raster> DecodePng(Bytes bytes, const DecodeOptions& options, Warnings*) {
  if (options.frame > 0) return Unsupported("only the first frame of an animated PNG is read");
  PngFile file(bytes);
  if (!file.ReadHeader()) return DataLoss(file.message());
  Raster raster;
  RETURN_IF_ERROR(raster.Allocate(file.mode(), file.width(), file.height(), options.max_pixels));
  if (raster.mode == PixelMode::kP && !file.ReadPalette(raster.palette.data())) {
    return DataLoss("indexed colour without a palette");
  }
  std::vector<uint8_t*> rows(raster.height);
  for (int64_t y = 0; y < raster.height; ++y) rows[y] = raster.row(y);
  if (!file.ReadRows(rows.data())) return DataLoss(file.message());
  GALEN_CHECK(file.row_bytes() * raster.height == raster.data.size());
  ReadPngMetadata(bytes, &raster.exif, &raster.xmp);
  return raster;
}

}  // namespace

const FormatReader kPngReader = {ImageFormat::kPng, AcceptsPng, ProbePng, DecodePng};

}  // namespace galen

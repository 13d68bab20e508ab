#include "media/image/png_writer.h"

#include <png.h>

#include <csetjmp>
#include <cstring>
#include <new>
#include <string_view>

#include "base/files.h"

namespace galen {
namespace {

// libpng leaves by longjmp. The function that calls setjmp holds nothing that has a destructor.
class PngSink {
 public:
  PngSink() {
    png_ = png_create_write_struct(PNG_LIBPNG_VER_STRING, this, OnError,
                                   [](png_structp, png_const_charp) {});
    if (png_ != nullptr) info_ = png_create_info_struct(png_);
  }
  ~PngSink() { png_destroy_write_struct(&png_, &info_); }
  PngSink(const PngSink&) = delete;
  PngSink& operator=(const PngSink&) = delete;

  bool Write(const Image& image) {
    if (info_ == nullptr) return false;
    if (setjmp(jump_)) return false;
    png_set_user_limits(png_, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_write_fn(png_, this, Append, [](png_structp) {});
    png_set_IHDR(png_, info_, image.width, image.height, 8,
                 image.channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png_, info_);
    for (int64_t y = 0; y < image.height; ++y) png_write_row(png_, image.row(y));
    png_write_end(png_, info_);
    return true;
  }

  std::vector<uint8_t> TakeBytes() { return std::move(bytes_); }
  const char* message() const { return message_; }

 private:
  static void OnError(png_structp png, png_const_charp message) {
    auto* self = static_cast<PngSink*>(png_get_error_ptr(png));
    std::strncpy(self->message_, message, sizeof(self->message_) - 1);
    std::longjmp(self->jump_, 1);
  }
  static void Append(png_structp png, png_bytep data, png_size_t size) {
    auto* self = static_cast<PngSink*>(png_get_io_ptr(png));
    bool full = false;  // no exception may pass through libpng
    try {
      self->bytes_.insert(self->bytes_.end(), data, data + size);
    } catch (const std::bad_alloc&) {
      full = true;
    }
    if (full) png_error(png, "no memory");
  }

  std::vector<uint8_t> bytes_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  std::jmp_buf jump_;
  char message_[128] = "no memory";
};

}  // namespace

Result<std::vector<uint8_t>> EncodePng(const Image& image) {
  GALEN_CHECK(image.channels == 1 || image.channels == 3);
  if (image.width <= 0 || image.height <= 0 || image.width > PNG_UINT_31_MAX ||
      image.height > PNG_UINT_31_MAX) {
    return InvalidArgument("a PNG cannot have " + std::to_string(image.width) + " x " +
                           std::to_string(image.height) + " pixels");
  }
  PngSink sink;
  if (!sink.Write(image)) return ResourceExhausted(std::string("writing a PNG: ") + sink.message());
  return sink.TakeBytes();
}

Status WritePng(const std::string& path, const Image& image) {
  ASSIGN_OR_RETURN(const std::vector<uint8_t> bytes, EncodePng(image));
  return WriteFileAtomically(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

}  // namespace galen

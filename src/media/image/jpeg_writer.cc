#include "media/image/jpeg_writer.h"

#include <csetjmp>
#include <cstdlib>
#include <string>
// jpeglib.h needs FILE and size_t.
// clang-format off
#include <cstdio>
#include <jpeglib.h>
// clang-format on

namespace galen {
namespace {

// libjpeg leaves by longjmp. The function that calls setjmp holds nothing that has a destructor.
class JpegSink {
 public:
  JpegSink() {
    cinfo_.err = jpeg_std_error(&errors_);
    errors_.error_exit = [](j_common_ptr cinfo) {
      auto* self = static_cast<JpegSink*>(cinfo->client_data);
      cinfo->err->format_message(cinfo, self->message_);
      std::longjmp(self->jump_, 1);
    };
    errors_.output_message = [](j_common_ptr) {};
    cinfo_.client_data = this;
  }
  ~JpegSink() {
    jpeg_destroy_compress(&cinfo_);
    std::free(bytes_);
  }
  JpegSink(const JpegSink&) = delete;
  JpegSink& operator=(const JpegSink&) = delete;

  bool Write(const Image& image, int quality) {
    if (setjmp(jump_)) return false;
    jpeg_create_compress(&cinfo_);
    jpeg_mem_dest(&cinfo_, &bytes_, &size_);
    cinfo_.image_width = static_cast<JDIMENSION>(image.width);
    cinfo_.image_height = static_cast<JDIMENSION>(image.height);
    cinfo_.input_components = static_cast<int>(image.channels);
    cinfo_.in_color_space = image.channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(&cinfo_);
    jpeg_set_quality(&cinfo_, quality, TRUE);
    jpeg_start_compress(&cinfo_, TRUE);
    while (cinfo_.next_scanline < cinfo_.image_height) {
      auto* row = const_cast<JSAMPROW>(image.row(cinfo_.next_scanline));
      jpeg_write_scanlines(&cinfo_, &row, 1);
    }
    jpeg_finish_compress(&cinfo_);
    return true;
  }

  std::vector<uint8_t> Bytes() const { return {bytes_, bytes_ + size_}; }
  const char* message() const { return message_; }

 private:
  jpeg_compress_struct cinfo_{};
  jpeg_error_mgr errors_{};
  unsigned char* bytes_ = nullptr;
  unsigned long size_ = 0;
  std::jmp_buf jump_;
  char message_[JMSG_LENGTH_MAX] = "no memory";
};

}  // namespace

Result<std::vector<uint8_t>> EncodeJpeg(const Image& image, int quality) {
  GALEN_CHECK(image.channels == 1 || image.channels == 3);
  GALEN_CHECK(quality >= 1 && quality <= 100);
  if (image.width <= 0 || image.height <= 0 || image.width > JPEG_MAX_DIMENSION ||
      image.height > JPEG_MAX_DIMENSION) {
    return InvalidArgument("a JPEG cannot have " + std::to_string(image.width) + " x " +
                           std::to_string(image.height) + " pixels");
  }
  JpegSink sink;
  if (!sink.Write(image, quality))
    return ResourceExhausted(std::string("writing a JPEG: ") + sink.message());
  return sink.Bytes();
}

}  // namespace galen

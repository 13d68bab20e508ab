#include "media/dicom/jpeg_lossy8.h"

#include <csetjmp>
#include <cstdio>
// jpeglib.h needs size_t and FILE before it.
#include <jerror.h>
#include <jpeglib.h>

#include <string>

namespace galen::dicom {
namespace {

struct Errors {
  jpeg_error_mgr base;
  jmp_buf jump;
  bool truncated = false;
};

[[noreturn]] void OnError(j_common_ptr info) {
  std::longjmp(reinterpret_cast<Errors*>(info->err)->jump, 1);
}

void OnMessage(j_common_ptr info, int level) {
  if (level >= 0) return;
  const int code = info->err->msg_code;
  if (code == JWRN_JPEG_EOF || code == JWRN_HIT_MARKER)
    reinterpret_cast<Errors*>(info->err)->truncated = true;
}

// No object with a destructor lives here: errors jump out of it.
bool Decode(std::span<const uint8_t> bytes, const JpegHeader& header, Errors* errors,
            jpeg_decompress_struct* decoder, uint8_t* out) {
  if (setjmp(errors->jump) != 0) return false;
  jpeg_create_decompress(decoder);
  jpeg_mem_src(decoder, bytes.data(),
               static_cast<unsigned long>(bytes.size()));  // NOLINT: the library's type
  if (jpeg_read_header(decoder, TRUE) != JPEG_HEADER_OK) return false;
  if (static_cast<int64_t>(decoder->image_width) != header.columns ||
      static_cast<int64_t>(decoder->image_height) != header.rows ||
      decoder->num_components != header.components) {
    return false;
  }
  // The same space in and out means that nothing is converted.
  decoder->jpeg_color_space = decoder->out_color_space =
      header.components == 1 ? JCS_GRAYSCALE : JCS_YCbCr;
  if (!jpeg_start_decompress(decoder)) return false;
  const size_t stride = static_cast<size_t>(header.columns * header.components);
  while (decoder->output_scanline < decoder->output_height) {
    JSAMPROW row = out + decoder->output_scanline * stride;
    if (jpeg_read_scanlines(decoder, &row, 1) != 1) return false;
  }
  return jpeg_finish_decompress(decoder) == TRUE;
}

}  // namespace

Result<std::vector<uint8_t>> DecodeJpegLossy8(std::span<const uint8_t> bytes,
                                              const JpegHeader& header) {
  std::vector<uint8_t> out(static_cast<size_t>(header.rows * header.columns * header.components));
  Errors errors;
  jpeg_decompress_struct decoder = {};
  decoder.err = jpeg_std_error(&errors.base);
  errors.base.error_exit = OnError;
  errors.base.emit_message = OnMessage;
  const bool ok = Decode(bytes, header, &errors, &decoder, out.data());
  char message[JMSG_LENGTH_MAX] = "the frame contradicts its header";
  if (!ok && errors.base.msg_code != 0)
    errors.base.format_message(reinterpret_cast<j_common_ptr>(&decoder), message);
  jpeg_destroy_decompress(&decoder);
  if (!ok) return DataLoss(std::string("JPEG frame: ") + message);
  if (errors.truncated) return DataLoss("JPEG frame is cut off");
  return out;
}

}  // namespace galen::dicom

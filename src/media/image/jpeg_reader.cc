// JPEG by libjpeg-turbo, with the settings of Pillow's decoder: accurate integer IDCT, fancy
// upsampling, warnings tolerated.
#include <algorithm>
#include <csetjmp>
#include <cstring>
// jpeglib.h needs FILE and size_t, jerror.h needs jpeglib.h.
// clang-format off
#include <cstdio>
#include <jpeglib.h>
#include <jerror.h>
// clang-format on

#include "media/image/format_readers.h"

namespace galen {
namespace {

// A progressive file may hold any number of scans, each of which costs a pass over the whole image;
// encoders write about ten.
constexpr int kMaxScans = 500;

// libjpeg leaves by longjmp. The functions that call setjmp hold nothing that has a destructor.
class JpegFile {
 public:
  explicit JpegFile(Bytes bytes) {
    cinfo_.err = jpeg_std_error(&errors_);
    errors_.error_exit = [](j_common_ptr cinfo) {
      auto* self = static_cast<JpegFile*>(cinfo->client_data);
      cinfo->err->format_message(cinfo, self->message_);
      std::longjmp(self->jump_, 1);
    };
    errors_.output_message = [](j_common_ptr) {};
    cinfo_.client_data = this;
    progress_.progress_monitor = [](j_common_ptr cinfo) {
      auto* self = static_cast<JpegFile*>(cinfo->client_data);
      if (self->cinfo_.input_scan_number <= kMaxScans) return;
      std::strcpy(self->message_, "more than 500 scans");
      std::longjmp(self->jump_, 1);
    };
    source_.init_source = [](j_decompress_ptr) {};
    source_.term_source = [](j_decompress_ptr) {};
    source_.resync_to_restart = jpeg_resync_to_restart;
    // As Pillow, do not invent an end for a truncated file: the decoder stops and the missing rows
    // are seen.
    source_.fill_input_buffer = [](j_decompress_ptr) -> boolean { return FALSE; };
    source_.skip_input_data = [](j_decompress_ptr cinfo, long count) {
      jpeg_source_mgr* source = cinfo->src;
      const size_t skipped =
          std::min(static_cast<size_t>(std::max(count, 0L)), source->bytes_in_buffer);
      source->next_input_byte += skipped;
      source->bytes_in_buffer -= skipped;
    };
    source_.next_input_byte = bytes.data();
    source_.bytes_in_buffer = bytes.size();
  }
  ~JpegFile() { jpeg_destroy_decompress(&cinfo_); }
  JpegFile(const JpegFile&) = delete;
  JpegFile& operator=(const JpegFile&) = delete;

  // False: see message().
  bool ReadHeader() {
    if (setjmp(jump_)) return false;
    jpeg_create_decompress(&cinfo_);
    cinfo_.src = &source_;
    cinfo_.progress = &progress_;
    jpeg_save_markers(&cinfo_, JPEG_APP0 + 1, 0xffff);
    int state = JPEG_HEADER_TABLES_ONLY;
    while (state == JPEG_HEADER_TABLES_ONLY) state = jpeg_read_header(&cinfo_, FALSE);
    if (state == JPEG_SUSPENDED) std::strcpy(message_, "truncated in the header");
    return state == JPEG_HEADER_OK;
  }

  bool Start(J_COLOR_SPACE space) {
    if (setjmp(jump_)) return false;
    cinfo_.out_color_space = space;
    if (jpeg_start_decompress(&cinfo_)) return true;
    std::strcpy(message_, "truncated in the pixels");
    return false;
  }

  bool ReadRows(uint8_t* rows, size_t stride) {
    if (setjmp(jump_)) return false;
    while (cinfo_.output_scanline < cinfo_.output_height) {
      uint8_t* row = rows + cinfo_.output_scanline * stride;
      if (jpeg_read_scanlines(&cinfo_, &row, 1) == 1) continue;
      std::snprintf(message_, sizeof(message_), "truncated: %u of %u rows", cinfo_.output_scanline,
                    cinfo_.output_height);
      return false;
    }
    return true;
  }

  const jpeg_decompress_struct& info() const { return cinfo_; }
  const char* message() const { return message_; }
  int64_t num_warnings() const { return errors_.num_warnings; }

 private:
  jpeg_decompress_struct cinfo_{};
  jpeg_error_mgr errors_{};
  jpeg_progress_mgr progress_{};
  jpeg_source_mgr source_{};
  std::jmp_buf jump_;
  char message_[JMSG_LENGTH_MAX] = "";
};

// Exif data may span several APP1 segments; the first keeps its "Exif\0\0".
void ReadMetadata(const jpeg_decompress_struct& info, Raster* raster) {
  constexpr std::string_view kExif("Exif\0\0", 6);
  constexpr std::string_view kXmp("http://ns.adobe.com/xap/1.0/\0", 29);
  for (auto* marker = info.marker_list; marker != nullptr; marker = marker->next) {
    if (marker->marker != JPEG_APP0 + 1) continue;
    const std::string_view data(reinterpret_cast<const char*>(marker->data), marker->data_length);
    if (data.starts_with(kExif)) raster->exif += data.substr(kExif.size());
    if (data.starts_with(kXmp)) raster->xmp = data.substr(kXmp.size());
  }
}

bool AcceptsJpeg(Bytes bytes) {
  return bytes.size() >= 3 && bytes[0] == 0xff && bytes[1] == 0xd8 && bytes[2] == 0xff;
}

Result<ImageInfo> ProbeJpeg(Bytes bytes) {
  JpegFile file(bytes);
  if (!file.ReadHeader()) return DataLoss(file.message());
  return ImageInfo{ImageFormat::kJpeg, file.info().image_width, file.info().image_height, 1};
}

Result<Raster> DecodeJpeg(Bytes bytes, const DecodeOptions& options, Warnings* warnings) {
  RETURN_IF_ERROR(CheckFrame(options.frame, 1));
  JpegFile file(bytes);
  if (!file.ReadHeader()) return DataLoss(file.message());
  PixelMode mode = PixelMode::kRgb;
  J_COLOR_SPACE space = JCS_RGB;
  switch (file.info().num_components) {
    case 1:
      mode = PixelMode::kL, space = JCS_GRAYSCALE;
      break;
    case 3:
      break;
    case 4:
      mode = PixelMode::kCmyk, space = JCS_CMYK;
      break;
    default:
      return Unsupported(std::to_string(file.info().num_components) + " colour components");
  }
  Raster raster;
  RETURN_IF_ERROR(
      CheckImageSize(file.info().image_width, file.info().image_height, options.max_pixels));
  if (!file.Start(space)) return DataLoss(file.message());
  RETURN_IF_ERROR(raster.Allocate(mode, file.info().output_width, file.info().output_height,
                                  options.max_pixels));
  if (!file.ReadRows(raster.data.data(), raster.data.size() / raster.height)) {
    return DataLoss(file.message());
  }
  // Four components are Adobe's: ink is stored inverted (Pillow's raw mode "CMYK;I").
  if (mode == PixelMode::kCmyk) {
    for (uint8_t& ink : raster.data) ink = 255 - ink;
  }
  if (file.num_warnings() > 0) {
    Warn(warnings, "jpeg_damaged: " + std::to_string(file.num_warnings()) +
                       " errors in the compressed data; parts of the image may be wrong");
  }
  ReadMetadata(file.info(), &raster);
  return raster;
}

}  // namespace

const FormatReader kJpegReader = {ImageFormat::kJpeg, AcceptsJpeg, ProbeJpeg, DecodeJpeg};

}  // namespace galen

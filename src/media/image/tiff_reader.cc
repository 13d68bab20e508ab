// TIFF, one page of it, by libtiff.
#include <algorithm>
#include <cstring>
#include <limits>

#include "media/image/format_readers.h"
#include "media/image/tiff_file.h"
#include "media/image/tiff_layout.h"

namespace galen {
namespace {

bool AcceptsTiff(Bytes bytes) {
  if (bytes.size() < 8) return false;
  for (const char* magic : {"II*\0", "MM\0*", "II+\0", "MM\0+"}) {
    if (std::memcmp(bytes.data(), magic, 4) == 0) return true;
  }
  return false;
}

Result<ImageInfo> ProbeTiff(Bytes bytes) {
  const TiffFile file(bytes, std::numeric_limits<int32_t>::max());
  if (!file.ok()) return file.Error();
  ImageInfo info;
  info.format = ImageFormat::kTiff;
  info.width = file.Long(TIFFTAG_IMAGEWIDTH, 0);
  info.height = file.Long(TIFFTAG_IMAGELENGTH, 0);
  info.frames = TIFFNumberOfDirectories(file.get());
  return info;
}

TiffTags ReadTags(const TiffFile& file) {
  TiffTags tags;
  tags.photometric = file.Stored(TIFFTAG_PHOTOMETRIC, 0);
  tags.bits = file.Short(TIFFTAG_BITSPERSAMPLE, 1);
  tags.samples = file.Short(TIFFTAG_SAMPLESPERPIXEL, 1);
  tags.format = file.Short(TIFFTAG_SAMPLEFORMAT, 1);
  tags.planar = file.Short(TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG) == PLANARCONFIG_SEPARATE;
  uint16_t count = 0;
  uint16_t* kinds = nullptr;
  if (TIFFGetField(file.get(), TIFFTAG_EXTRASAMPLES, &count, &kinds) == 1)
    tags.extras.assign(kinds, kinds + count);
  return tags;
}

// Strips or tiles, into the raster's rows.
Status ReadChunks(const TiffFile& file, const TiffLayout& layout, int64_t max_bytes,
                  Raster* raster) {
  TIFF* tiff = file.get();
  const bool tiled = TIFFIsTiled(tiff) != 0;
  const int64_t width = tiled ? file.Long(TIFFTAG_TILEWIDTH, 0) : raster->width;
  const int64_t height =
      std::min<int64_t>(file.Long(tiled ? TIFFTAG_TILELENGTH : TIFFTAG_ROWSPERSTRIP, 0),
                        tiled ? INT32_MAX : raster->height);
  const int64_t bytes = tiled ? TIFFTileSize(tiff) : TIFFStripSize(tiff);
  const int64_t row_bytes = tiled ? TIFFTileRowSize(tiff) : TIFFScanlineSize(tiff);
  if (width <= 0 || width > INT32_MAX || height <= 0 || bytes <= 0 || row_bytes <= 0)
    return file.Error();
  if (bytes > max_bytes)
    return ResourceExhausted("a strip or tile of " + std::to_string(bytes) + " bytes");
  const int64_t used_bits = width * layout.bits * layout.samples;
  if (row_bytes < (used_bits + 7) / 8 || bytes / row_bytes < height) {
    return DataLoss("strips or tiles of a size that does not fit their pixels");
  }
  std::vector<uint8_t> chunk(bytes);
  for (uint32_t plane = 0; plane < layout.planes; ++plane) {
    for (int64_t y = 0; y < raster->height; y += height) {
      for (int64_t x = 0; x < raster->width; x += width) {
        const auto px = static_cast<uint32_t>(x), py = static_cast<uint32_t>(y);
        const tmsize_t read =
            tiled ? TIFFReadTile(tiff, chunk.data(), px, py, 0, static_cast<uint16_t>(plane))
                  : TIFFReadEncodedStrip(tiff,
                                         TIFFComputeStrip(tiff, py, static_cast<uint16_t>(plane)),
                                         chunk.data(), bytes);
        if (read < 0) return file.Error();
        const int64_t columns = std::min(width, raster->width - x);
        for (int64_t r = 0; r < std::min(height, raster->height - y); ++r) {
          UnpackTiffRow(layout, chunk.data() + r * row_bytes, columns, plane,
                        raster->row(y + r) + x * BytesPerPixel(raster->mode));
        }
      }
    }
  }
  return OkStatus();
}

// Subsampled and old kinds of YCbCr: libtiff's own conversion.
Status ReadAsRgba(const TiffFile& file, Raster* raster) {
  TIFFRGBAImage image;
  char message[1024] = "";
  if (TIFFRGBAImageOK(file.get(), message) == 0 ||
      TIFFRGBAImageBegin(&image, file.get(), 0, message) == 0) {
    return Unsupported(message);
  }
  image.orientation = ORIENTATION_TOPLEFT;
  image.req_orientation = ORIENTATION_TOPLEFT;
  const bool ok = TIFFRGBAImageGet(&image, reinterpret_cast<uint32_t*>(raster->data.data()),
                                   image.width, image.height) != 0;
  TIFFRGBAImageEnd(&image);
  return ok ? OkStatus() : file.Error();
}

enum class Ycbcr { kNone, kByJpeg, kPlain, kByLibtiff };

Ycbcr FindYcbcr(const TiffFile& file, const TiffTags& tags) {
  const uint32_t compression = file.Short(TIFFTAG_COMPRESSION, COMPRESSION_NONE);
  if (tags.photometric != PHOTOMETRIC_YCBCR && compression != COMPRESSION_OJPEG)
    return Ycbcr::kNone;
  if (compression == COMPRESSION_JPEG && !tags.planar && tags.samples == 3) return Ycbcr::kByJpeg;
  uint16_t across = 0, down = 0;
  TIFFGetFieldDefaulted(file.get(), TIFFTAG_YCBCRSUBSAMPLING, &across, &down);
  const bool plain = compression == COMPRESSION_NONE && across == 1 && down == 1 &&
                     tags.samples == 3 && tags.bits == 8;
  return plain ? Ycbcr::kPlain : Ycbcr::kByLibtiff;
}

Status ReadPalette(const TiffFile& file, Raster* raster) {
  uint16_t* colors[3] = {};
  if (TIFFGetField(file.get(), TIFFTAG_COLORMAP, &colors[0], &colors[1], &colors[2]) != 1) {
    return DataLoss("indexed colour without a palette");
  }
  const int count = 1 << std::min(file.Short(TIFFTAG_BITSPERSAMPLE, 1), 8u);
  for (int i = 0; i < count; ++i) {
    for (int c = 0; c < 3; ++c)
      raster->palette[3 * i + c] = static_cast<uint8_t>(colors[c][i] >> 8);
  }
  return OkStatus();
}

Result<Raster> DecodeTiff(Bytes bytes, const DecodeOptions& options, Warnings* warnings) {
  // A pixel has at most 8 bytes here.
  const int64_t max_bytes = options.max_pixels > INT64_MAX / 16
                                ? INT64_MAX / 2
                                : std::max<int64_t>(8 * options.max_pixels, 1 << 20);
  const TiffFile file(bytes, max_bytes);
  if (!file.ok()) return file.Error();
  if (options.frame > 0 &&
      (options.frame > INT32_MAX ||
       TIFFSetDirectory(file.get(), static_cast<tdir_t>(options.frame)) == 0)) {
    RETURN_IF_ERROR(CheckFrame(options.frame, TIFFNumberOfDirectories(file.get())));
    return file.Error();  // the page is there and broken
  }
  const TiffTags tags = ReadTags(file);
  const Ycbcr ycbcr = FindYcbcr(file, tags);
  TiffLayout layout;
  if (ycbcr == Ycbcr::kNone) {
    ASSIGN_OR_RETURN(layout, FindTiffLayout(tags));
  } else {
    layout.mode = ycbcr == Ycbcr::kByJpeg  ? PixelMode::kRgb
                  : ycbcr == Ycbcr::kPlain ? PixelMode::kYcbcr
                                           : PixelMode::kRgba;
    layout.samples = tags.planar ? 1 : 3;
    layout.planes = tags.planar ? 3 : 1;
  }
  Raster raster;
  RETURN_IF_ERROR(raster.Allocate(layout.mode, file.Long(TIFFTAG_IMAGEWIDTH, 0),
                                  file.Long(TIFFTAG_IMAGELENGTH, 0), options.max_pixels));
  if (layout.mode == PixelMode::kP || layout.mode == PixelMode::kPa) {
    RETURN_IF_ERROR(ReadPalette(file, &raster));
  }
  if (ycbcr == Ycbcr::kByJpeg) TIFFSetField(file.get(), TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
  if (ycbcr == Ycbcr::kByLibtiff) {
    RETURN_IF_ERROR(ReadAsRgba(file, &raster));
  } else {
    RETURN_IF_ERROR(ReadChunks(file, layout, max_bytes, &raster));
  }
  if (layout.premultiplied) UndoPremultiplied(&raster);
  if (tags.photometric == PHOTOMETRIC_MINISWHITE && tags.bits > 8) {
    Warn(warnings, "white_is_zero: grey of " + std::to_string(tags.bits) +
                       " bits whose zero is white is not inverted, as in Pillow");
  }
  uint16_t orientation = 0;
  if (TIFFGetField(file.get(), TIFFTAG_ORIENTATION, &orientation) == 1)
    raster.orientation = orientation;
  uint32_t size = 0;
  const char* xmp = nullptr;
  if (TIFFGetField(file.get(), TIFFTAG_XMLPACKET, &size, &xmp) == 1) raster.xmp.assign(xmp, size);
  return raster;
}

}  // namespace

const FormatReader kTiffReader = {ImageFormat::kTiff, AcceptsTiff, ProbeTiff, DecodeTiff};

}  // namespace galen

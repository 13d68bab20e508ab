// WebP by libwebp's animation decoder, which composes frames over each other; a still image is its
// only frame.
#include <webp/decode.h>
#include <webp/demux.h>

#include <cstring>
#include <memory>

#include "media/image/format_readers.h"

namespace galen {
namespace {

bool AcceptsWebp(Bytes bytes) {
  return bytes.size() >= 12 && std::memcmp(bytes.data(), "RIFF", 4) == 0 &&
         std::memcmp(bytes.data() + 8, "WEBP", 4) == 0;
}

struct DemuxDelete {
  void operator()(WebPDemuxer* demux) const { WebPDemuxDelete(demux); }
};
struct DecoderDelete {
  void operator()(WebPAnimDecoder* decoder) const { WebPAnimDecoderDelete(decoder); }
};

Result<ImageInfo> ProbeWebp(Bytes bytes) {
  WebPBitstreamFeatures features;
  if (WebPGetFeatures(bytes.data(), bytes.size(), &features) != VP8_STATUS_OK) {
    return DataLoss("truncated or corrupt in the header");
  }
  ImageInfo info = {ImageFormat::kWebp, features.width, features.height, 1};
  if (features.has_animation) {
    const WebPData data = {bytes.data(), bytes.size()};
    const std::unique_ptr<WebPDemuxer, DemuxDelete> demux(WebPDemux(&data));
    if (demux == nullptr) return DataLoss("truncated or corrupt in the chunks");
    info.frames = WebPDemuxGetI(demux.get(), WEBP_FF_FRAME_COUNT);
  }
  return info;
}

std::string ReadChunk(const WebPDemuxer* demux, const char* name) {
  WebPChunkIterator chunk;
  std::string text;
  if (WebPDemuxGetChunk(demux, name, 1, &chunk)) {
    text.assign(reinterpret_cast<const char*>(chunk.chunk.bytes), chunk.chunk.size);
  }
  WebPDemuxReleaseChunkIterator(&chunk);
  return text;
}

Result<Raster> DecodeWebp(Bytes bytes, const DecodeOptions& options, Warnings*) {
  ASSIGN_OR_RETURN(const ImageInfo info, ProbeWebp(bytes));
  RETURN_IF_ERROR(CheckImageSize(info.width, info.height, options.max_pixels));
  RETURN_IF_ERROR(CheckFrame(options.frame, info.frames));
  const WebPData data = {bytes.data(), bytes.size()};
  const std::unique_ptr<WebPAnimDecoder, DecoderDelete> decoder(WebPAnimDecoderNew(&data, nullptr));
  WebPAnimInfo canvas;
  if (decoder == nullptr || !WebPAnimDecoderGetInfo(decoder.get(), &canvas)) {
    return DataLoss("truncated or corrupt");
  }
  Raster raster;
  RETURN_IF_ERROR(raster.Allocate(PixelMode::kRgba, canvas.canvas_width, canvas.canvas_height,
                                  options.max_pixels));
  uint8_t* pixels = nullptr;
  for (int64_t frame = 0; frame <= options.frame; ++frame) {
    int timestamp = 0;
    if (!WebPAnimDecoderGetNext(decoder.get(), &pixels, &timestamp)) {
      return DataLoss("truncated or corrupt in frame " + std::to_string(frame));
    }
  }
  std::memcpy(raster.data.data(), pixels, raster.data.size());
  const WebPDemuxer* demux = WebPAnimDecoderGetDemuxer(decoder.get());
  raster.exif = ReadChunk(demux, "EXIF");
  raster.xmp = ReadChunk(demux, "XMP ");
  return raster;
}

}  // namespace

const FormatReader kWebpReader = {ImageFormat::kWebp, AcceptsWebp, ProbeWebp, DecodeWebp};

}  // namespace galen

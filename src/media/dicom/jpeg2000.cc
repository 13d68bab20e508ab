#include "media/dicom/jpeg2000.h"

#include <openjpeg.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>

#include "media/dicom/isolated.h"

namespace galen::dicom {
namespace {

constexpr int kChildSeconds = 60;  // of processor time for one frame

struct Source {
  std::span<const uint8_t> bytes;
  size_t at = 0;
};

constexpr OPJ_SIZE_T kEnd = static_cast<OPJ_SIZE_T>(-1);

OPJ_SIZE_T Read(void* to, OPJ_SIZE_T wanted, void* data) {
  auto* source = static_cast<Source*>(data);
  const size_t n = std::min<size_t>(wanted, source->bytes.size() - source->at);
  if (n == 0) return kEnd;
  std::memcpy(to, source->bytes.data() + source->at, n);
  source->at += n;
  return n;
}

OPJ_OFF_T Skip(OPJ_OFF_T wanted, void* data) {
  auto* source = static_cast<Source*>(data);
  if (wanted < 0) return -1;
  const size_t n = std::min<size_t>(static_cast<size_t>(wanted), source->bytes.size() - source->at);
  if (n == 0 && wanted != 0) return -1;
  source->at += n;
  return static_cast<OPJ_OFF_T>(n);
}

OPJ_BOOL Seek(OPJ_OFF_T to, void* data) {
  auto* source = static_cast<Source*>(data);
  if (to < 0 || static_cast<size_t>(to) > source->bytes.size()) return OPJ_FALSE;
  source->at = static_cast<size_t>(to);
  return OPJ_TRUE;
}

// Streams and codecs are the same type to the compiler, so that each needs a deleter of its own.
struct DestroyStream {
  void operator()(opj_stream_t* stream) const { opj_stream_destroy(stream); }
};
struct DestroyCodec {
  void operator()(opj_codec_t* codec) const { opj_destroy_codec(codec); }
};
struct DestroyImage {
  void operator()(opj_image_t* image) const { opj_image_destroy(image); }
};

void KeepMessage(const char* message, void* data) {
  auto* text = static_cast<std::string*>(data);
  if (text->empty()) *text = message;
  while (!text->empty() && (text->back() == '\n' || text->back() == ' ')) text->pop_back();
}

void Ignore(const char*, void*) {}

Status CheckShape(const opj_image_t& image, const PixelFormat& format) {
  bool fits = image.numcomps == static_cast<OPJ_UINT32>(format.samples);
  for (OPJ_UINT32 c = 0; fits && c < image.numcomps; ++c) {
    const opj_image_comp_t& component = image.comps[c];
    fits = component.w == format.columns && component.h == format.rows && component.dx == 1 &&
           component.dy == 1 && component.prec == image.comps[0].prec &&
           component.sgnd == image.comps[0].sgnd;
  }
  if (!fits)
    return DataLoss("the JPEG 2000 frame has another size or number of components than the image");
  if (image.comps[0].prec < 1 || image.comps[0].prec > 31)
    return Unsupported("JPEG 2000 frame of more than 31 bits");
  return OkStatus();
}

Result<Jpeg2000Frame> Decode(std::span<const uint8_t> bytes, const PixelFormat& format) {
  if (bytes.size() < 12) return DataLoss("the JPEG 2000 frame is cut off");
  const bool boxed = std::memcmp(bytes.data() + 4, "jP  ", 4) == 0;
  const std::unique_ptr<opj_codec_t, DestroyCodec> codec(
      opj_create_decompress(boxed ? OPJ_CODEC_JP2 : OPJ_CODEC_J2K));
  Source source{bytes};
  const std::unique_ptr<opj_stream_t, DestroyStream> stream(
      opj_stream_create(size_t{1} << 16, OPJ_TRUE));
  if (!codec || !stream) return ResourceExhausted("OpenJPEG cannot start");
  opj_stream_set_user_data(stream.get(), &source, nullptr);
  opj_stream_set_user_data_length(stream.get(), bytes.size());
  opj_stream_set_read_function(stream.get(), Read);
  opj_stream_set_skip_function(stream.get(), Skip);
  opj_stream_set_seek_function(stream.get(), Seek);
  std::string message;
  opj_set_error_handler(codec.get(), KeepMessage, &message);
  opj_set_warning_handler(codec.get(), Ignore, nullptr);
  opj_set_info_handler(codec.get(), Ignore, nullptr);
  opj_dparameters_t parameters;
  opj_set_default_decoder_parameters(&parameters);
  const auto failed = [&] {
    return DataLoss("JPEG 2000 frame: " + (message.empty() ? "cannot be decoded" : message));
  };
  if (!opj_setup_decoder(codec.get(), &parameters)) return failed();
  opj_decoder_set_strict_mode(codec.get(), OPJ_TRUE);
  opj_image_t* raw = nullptr;
  const bool read = opj_read_header(stream.get(), codec.get(), &raw);
  const std::unique_ptr<opj_image_t, DestroyImage> image(raw);
  if (!read) return failed();
  RETURN_IF_ERROR(CheckShape(*image, format));  // before the samples are allocated
  if (!opj_decode(codec.get(), stream.get(), image.get()) ||
      !opj_end_decompress(codec.get(), stream.get()))
    return failed();
  RETURN_IF_ERROR(CheckShape(*image, format));
  Jpeg2000Frame frame;
  frame.precision = static_cast<int>(image->comps[0].prec);
  frame.is_signed = image->comps[0].sgnd != 0;
  frame.values.resize(static_cast<size_t>(format.values()));
  const size_t samples = static_cast<size_t>(format.samples);
  for (size_t c = 0; c < samples; ++c) {
    const OPJ_INT32* from = image->comps[c].data;
    if (from == nullptr) return failed();
    for (size_t p = 0; p < static_cast<size_t>(format.pixels()); ++p)
      frame.values[p * samples + c] = from[p];
  }
  return frame;
}

// What a child leaves in the shared bytes, in front of the values.
struct SampleHeader {
  int32_t precision = 0;
  int32_t is_signed = 0;
};

Result<Jpeg2000Frame> DecodeInChild(std::span<const uint8_t> bytes, const PixelFormat& format) {
  const size_t values = static_cast<size_t>(format.values());
  const auto work = [&](std::span<uint8_t> out) {
    const Result<Jpeg2000Frame> frame = Decode(bytes, format);
    if (!frame.ok()) return false;
    const SampleHeader header = {frame->precision, frame->is_signed};
    std::memcpy(out.data(), &header, sizeof(header));
    std::memcpy(out.data() + sizeof(header), frame->values.data(), values * sizeof(int32_t));
    return true;
  };
  const Result<std::vector<uint8_t>> out =
      RunIsolated(sizeof(SampleHeader) + values * sizeof(int32_t), kChildSeconds, work);
  if (!out.ok()) return out.status().WithContext("HTJ2K frame");
  SampleHeader header;
  std::memcpy(&header, out->data(), sizeof(header));
  Jpeg2000Frame frame;
  frame.precision = header.precision;
  frame.is_signed = header.is_signed != 0;
  frame.values.resize(values);
  std::memcpy(frame.values.data(), out->data() + sizeof(header), values * sizeof(int32_t));
  return frame;
}

}  // namespace

bool MayHaveHighThroughputBlocks(std::span<const uint8_t> bytes) {
  constexpr uint8_t kHighThroughput = 0x40;  // bit 6 of the style of code blocks
  for (size_t i = 0; i + 14 < bytes.size(); ++i) {
    if (bytes[i] != 0xFF || (bytes[i + 1] != 0x52 && bytes[i + 1] != 0x53)) continue;
    const size_t length = static_cast<size_t>(bytes[i + 2]) << 8 | bytes[i + 3];
    const size_t style =
        bytes[i + 1] == 0x52 ? 12 : 9;  // after the marker; a component's index takes one byte
    if (length <= 64 && (bytes[i + style] & kHighThroughput) != 0) return true;
  }
  return false;
}

Result<Jpeg2000Frame> DecodeJpeg2000(std::span<const uint8_t> bytes, const PixelFormat& format) {
  return MayHaveHighThroughputBlocks(bytes) ? DecodeInChild(bytes, format) : Decode(bytes, format);
}

}  // namespace galen::dicom

// GIF by giflib; frames are composed as Pillow's GifImagePlugin composes them.
#include <gif_lib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "media/image/format_readers.h"

namespace galen {
namespace {

enum Disposal { kNone = 0, kBackground = 2, kPrevious = 3 };

using Palette = std::array<uint8_t, 3 * 256>;

struct GifBox {
  int64_t left = 0, top = 0, right = 0, bottom = 0;
};

// One image of the file before it is composed.
struct Frame {
  GifBox box;
  std::vector<uint8_t> indices;
};

class GifFile {
 public:
  explicit GifFile(Bytes bytes) : bytes_(bytes) {
    int error = 0;
    gif_ = DGifOpen(this, Read, &error);
  }
  ~GifFile() {
    if (gif_ != nullptr) DGifCloseFile(gif_, nullptr);
  }
  GifFile(const GifFile&) = delete;
  GifFile& operator=(const GifFile&) = delete;

  bool ok() const { return gif_ != nullptr; }
  GifFileType* operator->() const { return gif_; }
  GifFileType* get() const { return gif_; }

  // Goes to the next image, taking up graphic control blocks on the way; false at the end or where
  // the file breaks off.
  bool NextImage() {
    transparent_.reset();
    GifRecordType type;
    while (DGifGetRecordType(gif_, &type) == GIF_OK) {
      if (type == TERMINATE_RECORD_TYPE) return false;
      if (type == IMAGE_DESC_RECORD_TYPE) return DGifGetImageDesc(gif_) == GIF_OK;
      if (type == EXTENSION_RECORD_TYPE && !ReadExtension()) return false;
    }
    return false;
  }

  bool SkipPixels() {
    int code_size = 0;
    GifByteType* block = nullptr;
    if (DGifGetCode(gif_, &code_size, &block) != GIF_OK) return false;
    while (block != nullptr) {
      if (DGifGetCodeNext(gif_, &block) != GIF_OK) return false;
    }
    return true;
  }

  std::optional<int> transparent() const { return transparent_; }
  // Of the latest block that named one: a block that names none leaves it.
  int disposal() const { return disposal_; }

 private:
  static int Read(GifFileType* gif, GifByteType* out, int count) {
    auto* self = static_cast<GifFile*>(gif->UserData);
    const size_t size =
        std::min(static_cast<size_t>(std::max(count, 0)), self->bytes_.size() - self->at_);
    std::memcpy(out, self->bytes_.data() + self->at_, size);
    self->at_ += size;
    return static_cast<int>(size);
  }

  bool ReadExtension() {
    int code = 0;
    GifByteType* block = nullptr;
    if (DGifGetExtension(gif_, &code, &block) != GIF_OK) return false;
    if (code == GRAPHICS_EXT_FUNC_CODE && block != nullptr && block[0] >= 4) {
      if (block[1] & 1) transparent_ = block[4];
      if (const int disposal = block[1] >> 2 & 7; disposal != 0) disposal_ = disposal;
    }
    while (block != nullptr) {
      if (DGifGetExtensionNext(gif_, &block) != GIF_OK) return false;
    }
    return true;
  }

  Bytes bytes_;
  size_t at_ = 0;
  GifFileType* gif_ = nullptr;
  std::optional<int> transparent_;
  int disposal_ = kNone;
};

// Without a palette an index is its own grey.
Palette ReadPalette(const ColorMapObject* map) {
  Palette palette{};
  for (int i = 0; i < 256; ++i) {
    uint8_t* rgb = palette.data() + 3 * i;
    if (map == nullptr) {
      std::memset(rgb, i, 3);
    } else if (i < map->ColorCount) {
      rgb[0] = map->Colors[i].Red, rgb[1] = map->Colors[i].Green, rgb[2] = map->Colors[i].Blue;
    }
  }
  return palette;
}

// A palette that maps every index to its own grey is none: what lies beyond it is grey as well.
const ColorMapObject* UsedMap(const ColorMapObject* map) {
  for (int i = 0; map != nullptr && i < map->ColorCount; ++i) {
    const GifColorType& color = map->Colors[i];
    if (color.Red != i || color.Green != i || color.Blue != i) return map;
  }
  return nullptr;
}

bool AcceptsGif(Bytes bytes) {
  return bytes.size() >= 6 && (std::memcmp(bytes.data(), "GIF87a", 6) == 0 ||
                               std::memcmp(bytes.data(), "GIF89a", 6) == 0);
}

Result<ImageInfo> ProbeGif(Bytes bytes) {
  GifFile gif(bytes);
  if (!gif.ok()) return DataLoss("truncated or corrupt in the header");
  ImageInfo info = {ImageFormat::kGif, gif->SWidth, gif->SHeight, 0};
  while (gif.NextImage()) {
    if (info.frames++ == 0) {  // a first image beyond the screen enlarges it
      info.width = std::max<int64_t>(info.width, gif->Image.Left + gif->Image.Width);
      info.height = std::max<int64_t>(info.height, gif->Image.Top + gif->Image.Height);
    }
    if (!gif.SkipPixels()) break;
  }
  if (info.frames == 0) return DataLoss("no image in the file");
  return info;
}

// The picture so far, in RGB.
class Canvas {
 public:
  explicit Canvas(int64_t max_pixels) : max_pixels_(max_pixels) {}

  // Enlarges to at least this size; new pixels take the colour.
  Status Grow(int64_t width, int64_t height, const uint8_t* color) {
    width = std::max(width, raster_.width);
    height = std::max(height, raster_.height);
    if (width == raster_.width && height == raster_.height) return OkStatus();
    Raster larger;
    RETURN_IF_ERROR(larger.Allocate(PixelMode::kRgb, width, height, max_pixels_));
    for (int64_t i = 0; i < width * height; ++i) std::memcpy(larger.data.data() + 3 * i, color, 3);
    for (int64_t y = 0; y < raster_.height; ++y) {
      std::memcpy(larger.row(y), raster_.row(y), 3 * raster_.width);
    }
    raster_ = std::move(larger);
    return OkStatus();
  }

  void Fill(const GifBox& box, const uint8_t* color) {
    for (int64_t y = box.top; y < box.bottom; ++y) {
      for (int64_t x = box.left; x < box.right; ++x) std::memcpy(raster_.row(y) + 3 * x, color, 3);
    }
  }
  void Draw(const Frame& frame, const Palette& palette, std::optional<int> transparent) {
    const uint8_t* index = frame.indices.data();
    for (int64_t y = frame.box.top; y < frame.box.bottom; ++y) {
      for (int64_t x = frame.box.left; x < frame.box.right; ++x, ++index) {
        if (transparent && *index == *transparent) continue;
        std::memcpy(raster_.row(y) + 3 * x, palette.data() + 3 * *index, 3);
      }
    }
  }
  std::vector<uint8_t> Copy(const GifBox& box) {
    std::vector<uint8_t> part;
    for (int64_t y = box.top; y < box.bottom; ++y) {
      part.insert(part.end(), raster_.row(y) + 3 * box.left, raster_.row(y) + 3 * box.right);
    }
    return part;
  }
  void Paste(const GifBox& box, const std::vector<uint8_t>& part) {
    const int64_t bytes = 3 * (box.right - box.left);
    for (int64_t y = box.top; y < box.bottom; ++y) {
      std::memcpy(raster_.row(y) + 3 * box.left, part.data() + (y - box.top) * bytes, bytes);
    }
  }

  Raster Take() { return std::move(raster_); }

 private:
  int64_t max_pixels_;
  Raster raster_;
};

Status ReadPixels(GifFile& gif, int64_t max_pixels, Frame* frame) {
  const GifImageDesc& image = gif->Image;
  frame->box = {image.Left, image.Top, int64_t{image.Left} + image.Width,
                int64_t{image.Top} + image.Height};
  RETURN_IF_ERROR(CheckImageSize(image.Width, image.Height, max_pixels));
  frame->indices.assign(static_cast<size_t>(image.Width) * image.Height, 0);
  constexpr std::array<std::array<int, 2>, 4> kPasses = {{{0, 8}, {4, 8}, {2, 4}, {1, 2}}};
  constexpr std::array<std::array<int, 2>, 1> kOnePass = {{{0, 1}}};
  const std::span<const std::array<int, 2>> passes =
      image.Interlace ? std::span<const std::array<int, 2>>(kPasses) : kOnePass;
  for (const auto& [first, step] : passes) {
    for (int64_t y = first; y < image.Height; y += step) {
      if (DGifGetLine(gif.get(), frame->indices.data() + y * image.Width, image.Width) == GIF_OK)
        continue;
      return DataLoss("truncated or corrupt in the pixels");
    }
  }
  return OkStatus();
}

Result<Raster> DecodeGif(Bytes bytes, const DecodeOptions& options, Warnings*) {
  GifFile gif(bytes);
  if (!gif.ok()) return DataLoss("truncated or corrupt in the header");
  Canvas canvas(options.max_pixels);
  Frame frame;
  std::vector<uint8_t> kept;                      // what kPrevious puts back
  std::optional<std::array<uint8_t, 3>> cleared;  // what kBackground fills with
  for (int64_t i = 0; i <= options.frame; ++i) {
    if (!gif.NextImage()) {
      if (i == 0) return DataLoss("no image in the file");
      return CheckFrame(options.frame, i);
    }
    if (cleared) canvas.Fill(frame.box, cleared->data());
    if (!kept.empty()) canvas.Paste(frame.box, kept);
    cleared.reset();
    kept.clear();

    const ColorMapObject* map =
        UsedMap(gif->Image.ColorMap != nullptr ? gif->Image.ColorMap : gif->SColorMap);
    const Palette palette = ReadPalette(map);
    const std::optional<int> transparent = gif.transparent();
    constexpr std::array<uint8_t, 3> kBlack = {0, 0, 0};
    // Outside the first image lies its transparent colour, else the first of the palette.
    const uint8_t* outside = palette.data() + 3 * transparent.value_or(0);
    if (i > 0 && transparent) outside = kBlack.data();
    if (i == 0) RETURN_IF_ERROR(canvas.Grow(gif->SWidth, gif->SHeight, outside));
    RETURN_IF_ERROR(canvas.Grow(gif->Image.Left + gif->Image.Width,
                                gif->Image.Top + gif->Image.Height, outside));
    RETURN_IF_ERROR(ReadPixels(gif, options.max_pixels, &frame));
    if (gif.disposal() == kBackground) {
      int index = transparent.value_or(gif->SColorMap != nullptr ? gif->SBackGroundColor : 0);
      if (i > 0 && map != nullptr && index >= map->ColorCount) index = 0;
      cleared.emplace();
      std::memcpy(cleared->data(), palette.data() + 3 * index, 3);
    } else if (gif.disposal() >= kPrevious && i > 0) {
      kept = canvas.Copy(frame.box);
    } else if (gif.disposal() >= kPrevious && transparent) {
      cleared.emplace();
      std::memcpy(cleared->data(), palette.data() + 3 * *transparent, 3);
    }
    // The first image is not drawn over anything: its transparent pixels have their palette's
    // colour.
    canvas.Draw(frame, palette, i == 0 ? std::nullopt : transparent);
  }
  return canvas.Take();
}

}  // namespace

const FormatReader kGifReader = {ImageFormat::kGif, AcceptsGif, ProbeGif, DecodeGif};

}  // namespace galen

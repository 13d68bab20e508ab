#include "media/image/draw.h"

#include <algorithm>
#include <cstring>

#include "base/status.h"
#include "media/image/font.h"

namespace galen {
namespace {

void Fill(Image* image, const PixelBox& box, Rgb color) {
  const int64_t left = std::max<int64_t>(box.left, 0), right = std::min(box.right, image->width);
  const int64_t bottom = std::min(box.bottom, image->height);
  for (int64_t y = std::max<int64_t>(box.top, 0); y < bottom; ++y) {
    for (int64_t x = left; x < right; ++x) std::memcpy(image->row(y) + 3 * x, color.data(), 3);
  }
}

// One byte a character.
std::string ToAscii(std::string_view utf8) {
  std::string text;
  for (const char c : utf8) {
    const auto byte = static_cast<uint8_t>(c);
    if (byte >= 0x80 && byte < 0xc0) continue;  // continues a character
    text.push_back(byte >= ' ' && byte <= '~' ? c : '?');
  }
  return text;
}

}  // namespace

int64_t DrawingScale(const Image& image) {
  return std::max<int64_t>(1, std::max(image.width, image.height) / 640);
}

void DrawBox(Image* image, const PixelBox& box, Rgb color, int64_t scale) {
  GALEN_CHECK(image->channels == 3 && scale > 0);
  const int64_t width = 2 * scale;
  Fill(image, {box.left, box.top, box.right, std::min(box.top + width, box.bottom)}, color);
  Fill(image, {box.left, std::max(box.bottom - width, box.top), box.right, box.bottom}, color);
  Fill(image, {box.left, box.top, std::min(box.left + width, box.right), box.bottom}, color);
  Fill(image, {std::max(box.right - width, box.left), box.top, box.right, box.bottom}, color);
}

void DrawLabel(Image* image, int64_t left, int64_t top, std::string_view utf8, Rgb text_color,
               Rgb ground, int64_t scale) {
  GALEN_CHECK(image->channels == 3 && scale > 0);
  const std::string text = ToAscii(utf8);
  const int64_t step = (kGlyphWidth + 1) * scale;
  const int64_t width = static_cast<int64_t>(text.size()) * step + scale;
  const int64_t height = (kGlyphHeight + 2) * scale;
  left = std::max<int64_t>(0, std::min(left, image->width - width));
  top = std::max<int64_t>(0, std::min(top, image->height - height));
  Fill(image, {left, top, left + width, top + height}, ground);
  for (size_t i = 0; i < text.size(); ++i) {
    const Glyph& glyph = GlyphOf(text[i]);
    const int64_t x0 = left + scale + static_cast<int64_t>(i) * step;
    for (int64_t y = 0; y < kGlyphHeight; ++y) {
      for (int64_t x = 0; x < kGlyphWidth; ++x) {
        if ((glyph[y] >> (kGlyphWidth - 1 - x) & 1) == 0) continue;
        const int64_t px = x0 + x * scale, py = top + (y + 1) * scale;
        Fill(image, {px, py, px + scale, py + scale}, text_color);
      }
    }
  }
}

void DrawLabelledBox(Image* image, const PixelBox& box, std::string_view label, Rgb color) {
  const int64_t scale = DrawingScale(*image);
  DrawBox(image, box, color, scale);
  if (label.empty()) return;
  // Black on light colours, white on dark ones (luma of BT.601).
  const bool light = 299 * color[0] + 587 * color[1] + 114 * color[2] > 128000;
  const Rgb text = light ? Rgb{0, 0, 0} : Rgb{255, 255, 255};
  DrawLabel(image, box.left, box.top - (kGlyphHeight + 2) * scale, label, text, color, scale);
}

}  // namespace galen

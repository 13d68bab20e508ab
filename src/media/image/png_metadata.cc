#include "media/image/png_metadata.h"

#include <zlib.h>

#include <string_view>

namespace galen {
namespace {

constexpr size_t kMaxText = size_t{4} << 20;  // of one text, inflated; Pillow allows 1 MiB

uint32_t BigEndian32(std::span<const uint8_t> bytes, size_t at) {
  return uint32_t{bytes[at]} << 24 | uint32_t{bytes[at + 1]} << 16 | uint32_t{bytes[at + 2]} << 8 |
         uint32_t{bytes[at + 3]};
}

std::string InflateText(std::string_view packed) {
  std::string text(kMaxText, '\0');
  uLongf size = text.size();
  const auto* in = reinterpret_cast<const Bytef*>(packed.data());
  if (uncompress(reinterpret_cast<Bytef*>(text.data()), &size, in, packed.size()) != Z_OK)
    return "";
  text.resize(size);
  return text;
}

// Cuts up to the next zero byte off text; false if there is none.
bool TakeString(std::string_view* text, std::string_view* head) {
  const size_t end = text->find('\0');
  if (end == text->npos) return false;
  *head = text->substr(0, end);
  text->remove_prefix(end + 1);
  return true;
}

// "\nexif\n    1234\n" and lines of hexadecimal digits (ImageMagick's raw profile).
std::string DecodeRawProfile(std::string_view text) {
  for (int line = 0; line < 3; ++line) {
    const size_t end = text.find('\n');
    if (end == text.npos) return "";
    text.remove_prefix(end + 1);
  }
  std::string bytes;
  int high = -1;
  for (const char c : text) {
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) continue;
    if (high >= 0) bytes.push_back(static_cast<char>(high << 4 | digit));
    high = high >= 0 ? -1 : digit;
  }
  return bytes;
}

void ReadText(std::string_view type, std::string_view data, std::string* profile,
              std::string* xmp) {
  std::string_view key, skipped;
  if (!TakeString(&data, &key)) return;
  const bool is_profile = key == "Raw profile type exif";
  if (!is_profile && key != "XML:com.adobe.xmp") return;
  bool packed = type == "zTXt";
  if (type == "iTXt") {  // compression flag, method, language, translated key
    if (data.size() < 2) return;
    packed = data[0] != 0;
    data.remove_prefix(2);
    if (!TakeString(&data, &skipped) || !TakeString(&data, &skipped)) return;
  } else if (packed) {
    if (data.empty()) return;
    data.remove_prefix(1);
  }
  const std::string text = packed ? InflateText(data) : std::string(data);
  if (is_profile) *profile = DecodeRawProfile(text);
  if (!is_profile) *xmp = text;
}

}  // namespace

void ReadPngMetadata(std::span<const uint8_t> bytes, std::string* exif, std::string* xmp) {
  std::string profile;
  constexpr size_t kAround = 12;  // length, type, checksum
  for (size_t at = 8; at + kAround <= bytes.size();) {
    const size_t length = BigEndian32(bytes, at);
    if (length > bytes.size() - at - kAround) break;
    const std::string_view type(reinterpret_cast<const char*>(bytes.data()) + at + 4, 4);
    const std::string_view data(reinterpret_cast<const char*>(bytes.data()) + at + 8, length);
    if (type == "eXIf") *exif = data;
    if (type == "tEXt" || type == "zTXt" || type == "iTXt") ReadText(type, data, &profile, xmp);
    if (type == "IEND") break;
    at += kAround + length;
  }
  if (exif->empty()) *exif = profile;
}

}  // namespace galen

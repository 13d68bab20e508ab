#include "media/document/pnm.h"

#include <charconv>
#include <string>

namespace galen {
namespace {

bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// Takes a number and the one whitespace character after it.
bool TakeNumber(std::string_view* s, int64_t* value) {
  while (!s->empty() && IsSpace(s->front())) s->remove_prefix(1);
  const auto [end, error] = std::from_chars(s->data(), s->data() + s->size(), *value);
  if (error != std::errc() || end == s->data() + s->size() || !IsSpace(*end)) return false;
  s->remove_prefix(static_cast<size_t>(end - s->data()) + 1);
  return true;
}

}  // namespace

Result<Image> ReadPnm(std::string_view bytes, int64_t max_side) {
  Image image;
  int64_t most = 0;
  if (bytes.size() < 2 || bytes[0] != 'P' || (bytes[1] != '5' && bytes[1] != '6')) {
    return DataLoss("no binary PGM or PPM image");
  }
  image.channels = bytes[1] == '6' ? 3 : 1;
  bytes.remove_prefix(2);
  if (!TakeNumber(&bytes, &image.width) || !TakeNumber(&bytes, &image.height) ||
      !TakeNumber(&bytes, &most) || most != 255) {
    return DataLoss("a PGM or PPM header that is damaged or not of 8 bits");
  }
  if (image.width < 1 || image.height < 1 || image.width > max_side || image.height > max_side) {
    return ResourceExhausted("an image of " + std::to_string(image.width) + "x" +
                             std::to_string(image.height) + " pixels; the limit of a side is " +
                             std::to_string(max_side));
  }
  const size_t size = static_cast<size_t>(image.width * image.height * image.channels);
  if (bytes.size() < size) return DataLoss("a PGM or PPM image that is cut off");
  image.pixels.assign(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(size));
  return image;
}

}  // namespace galen

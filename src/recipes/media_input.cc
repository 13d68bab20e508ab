#include "recipes/media_input.h"

#include <algorithm>
#include <cstdio>

#include "base/siphash.h"

namespace galen {
namespace {

void Append(std::vector<uint8_t>* out, std::string_view text) {
  const uint64_t size = text.size();
  const auto* bytes = reinterpret_cast<const uint8_t*>(&size);
  out->insert(out->end(), bytes, bytes + sizeof(size));
  out->insert(out->end(), text.begin(), text.end());
}

std::string Hex(const Digest128& digest) {
  char text[33];
  std::snprintf(text, sizeof(text), "%016llx%016llx", static_cast<unsigned long long>(digest.high),
                static_cast<unsigned long long>(digest.low));
  return text;
}

}  // namespace

Box PixelMap::ToSource(const Box& seen) const {
  const auto cut = [](double v, int64_t most) {
    return std::clamp(v, 0.0, static_cast<double>(most));
  };
  return {cut(seen.x0 * scale_x + offset_x, source_width),
          cut(seen.y0 * scale_y + offset_y, source_height),
          cut(seen.x1 * scale_x + offset_x, source_width),
          cut(seen.y1 * scale_y + offset_y, source_height)};
}

void FinishDigest(MediaInput* input) {
  std::vector<uint8_t> all;
  Append(&all, input->recipe);
  Append(&all, input->recipe_version);
  Append(&all, input->system);
  all.push_back(input->pan_and_scan);
  for (const PromptPart& part : input->parts) {
    all.push_back(part.kind == PromptPart::kImage);
    Append(&all, part.text);
  }
  for (const SeenImage& seen : input->images) {
    const Image& image = seen.image;
    Append(&all, std::to_string(image.width) + "x" + std::to_string(image.height) + "x" +
                     std::to_string(image.channels));
    Append(&all, Hex(SipHash128({}, image.pixels)));
  }
  input->digest = Hex(SipHash128({}, all));
}

std::string PromptForPeople(const MediaInput& input) {
  std::string text;
  for (const PromptPart& part : input.parts) {
    if (!text.empty() && text.back() != '\n') text += '\n';
    text += part.kind == PromptPart::kImage ? "[image " + std::to_string(part.image + 1) + "]"
                                            : part.text;
  }
  return text;
}

}  // namespace galen

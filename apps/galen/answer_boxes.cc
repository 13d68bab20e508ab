#include "answer_boxes.h"

#include <cmath>

#include "media/image/draw.h"
#include "media/image/png_writer.h"
#include "recipes/boxes.h"

namespace galen::cli {
namespace {

constexpr Rgb kColors[] = {{230, 60, 50}, {40, 160, 80}, {50, 110, 230}, {240, 160, 20}, {160, 70, 200}};

PixelBox Rounded(const Box& box) {
  return {std::llround(box.x0), std::llround(box.y0), std::llround(box.x1), std::llround(box.y1)};
}

// Whether the image holds the whole source at its own scale, perhaps with a frame.
bool HoldsSource(const SeenImage& seen) {
  const PixelMap& map = seen.to_source;
  return map.scale_x == 1 && map.scale_y == 1 && map.source_width <= seen.image.width &&
         map.source_height <= seen.image.height;
}

Image Draw(const SeenImage& seen, const std::vector<LabelledBox>& boxes) {
  const PixelMap& map = seen.to_source;
  const bool source = HoldsSource(seen);
  Image image = source ? Crop(seen.image, std::llround(-map.offset_x), std::llround(-map.offset_y),
                              map.source_width, map.source_height)
                       : seen.image;
  for (size_t i = 0; i < boxes.size(); ++i) {
    const Box& n = boxes[i].normalised;
    const double width = static_cast<double>(image.width) / kBoxScale;
    const double height = static_cast<double>(image.height) / kBoxScale;
    const Box box = source ? boxes[i].source
                           : Box{n.x0 * width, n.y0 * height, n.x1 * width, n.y1 * height};
    DrawLabelledBox(&image, Rounded(box), boxes[i].label, kColors[i % std::size(kColors)]);
  }
  return image;
}

}  // namespace

Result<Json> DrawAnswerBoxes(const std::string& answer, const MediaInput& input,
                             const std::string& png) {
  if (input.images.size() != 1) {
    return InvalidArgument("--box wants one image, since boxes do not say of which image they are; " +
                           std::to_string(input.images.size()) + " were given");
  }
  const SeenImage& seen = input.images[0];
  Json report = {{"source", seen.source},
                 {"width", seen.to_source.source_width},
                 {"height", seen.to_source.source_height},
                 {"png", Json()},
                 {"boxes", Json::array()},
                 {"warnings", Json::array()}};
  Result<BoxAnswer> found = ParseBoxes(answer);
  if (!found.ok()) {
    report["warnings"].push_back(found.status().message());
    return report;
  }
  MapBoxes(seen, &found->boxes);
  for (const LabelledBox& box : found->boxes) {
    const Box& s = box.source;
    report["boxes"].push_back({{"label", box.label}, {"box", {s.x0, s.y0, s.x1, s.y1}}});
  }
  report["warnings"] = found->warnings;
  RETURN_IF_ERROR(WritePng(png, Draw(seen, found->boxes)));
  report["png"] = png;
  return report;
}

}  // namespace galen::cli

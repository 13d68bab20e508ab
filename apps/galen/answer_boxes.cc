#include "answer_boxes.h"

#include "media/image/png_writer.h"
#include "recipes/boxes.h"

namespace galen::cli {

Result<Json> DrawAnswerBoxes(const std::string& answer, const MediaInput& input,
                             const std::string& png) {
  if (input.images.size() != 1) {
    return InvalidArgument(
        "--box wants one image, since boxes do not say of which image they are; " +
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
  RETURN_IF_ERROR(WritePng(png, DrawBoxes(seen, found->boxes)));
  report["png"] = png;
  return report;
}

}  // namespace galen::cli

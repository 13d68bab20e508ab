#include "answer_boxes.h"

#include "media/image/png_writer.h"
#include "recipes/boxes.h"
#include "recipes/report.h"

namespace galen::cli {

Result<Json> DrawAnswerBoxes(const std::string& answer, const MediaInput& input,
                             const std::string& png) {
  if (input.images.size() != 1) {
    return InvalidArgument(
        "--box wants one image, since boxes do not say of which image they are; " +
        std::to_string(input.images.size()) + " were given");
  }
  const SeenImage& seen = input.images[0];
  std::vector<LabelledBox> boxes;
  Json report = BoxReport(answer, seen, &boxes);
  report["png"] = Json();
  if (!ParseBoxes(answer).ok()) return report;
  RETURN_IF_ERROR(WritePng(png, DrawBoxes(seen, boxes)));
  report["png"] = png;
  return report;
}

}  // namespace galen::cli

#include "recipes/boxes.h"

#include <cmath>
#include <optional>

#include "base/json.h"
#include "media/image/draw.h"

namespace galen {
namespace {

constexpr size_t kMostBoxes = 1000;

// The text between the last ```json and the fence after it, or a list behind "Final Answer:".
std::string_view FindList(std::string_view answer) {
  static constexpr std::string_view kFence = "```json", kEnd = "```", kFinal = "Final Answer:";
  if (size_t at = answer.rfind(kFence); at != answer.npos) {
    answer.remove_prefix(at + kFence.size());
    return answer.substr(0, answer.find(kEnd));
  }
  const size_t at = answer.rfind(kFinal);
  if (at == answer.npos) return {};
  answer.remove_prefix(at + kFinal.size());
  const size_t open = answer.find('['), close = answer.rfind(']');
  if (open == answer.npos || close == answer.npos || close < open) return {};
  return answer.substr(open, close - open + 1);
}

std::optional<LabelledBox> ReadBox(const Json& item) {
  if (!item.is_object()) return std::nullopt;
  const auto box = item.find("box_2d"), label = item.find("label");
  if (box == item.end() || !box->is_array() || box->size() != 4) return std::nullopt;
  double values[4];
  for (size_t i = 0; i < 4; ++i) {
    if (!(*box)[i].is_number()) return std::nullopt;
    values[i] = (*box)[i].get<double>();
    if (!(values[i] >= 0 && values[i] <= kBoxScale)) return std::nullopt;
  }
  LabelledBox result;
  if (label != item.end() && label->is_string()) result.label = label->get<std::string>();
  result.normalised = {values[1], values[0], values[3], values[2]};
  if (!(values[0] < values[2] && values[1] < values[3])) return std::nullopt;
  return result;
}

constexpr Rgb kColors[] = {
    {230, 60, 50}, {40, 160, 80}, {50, 110, 230}, {240, 160, 20}, {160, 70, 200}};

PixelBox Rounded(const Box& box) {
  return {std::llround(box.x0), std::llround(box.y0), std::llround(box.x1), std::llround(box.y1)};
}

// Whether the image holds the whole source at its own scale, perhaps with a frame.
bool HoldsSource(const SeenImage& seen) {
  const PixelMap& map = seen.to_source;
  return map.scale_x == 1 && map.scale_y == 1 && map.source_width <= seen.image.width &&
         map.source_height <= seen.image.height;
}

}  // namespace

Result<BoxAnswer> ParseBoxes(std::string_view answer) {
  const std::string_view list = FindList(answer);
  if (list.find_first_not_of(" \n\r\t") == list.npos) {
    return NotFound("the answer has no list of boxes");
  }
  ASSIGN_OR_RETURN(const Json json, ParseJson(list, 16));
  BoxAnswer result;
  const Json items = json.is_array() ? json : Json::array({json});
  for (size_t i = 0; i < items.size(); ++i) {
    const std::optional<LabelledBox> box = ReadBox(items[i]);
    if (!box || result.boxes.size() >= kMostBoxes) {
      result.warnings.push_back("entry " + std::to_string(i + 1) +
                                " of the answer is no box [y0, x0, y1, x1] within 0 and 1000");
      continue;
    }
    result.boxes.push_back(*box);
  }
  return result;
}

void MapBoxes(const SeenImage& seen, std::vector<LabelledBox>* boxes) {
  const double width = static_cast<double>(seen.image.width) / kBoxScale;
  const double height = static_cast<double>(seen.image.height) / kBoxScale;
  for (LabelledBox& box : *boxes) {
    const Box& n = box.normalised;
    box.source =
        seen.to_source.ToSource({n.x0 * width, n.y0 * height, n.x1 * width, n.y1 * height});
  }
}

Image DrawBoxes(const SeenImage& seen, std::span<const LabelledBox> boxes) {
  const PixelMap& map = seen.to_source;
  const bool source = HoldsSource(seen);
  Image image = source ? Crop(seen.image, std::llround(-map.offset_x), std::llround(-map.offset_y),
                              map.source_width, map.source_height)
                       : seen.image;
  for (size_t i = 0; i < boxes.size(); ++i) {
    const Box& n = boxes[i].normalised;
    const double width = static_cast<double>(image.width) / kBoxScale;
    const double height = static_cast<double>(image.height) / kBoxScale;
    const Box box =
        source ? boxes[i].source : Box{n.x0 * width, n.y0 * height, n.x1 * width, n.y1 * height};
    if (!(box.x0 < box.x1 && box.y0 < box.y1)) continue;  // wholly in padding
    DrawLabelledBox(&image, Rounded(box), boxes[i].label, kColors[i % std::size(kColors)]);
  }
  return image;
}

}  // namespace galen

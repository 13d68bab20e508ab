// Boxes in a model's answer, and where they lie on the source.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "recipes/media_input.h"

namespace galen {

inline constexpr double kBoxScale = 1000;  // width and height of what the model saw

struct LabelledBox {
  std::string label;
  Box normalised;  // 0 to 1000 of what the model saw
  Box source;      // pixels of the source, set by MapBoxes
};

struct BoxAnswer {
  std::vector<LabelledBox> boxes;
  std::vector<std::string> warnings;  // entries that were left out, and why
};

// Reads the last ```json block of the answer, or what follows "Final Answer:", as a list of
// {"box_2d": [y0, x0, y1, x1], "label": text}. Entries that are no boxes, reach outside of 0 to
// 1000 or have no area are left out with a warning. kNotFound: no list in the answer; kDataLoss: a
// list that is no JSON.
Result<BoxAnswer> ParseBoxes(std::string_view answer);

// Sets `source` of each box: through the size of the seen image, without its padding.
void MapBoxes(const SeenImage& seen, std::vector<LabelledBox>* boxes);

// The source with boxes (of MapBoxes) and labels, without padding; where the source is no single
// picture (a patch of a slide), what the model saw, with the boxes on it.
Image DrawBoxes(const SeenImage& seen, std::span<const LabelledBox> boxes);

}  // namespace galen

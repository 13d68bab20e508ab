// Recipes, and boxes in a model's answer.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "recipes/boxes.h"
#include "recipes/recipe.h"

using namespace galen;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto recipe = ParseRecipe(text); recipe.ok()) {
    GALEN_CHECK(!recipe->name.empty() && !recipe->layout.empty() && recipe->max_images >= 1);
  }
  auto answer = ParseBoxes(text);
  if (!answer.ok()) return 0;
  SeenImage seen;
  seen.image.width = 300;
  seen.image.height = 200;
  seen.to_source = {2, 2, -50, 7, 500, 400};
  MapBoxes(seen, &answer->boxes);
  for (const LabelledBox& box : answer->boxes) {
    GALEN_CHECK(box.source.x0 >= 0 && box.source.x0 <= box.source.x1 && box.source.x1 <= 500);
    GALEN_CHECK(box.source.y0 >= 0 && box.source.y0 <= box.source.y1 && box.source.y1 <= 400);
  }
  return 0;
}

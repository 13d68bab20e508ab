// Named inputs as data: how files become images and words for a model. The files of configs/recipes
// are built in; others can be read. docs/media.md ("Recipes") explains each key.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace galen {

struct Recipe {
  enum class Input { kPhoto, kSeries, kSlide, kPage };
  enum class Piece { kInstruction, kImages, kQuestion };

  std::string name, version;
  std::string title, source, note;
  bool official = false;  // published for the model that it is meant for
  Input input = Input::kPhoto;
  std::vector<std::string> modalities;  // DICOM modalities that this recipe is the default of
  int64_t min_files = 1, max_files = 64;

  std::string system;
  std::vector<Piece> layout;
  std::string instruction;
  std::string label;              // after each image; "{k}" counts from 1
  std::string question_template;  // "{question}" is replaced; empty: the question alone
  std::string default_question;   // empty: a question is needed

  int64_t max_images = 64;
  bool pad_square = false;    // black, centred
  bool pan_and_scan = false;  // asked of the model's image processor

  // Series: either three windows [low, high] for red, green and blue, or one from two percentiles
  // for all.
  std::vector<std::array<double, 2>> windows;
  std::optional<std::array<double, 2>> percentiles;
  std::string unit;  // that the windows are meant for, such as HU

  double dpi = 200;               // pages
  double um_per_pixel = 1;        // slides
  int64_t patch = 896;            // slides
  int64_t max_new_tokens = 2000;  // that an answer usually needs

  // Provenance: "ct 1".
  std::string Id() const { return name + " " + version; }
};

// Fails on unknown keys, wrong types, values out of range, and combinations that make no sense.
Result<Recipe> ParseRecipe(std::string_view json);
// The JSON of each built-in recipe.
const std::vector<std::string_view>& BuiltinRecipeTexts();
// Sorted by name.
const std::vector<Recipe>& BuiltinRecipes();
// A built-in recipe by name, or a file whose name ends in .json.
Result<Recipe> FindRecipe(const std::string& name_or_path);

}  // namespace galen

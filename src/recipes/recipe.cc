#include "recipes/recipe.h"

#include <algorithm>
#include <cmath>

#include "base/files.h"
#include "base/json.h"

namespace galen {
namespace {

constexpr int64_t kMostImages = 1000;

// Takes keys out of an object one by one, so that what is left at the end is unknown. The first
// error stays.
class Fields {
 public:
  explicit Fields(Json object) : object_(std::move(object)) {}

  void Text(const char* key, std::string* value) {
    if (const Json* j = Find(key, &Json::is_string)) *value = j->get<std::string>();
    Done(key);
  }
  void Bool(const char* key, bool* value) {
    if (const Json* j = Find(key, &Json::is_boolean)) *value = j->get<bool>();
    Done(key);
  }
  void Integer(const char* key, int64_t low, int64_t high, int64_t* value) {
    if (const Json* j = Find(key, &Json::is_number_integer)) {
      *value = j->get<int64_t>();
      if (*value < low || *value > high) Fail(key, "is out of range");
    }
    Done(key);
  }
  void Number(const char* key, double low, double high, double* value) {
    if (const Json* j = Find(key, &Json::is_number)) {
      *value = j->get<double>();
      if (!(*value >= low && *value <= high)) Fail(key, "is out of range");
    }
    Done(key);
  }
  void Texts(const char* key, std::vector<std::string>* values) {
    if (const Json* j = Find(key, &Json::is_array)) {
      for (const Json& item : *j) {
        if (!item.is_string()) return Fail(key, "is no list of strings");
        values->push_back(item.get<std::string>());
      }
    }
    Done(key);
  }
  // [low, high], finite and in ascending order.
  bool Range(const char* key, const Json& j, std::array<double, 2>* range) {
    if (j.is_array() && j.size() == 2 && j[0].is_number() && j[1].is_number()) {
      *range = {j[0].get<double>(), j[1].get<double>()};
      if (std::isfinite((*range)[0]) && std::isfinite((*range)[1]) && (*range)[0] < (*range)[1])
        return true;
    }
    Fail(key, "is no range of two ascending numbers");
    return false;
  }
  const Json* Find(const char* key, bool (Json::*is)() const noexcept) {
    const auto it = object_.find(key);
    if (it == object_.end()) return nullptr;
    if (!((*it).*is)()) {
      Fail(key, "has the wrong type");
      return nullptr;
    }
    return &*it;
  }
  void Done(const char* key) { object_.erase(key); }
  void Fail(const std::string& key, const std::string& what) {
    if (status_.ok()) status_ = InvalidArgument("recipe: '" + key + "' " + what);
  }
  Status Finish() {
    if (status_.ok() && !object_.empty()) Fail(object_.begin().key(), "is not known");
    return status_;
  }

 private:
  Json object_;
  Status status_;
};

void ReadLayout(Fields* fields, Recipe* recipe) {
  std::vector<std::string> names;
  fields->Texts("layout", &names);
  for (const std::string& name : names) {
    if (name == "instruction")
      recipe->layout.push_back(Recipe::Piece::kInstruction);
    else if (name == "images")
      recipe->layout.push_back(Recipe::Piece::kImages);
    else if (name == "question")
      recipe->layout.push_back(Recipe::Piece::kQuestion);
    else
      fields->Fail("layout", "knows instruction, images and question only");
  }
  for (const Recipe::Piece piece : {Recipe::Piece::kImages, Recipe::Piece::kQuestion}) {
    if (std::count(recipe->layout.begin(), recipe->layout.end(), piece) == 1) continue;
    fields->Fail("layout", "must have images and question once each");
  }
}

void ReadInput(Fields* fields, Recipe* recipe) {
  std::string name;
  fields->Text("input", &name);
  if (name == "photo")
    recipe->input = Recipe::Input::kPhoto;
  else if (name == "series")
    recipe->input = Recipe::Input::kSeries;
  else if (name == "slide")
    recipe->input = Recipe::Input::kSlide;
  else if (name == "page")
    recipe->input = Recipe::Input::kPage;
  else
    fields->Fail("input", "must be photo, series, slide or page");
}

void ReadValues(Fields* fields, Recipe* recipe) {
  std::array<double, 2> range{};
  if (const Json* j = fields->Find("windows", &Json::is_array)) {
    for (const Json& item : *j) {
      if (fields->Range("windows", item, &range)) recipe->windows.push_back(range);
    }
    if (recipe->windows.size() != 1 && recipe->windows.size() != 3) {
      fields->Fail("windows", "must be one or three");
    }
  }
  fields->Done("windows");
  if (const Json* j = fields->Find("percentiles", &Json::is_array)) {
    if (fields->Range("percentiles", *j, &range)) {
      recipe->percentiles = range;
      if (range[0] < 0 || range[1] > 100) fields->Fail("percentiles", "must lie within 0 and 100");
    }
  }
  fields->Done("percentiles");
  const bool series = recipe->input == Recipe::Input::kSeries;
  if (series != (!recipe->windows.empty() || recipe->percentiles.has_value()) ||
      (!recipe->windows.empty() && recipe->percentiles)) {
    fields->Fail("windows", "or percentiles, one of them, belong to a series");
  }
}

}  // namespace

Result<Recipe> ParseRecipe(std::string_view json) {
  ASSIGN_OR_RETURN(Json object, ParseJson(json, 8));
  if (!object.is_object()) return InvalidArgument("a recipe is a JSON object");
  Fields fields(std::move(object));
  Recipe recipe;
  fields.Text("name", &recipe.name);
  fields.Text("version", &recipe.version);
  fields.Text("title", &recipe.title);
  fields.Text("source", &recipe.source);
  fields.Text("note", &recipe.note);
  fields.Bool("official", &recipe.official);
  ReadInput(&fields, &recipe);
  fields.Texts("modalities", &recipe.modalities);
  fields.Integer("min_files", 1, kMostImages, &recipe.min_files);
  fields.Integer("max_files", recipe.min_files, kMostImages, &recipe.max_files);
  fields.Text("system", &recipe.system);
  ReadLayout(&fields, &recipe);
  fields.Text("instruction", &recipe.instruction);
  fields.Text("label", &recipe.label);
  fields.Text("question_template", &recipe.question_template);
  fields.Text("default_question", &recipe.default_question);
  fields.Integer("max_images", 1, kMostImages, &recipe.max_images);
  fields.Bool("pad_square", &recipe.pad_square);
  fields.Bool("pan_and_scan", &recipe.pan_and_scan);
  ReadValues(&fields, &recipe);
  fields.Text("unit", &recipe.unit);
  fields.Number("dpi", 1, 2400, &recipe.dpi);
  fields.Number("um_per_pixel", 0.01, 1000, &recipe.um_per_pixel);
  fields.Integer("patch", 16, 8192, &recipe.patch);
  fields.Integer("max_new_tokens", 1, 131072, &recipe.max_new_tokens);
  if (recipe.name.empty() || recipe.version.empty() || recipe.source.empty()) {
    fields.Fail("name", ", version and source must be given");
  }
  if (!recipe.question_template.empty() &&
      recipe.question_template.find("{question}") == std::string::npos) {
    fields.Fail("question_template", "has no {question}");
  }
  RETURN_IF_ERROR(fields.Finish());
  return recipe;
}

const std::vector<Recipe>& BuiltinRecipes() {
  static const std::vector<Recipe> recipes = [] {
    std::vector<Recipe> list;
    for (const std::string_view text : BuiltinRecipeTexts()) {
      Result<Recipe> recipe = ParseRecipe(text);
      GALEN_CHECK(recipe.ok());
      list.push_back(*std::move(recipe));
    }
    std::sort(list.begin(), list.end(),
              [](const Recipe& a, const Recipe& b) { return a.name < b.name; });
    return list;
  }();
  return recipes;
}

Result<Recipe> FindRecipe(const std::string& name_or_path) {
  std::string names;
  for (const Recipe& recipe : BuiltinRecipes()) {
    if (recipe.name == name_or_path) return recipe;
    names += (names.empty() ? "" : ", ") + recipe.name;
  }
  if (name_or_path.size() > 5 && name_or_path.substr(name_or_path.size() - 5) == ".json") {
    ASSIGN_OR_RETURN(const std::string text, ReadFile(name_or_path, size_t{1} << 20));
    Result<Recipe> recipe = ParseRecipe(text);
    if (!recipe.ok()) return recipe.status().WithContext(name_or_path);
    // Whoever wrote the file, it is not what a model was published with.
    recipe->official = false;
    recipe->source += " (" + name_or_path + ")";
    return recipe;
  }
  return NotFound("there is no recipe '" + name_or_path + "'; there are " + names +
                  ", and files ending in .json");
}

}  // namespace galen

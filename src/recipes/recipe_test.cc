#include "recipes/recipe.h"

#include <gtest/gtest.h>

#include "base/json.h"

namespace galen {
namespace {

TEST(Recipe, BuiltinsAreWhole) {
  std::vector<std::string> names;
  for (const Recipe& recipe : BuiltinRecipes()) {
    names.push_back(recipe.name);
    EXPECT_FALSE(recipe.title.empty()) << recipe.name;
    EXPECT_FALSE(recipe.source.empty()) << recipe.name;
    EXPECT_EQ(FindRecipe(recipe.name)->Id(), recipe.Id());
  }
  EXPECT_EQ(names, (std::vector<std::string>{"ct", "image", "localise", "mr", "page",
                                             "pan-and-scan", "slide", "xray", "xray-pair"}));
}

TEST(Recipe, CtIsGooglesNotebook) {
  const auto ct = FindRecipe("ct");
  ASSERT_TRUE(ct.ok());
  EXPECT_TRUE(ct->official);
  EXPECT_EQ(ct->windows, (std::vector<std::array<double, 2>>{{-1024, 1024}, {-135, 215}, {0, 80}}));
  EXPECT_EQ(ct->max_images, 85);
  EXPECT_EQ(ct->label, "SLICE {k}");
  EXPECT_FALSE(FindRecipe("mr")->official);
  EXPECT_EQ(FindRecipe("slide")->max_images, 125);
}

Result<Recipe> With(const std::string& key, const Json& value) {
  Json json = {{"name", "n"},
               {"version", "1"},
               {"source", "s"},
               {"input", "photo"},
               {"layout", {"images", "question"}}};
  json[key] = value;
  return ParseRecipe(json.dump());
}

TEST(Recipe, WrongOnesAreRefused) {
  ASSERT_TRUE(With("title", "t").ok());
  EXPECT_FALSE(With("titel", "t").ok());
  EXPECT_FALSE(With("title", 3).ok());
  EXPECT_FALSE(With("name", "").ok());
  EXPECT_FALSE(With("input", "film").ok());
  EXPECT_FALSE(With("layout", {"question"}).ok());
  EXPECT_FALSE(With("layout", {"images", "images"}).ok());
  EXPECT_FALSE(With("layout", {"images"}).ok());  // a question would vanish
  EXPECT_FALSE(With("layout", {"images", "salt"}).ok());
  EXPECT_FALSE(With("max_images", 0).ok());
  EXPECT_FALSE(With("max_images", 1e9).ok());
  EXPECT_FALSE(With("max_images", 1.5).ok());
  EXPECT_FALSE(With("windows", {{0, 80}}).ok());  // not a series
  EXPECT_FALSE(With("dpi", -1).ok());
  EXPECT_FALSE(With("question_template", "no place for it").ok());
  EXPECT_FALSE(ParseRecipe("[]").ok());
  EXPECT_FALSE(ParseRecipe("{").ok());
  Json series = {{"name", "n"},
                 {"version", "1"},
                 {"source", "s"},
                 {"input", "series"},
                 {"layout", {"images", "question"}}};
  EXPECT_FALSE(ParseRecipe(series.dump()).ok());
  series["windows"] = {{0, 80}};
  EXPECT_TRUE(ParseRecipe(series.dump()).ok());
  series["percentiles"] = {1, 99};
  EXPECT_FALSE(ParseRecipe(series.dump()).ok());
  for (const Json& windows : {Json{{80, 0}}, Json{{0, 1}, {0, 1}}, Json{{0}}, Json{{0, "x"}}}) {
    series.erase("percentiles");
    series["windows"] = windows;
    EXPECT_FALSE(ParseRecipe(series.dump()).ok()) << windows.dump();
  }
}

TEST(Recipe, UnknownNameListsTheKnown) {
  const Status status = FindRecipe("xrai").status();
  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  EXPECT_NE(status.message().find("xray-pair"), std::string::npos);
  EXPECT_FALSE(FindRecipe("/nowhere/x.json").ok());
}

}  // namespace
}  // namespace galen

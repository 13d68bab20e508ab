// galen look: what the model will see.
#include <filesystem>
#include <iostream>

#include "base/files.h"
#include "base/json.h"
#include "commands.h"
#include "gallery.h"
#include "media/image/png_writer.h"
#include "media_options.h"

namespace galen::cli {
namespace {

struct LookOptions : MediaCliOptions {
  std::string out;
  bool gallery = false;
  bool json = false;
  bool list = false;
};

struct Written {
  std::vector<std::string> images, overviews;  // names inside of the folder
};

std::string Numbered(const char* name, size_t i) {
  char text[64];
  std::snprintf(text, sizeof(text), "%s-%03zu.png", name, i + 1);
  return text;
}

Status WriteImages(const std::vector<SeenImage>& images, const char* name,
                   const std::string& folder, std::vector<std::string>* names) {
  for (size_t i = 0; i < images.size(); ++i) {
    names->push_back(Numbered(name, i));
    RETURN_IF_ERROR(WritePng(folder + "/" + names->back(), images[i].image));
  }
  return OkStatus();
}

Json ToJson(const MediaInput& input, const Written& written) {
  Json images = Json::array();
  for (size_t i = 0; i < input.images.size(); ++i) {
    const SeenImage& seen = input.images[i];
    const PixelMap& map = seen.to_source;
    images.push_back({{"source", seen.source},
                      {"png", i < written.images.size() ? Json(written.images[i]) : Json()},
                      {"width", seen.image.width},
                      {"height", seen.image.height},
                      {"recipe", seen.recipe},
                      {"to_source",
                       {{"scale", {map.scale_x, map.scale_y}},
                        {"offset", {map.offset_x, map.offset_y}},
                        {"width", map.source_width},
                        {"height", map.source_height}}}});
  }
  Json facts = Json::array();
  for (const auto& [name, value] : input.facts) facts.push_back({{"name", name}, {"value", value}});
  return {{"recipe",
           {{"name", input.recipe},
            {"version", input.recipe_version},
            {"source", input.recipe_source},
            {"official", input.official}}},
          {"images", images},
          {"system", input.system},
          {"prompt", PromptForPeople(input)},
          {"pan_and_scan", input.pan_and_scan},
          {"facts", facts},
          {"warnings", input.warnings},
          {"digest", input.digest}};
}

// File names may be in any encoding.
std::string Dump(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

Status WriteFolder(const MediaInput& input, const LookOptions& o, Written* written) {
  std::error_code error;
  std::filesystem::create_directories(o.out, error);
  if (error) return IoError("cannot make the folder " + o.out + ": " + error.message());
  RETURN_IF_ERROR(WriteImages(input.images, "image", o.out, &written->images));
  RETURN_IF_ERROR(WriteImages(input.overviews, "overview", o.out, &written->overviews));
  RETURN_IF_ERROR(WriteFileAtomically(o.out + "/prompt.txt", PromptForPeople(input) + "\n"));
  if (o.gallery) {
    RETURN_IF_ERROR(WriteFileAtomically(o.out + "/index.html",
                                        GalleryPage(input, written->images, written->overviews)));
  }
  return WriteFileAtomically(o.out + "/look.json", Dump(ToJson(input, *written), 2) + "\n");
}

void Print(const MediaInput& input, const LookOptions& o, const Written& written) {
  std::cout << "recipe      " << input.recipe << " " << input.recipe_version
            << (input.official ? " (official): " : ": ") << input.recipe_source << "\n";
  for (const auto& [name, value] : input.facts) {
    std::cout << name << std::string(name.size() < 12 ? 12 - name.size() : 1, ' ') << value << "\n";
  }
  std::cout << "digest      " << input.digest << "\n\n";
  if (!input.system.empty()) std::cout << "system: " << input.system << "\n\n";
  std::cout << PromptForPeople(input) << "\n\n";
  for (size_t i = 0; i < input.images.size(); ++i) {
    const SeenImage& seen = input.images[i];
    std::cout << "image " << i + 1 << "  " << seen.image.width << "x" << seen.image.height << "  "
              << seen.source;
    if (i < written.images.size()) std::cout << "  -> " << o.out << "/" << written.images[i];
    std::cout << "\n";
  }
  for (const std::string& warning : input.warnings) std::cout << "warning: " << warning << "\n";
  if (o.gallery) std::cout << "\nopen " << o.out << "/index.html\n";
}

void ListRecipes() {
  for (const Recipe& recipe : BuiltinRecipes()) {
    std::cout << recipe.Id() << (recipe.official ? " (official)" : "") << "\n    " << recipe.title
              << "\n    " << recipe.source << "\n";
    if (!recipe.note.empty()) std::cout << "    " << recipe.note << "\n";
  }
}

Status Look(const LookOptions& o) {
  if (o.list) {
    ListRecipes();
    return OkStatus();
  }
  if (!o.any())
    return InvalidArgument("name a file to look at, or use --recipes for the list of recipes");
  if (o.gallery && o.out.empty()) return InvalidArgument("--gallery needs --out DIR");
  ASSIGN_OR_RETURN(const MediaInput input, BuildInput(o));
  Written written;
  if (!o.out.empty()) RETURN_IF_ERROR(WriteFolder(input, o, &written));
  if (o.json) {
    std::cout << Dump(ToJson(input, written), -1) << "\n";
  } else {
    Print(input, o, written);
  }
  return OkStatus();
}

}  // namespace

void AddLook(CLI::App& app, Action* action) {
  auto o = std::make_shared<LookOptions>();
  CLI::App* verb =
      app.add_subcommand("look", "What a model will see of files: images, words, windows, order");
  verb->add_option("files", o->files, "Files and folders of any kind");
  AddMediaOptions(*verb, o.get());
  verb->add_option("--question", o->media.question, "Instead of the recipe's default question");
  verb->add_option("--out", o->out, "Folder for the images (PNG), prompt.txt and look.json");
  verb->add_flag("--gallery", o->gallery, "Also index.html, to check by eye");
  verb->add_flag("--recipes", o->list, "List the recipes");
  verb->add_flag("--json", o->json, "One JSON object");
  verb->callback([o, action] { *action = [o] { return Look(*o); }; });
}

}  // namespace galen::cli

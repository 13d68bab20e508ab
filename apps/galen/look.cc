// galen look: what the model will see.
#include <filesystem>
#include <iostream>
#include <regex>

#include "base/files.h"
#include "base/json.h"
#include "commands.h"
#include "gallery.h"
#include "media/image/png_writer.h"
#include "media_options.h"
#include "media_report.h"
#include "prompt_media.h"
#include "session.h"

namespace galen::cli {
namespace {

struct LookOptions : MediaCliOptions {
  ModelOptions model;  // the path alone: no weights are read
  ImageOptions image;
  std::string out;
  bool gallery = false;
  bool json = false;
  bool list = false;
};

struct Written {
  std::vector<std::string> images, overviews;  // names inside of the folder
};

// What a model makes of the input: --model.
struct ModelSight {
  std::vector<PreparedViews> views;
  EncodedPrompt prompt;
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

Json ToJson(const MediaInput& input, Json report, const Written& written) {
  for (size_t i = 0; i < input.images.size(); ++i) {
    report["images"][i]["png"] = i < written.images.size() ? Json(written.images[i]) : Json();
  }
  report["system"] = input.system;
  report["prompt"] = PromptForPeople(input);
  return report;
}

Result<ModelSight> SeeWithModel(LookOptions o, const MediaInput& input, Json* report) {
  RETURN_IF_ERROR(ResolveModel(&o.model));
  ASSIGN_OR_RETURN(const ModelFiles files, ReadModel(o.model.model, ReadOptionsOf(o.model)));
  ModelSight sight;
  ASSIGN_OR_RETURN(sight.views, PrepareImages(files, o.image, input, report));
  ASSIGN_OR_RETURN(sight.prompt,
                   EncodeChat(files, MessagesOf(input.system, MessageContent(input)), sight.views));
  (*report)["tokens"] = sight.prompt.tokens;
  (*report)["layout"] = Json::array();
  for (const ImagePlace& place : sight.prompt.places) {
    (*report)["layout"].push_back({{"begin", place.begin},
                                   {"count", place.count},
                                   {"image", place.image + 1},
                                   {"view", place.view + 1}});
  }
  return sight;
}

// The pixels after the model's own resizing.
Status WriteViews(const ModelSight& sight, const std::string& folder, Json* report) {
  for (size_t i = 0; i < sight.views.size(); ++i) {
    for (size_t v = 0; v < sight.views[i].size(); ++v) {
      char name[64];
      std::snprintf(name, sizeof(name), "model-%03zu-%zu.png", i + 1, v + 1);
      RETURN_IF_ERROR(WritePng(folder + "/" + name, sight.views[i][v].pixels));
      (*report)["images"][i]["views"][v]["png"] = name;
    }
  }
  return OkStatus();
}

// Files of an earlier look in the folder: they would stand beside those of another patient.
Status RemoveEarlier(const std::string& folder) {
  if (!FileExists(folder + "/look.json")) return OkStatus();
  static const std::regex ours(
      R"((image|overview|model)-\d{3,}(-\d+)?\.png|index\.html|prompt\.txt|look\.json)");
  std::vector<std::filesystem::path> old;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (std::regex_match(entry.path().filename().string(), ours)) old.push_back(entry.path());
  }
  for (const auto& path : old) {
    if (!error) std::filesystem::remove(path, error);
  }
  return error ? IoError("cannot clear " + folder + ": " + error.message()) : OkStatus();
}

Status WriteFolder(const MediaInput& input, const ModelSight& sight, const LookOptions& o,
                   Written* written, Json* report) {
  std::error_code error;
  std::filesystem::create_directories(o.out, error);
  if (error) return IoError("cannot make the folder " + o.out + ": " + error.message());
  RETURN_IF_ERROR(RemoveEarlier(o.out));
  RETURN_IF_ERROR(WriteImages(input.images, "image", o.out, &written->images));
  RETURN_IF_ERROR(WriteImages(input.overviews, "overview", o.out, &written->overviews));
  RETURN_IF_ERROR(WriteViews(sight, o.out, report));
  RETURN_IF_ERROR(WriteFileAtomically(o.out + "/prompt.txt", PromptForPeople(input) + "\n"));
  if (o.gallery) {
    RETURN_IF_ERROR(WriteFileAtomically(o.out + "/index.html",
                                        GalleryPage(input, written->images, written->overviews)));
  }
  return WriteFileAtomically(o.out + "/look.json",
                             DumpReport(ToJson(input, *report, *written), 2) + "\n");
}

// A long list by its ends.
void PrintLines(const std::vector<std::string>& lines) {
  constexpr size_t kAll = 12, kFirst = 3;
  for (size_t i = 0; i < lines.size(); ++i) {
    if (lines.size() > kAll && i == kFirst) {
      const size_t left = lines.size() - kFirst - 1;
      std::cout << "... " << left << " more (--json, or --out, has all)\n";
      i += left - 1;
      continue;
    }
    std::cout << lines[i] << "\n";
  }
}

// The user's turn; images with the labels behind them as a list.
void PrintPrompt(const MediaInput& input) {
  std::vector<std::string> images;
  const auto& parts = input.parts;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].kind == PromptPart::kImage) {
      images.push_back("[image " + std::to_string(parts[i].image + 1) + "]");
      continue;
    }
    const bool labels = i > 0 && parts[i - 1].kind == PromptPart::kImage && i + 1 < parts.size();
    if (labels) {
      images.back() += "\n" + parts[i].text;
      continue;
    }
    PrintLines(images);
    images.clear();
    std::cout << parts[i].text << "\n";
  }
  PrintLines(images);
}

void Print(const MediaInput& input, const ModelSight& sight, const LookOptions& o,
           const Written& written) {
  std::cout << "recipe      " << input.recipe << " " << input.recipe_version
            << (input.official ? " (official): " : ": ") << input.recipe_source << "\n";
  for (const auto& [name, value] : input.facts) {
    std::cout << name << std::string(name.size() < 12 ? 12 - name.size() : 1, ' ') << value << "\n";
  }
  std::cout << "digest      " << input.digest << "\n\n";
  if (!input.system.empty()) std::cout << "system: " << input.system << "\n\n";
  PrintPrompt(input);
  std::cout << "\n";
  std::vector<std::string> lines;
  for (size_t i = 0; i < input.images.size(); ++i) {
    const SeenImage& seen = input.images[i];
    lines.push_back("image " + std::to_string(i + 1) + "  " + std::to_string(seen.image.width) +
                    "x" + std::to_string(seen.image.height) + "  " + seen.source);
    if (i < written.images.size()) lines.back() += "  -> " + o.out + "/" + written.images[i];
  }
  PrintLines(lines);
  if (!sight.prompt.tokens.empty()) {
    std::cout << "\nprompt  " << sight.prompt.tokens.size() << " tokens\n";
    lines.clear();
    for (const ImagePlace& place : sight.prompt.places) {
      const Image& view = sight.views[place.image][place.view].pixels;
      lines.push_back("tokens " + std::to_string(place.begin) + " to " +
                      std::to_string(place.begin + place.count - 1) + "  image " +
                      std::to_string(place.image + 1) + " view " + std::to_string(place.view + 1) +
                      " (" + std::to_string(view.width) + "x" + std::to_string(view.height) + ")");
    }
    PrintLines(lines);
  }
  for (const std::string& warning : input.warnings) std::cout << "warning: " << warning << "\n";
  if (o.gallery) std::cout << "\nopen " << o.out << "/index.html\n";
}

void ListRecipes(bool json) {
  if (json) {
    std::cout << DumpReport(RecipeList(), -1) << "\n";
    return;
  }
  for (const Recipe& recipe : BuiltinRecipes()) {
    std::cout << recipe.Id() << (recipe.official ? " (official)" : "") << "\n    " << recipe.title
              << "\n    " << recipe.source << "\n";
    if (!recipe.note.empty()) std::cout << "    " << recipe.note << "\n";
  }
}

Status CheckUsage(const LookOptions& o) {
  if (o.list) return OkStatus();
  if (!o.any())
    return InvalidArgument("name a file to look at, or use --recipes for the list of recipes");
  if (o.gallery && o.out.empty()) return InvalidArgument("--gallery needs --out DIR");
  return OkStatus();
}

Status Look(LookOptions o) {
  if (o.list) {
    ListRecipes(o.json);
    return OkStatus();
  }
  RETURN_IF_ERROR(FetchRemote(&o));
  ASSIGN_OR_RETURN(const MediaInput input, BuildInput(o));
  o.remote.clear();  // the pictures are read
  Json report = MediaReport(input);
  ModelSight sight;
  if (!o.model.model.empty()) {
    ASSIGN_OR_RETURN(sight, SeeWithModel(o, input, &report));
  }
  Written written;
  if (!o.out.empty()) RETURN_IF_ERROR(WriteFolder(input, sight, o, &written, &report));
  if (o.json) {
    std::cout << DumpReport(ToJson(input, report, written), -1) << "\n";
  } else {
    Print(input, sight, o, written);
  }
  return OkStatus();
}

}  // namespace

void AddLook(CLI::App& app, Action* action) {
  auto o = std::make_shared<LookOptions>();
  CLI::App* verb =
      app.add_subcommand("look", "What a model will see of files: images, words, windows, order");
  verb->add_option("files", o->files,
                   "Files and folders of any kind; dicomweb:URL/studies/UID[/series/UID]")
      ->type_name("PATH");
  AddMediaOptions(*verb, o.get());
  verb->add_option("--question", o->media.question, "Instead of the recipe's default question");
  verb->add_option("--seed", o->media.seed, "For the choice of a slide's patches");
  verb->add_option(
          "--model", o->model.model,
          "Also what this model makes of it: its own resizing and the tokens of the prompt")
      ->type_name("MODEL");
  AddProjectorOption(*verb, &o->model);
  AddImageOptions(*verb, &o->image);
  verb->add_option(
          "--out", o->out,
          "Folder for the images (PNG), prompt.txt and look.json; files of an earlier look go")
      ->type_name("DIR");
  verb->add_flag("--gallery", o->gallery, "Also index.html, to check by eye");
  verb->add_flag("--recipes", o->list, "List the recipes");
  verb->add_flag("--json", o->json, "One JSON object");
  for (const char* name :
       {"--mmproj", "--image-tokens", "--min-pixels", "--max-pixels", "--pan-and-scan"}) {
    verb->get_option(name)->needs("--model");
  }
  verb->callback([o, action, verb] {
    RequireUsage(CheckUsage(*o));
    if (!o->list) RequireUsage(CheckMediaUsage(*verb, *o));
    *action = [o] { return Look(*o); };
  });
}

}  // namespace galen::cli

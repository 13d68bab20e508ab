#include "recipes/apply.h"

#include <algorithm>

#include "base/files.h"
#include "media/slide/dicom_slide.h"
#include "recipes/sources.h"
#include "recipes/square.h"

namespace galen {
namespace {

// A side of an image that is padded to a square.
constexpr int64_t kMostSquare = int64_t{1} << 15;

std::string Replace(std::string text, std::string_view what, const std::string& by) {
  const size_t at = text.find(what);
  if (at != text.npos) text.replace(at, what.size(), by);
  return text;
}

// A folder of pictures becomes these.
Result<std::vector<MediaFile>> WithKinds(std::span<const MediaFile> files) {
  std::vector<MediaFile> known;
  for (MediaFile file : files) {
    const bool open = file.kind == MediaKind::kAuto || file.kind == MediaKind::kImage;
    if (open && IsDirectory(file.path)) {
      ASSIGN_OR_RETURN(const std::vector<std::string> pictures, PicturesOfFolder(file.path));
      for (const std::string& picture : pictures) known.push_back({picture, MediaKind::kImage});
      if (!pictures.empty()) continue;
      if (file.kind == MediaKind::kImage) {
        return NotFound(file.path + " holds no picture, or DICOM files (--dicom)");
      }
    }
    if (file.kind == MediaKind::kAuto) {
      ASSIGN_OR_RETURN(file.kind, DetectKind(file.path));
    }
    known.push_back(std::move(file));
  }
  return known;
}

void AddText(std::string text, MediaInput* input) {
  if (text.empty()) return;
  PromptPart part;
  part.text = std::move(text);
  input->parts.push_back(std::move(part));
}

Status AddFile(const MediaFile& file, const Recipe& recipe, const MediaOptions& options,
               MediaInput* input) {
  switch (recipe.input) {
    case Recipe::Input::kPhoto:
      return AddPhoto(file, recipe, options, input);
    case Recipe::Input::kSeries:
      return AddSeries(file, recipe, options, input);
    case Recipe::Input::kSlide:
      return AddSlide(file, recipe, options, input);
    case Recipe::Input::kPage:
      return AddPages(file, recipe, options, input);
  }
  return InvalidArgument("a recipe of an unknown kind");
}

// The built-in recipe that is the default of a DICOM modality, or "image".
std::string RecipeOfModality(const std::string& modality) {
  for (const Recipe& recipe : BuiltinRecipes()) {
    const auto& list = recipe.modalities;
    if (std::find(list.begin(), list.end(), modality) != list.end()) return recipe.name;
  }
  return "image";
}

Result<std::string> DefaultName(const std::vector<MediaFile>& files, const MediaOptions& options) {
  std::string name;
  for (const MediaFile& file : files) {
    std::string wanted = "image";
    if (file.kind == MediaKind::kPdf) wanted = "page";
    if (file.kind == MediaKind::kSlide) wanted = "slide";
    if (file.kind == MediaKind::kVolume) {
      ASSIGN_OR_RETURN(const SliceStack stack, OpenVolumeStack(file.path, options));
      wanted = stack.modality == "CT" ? "ct" : "mr";
    }
    if (file.kind == MediaKind::kDicom) {
      ASSIGN_OR_RETURN(const auto modalities, DicomModalities(file.path, options));
      wanted = RecipeOfModality(modalities.empty() ? "" : modalities[0]);
      // A folder with two radiographs is the pair over time as well.
      if (wanted == "xray" && modalities.size() == 2) wanted = "xray-pair";
    }
    if (!name.empty() && name != wanted) {
      // Pictures go together, a radiograph with a photograph too; a series or a page does not.
      for (const std::string& one : {name, wanted}) {
        if (one != "image" && !one.starts_with("xray")) {
          return InvalidArgument(
              "the files would take different recipes (" + name + ", " + wanted +
              "); ask about them one after the other, or name one with --recipe");
        }
      }
      wanted = "image";
    }
    name = wanted;
  }
  return files.size() == 2 && name == "xray" ? std::string("xray-pair") : name;
}

}  // namespace

Status LayOutWords(const Recipe& recipe, const std::string& asked, MediaInput* input) {
  std::string question = asked.empty() ? recipe.default_question : asked;
  if (question.empty()) {
    return InvalidArgument("the recipe '" + recipe.name + "' needs a question");
  }
  if (!recipe.question_template.empty()) {
    question = Replace(recipe.question_template, "{question}", question);
  }
  input->parts.clear();
  for (const Recipe::Piece piece : recipe.layout) {
    if (piece == Recipe::Piece::kInstruction) AddText(recipe.instruction, input);
    if (piece == Recipe::Piece::kQuestion) AddText(question, input);
    if (piece != Recipe::Piece::kImages) continue;
    for (size_t i = 0; i < input->images.size(); ++i) {
      PromptPart part;
      part.kind = PromptPart::kImage;
      part.image = static_cast<int>(i);
      input->parts.push_back(part);
      AddText(Replace(recipe.label, "{k}", std::to_string(i + 1)), input);
    }
  }
  FinishDigest(input);
  return OkStatus();
}

Result<MediaInput> ApplyRecipe(const Recipe& recipe, std::span<const MediaFile> files,
                               const MediaOptions& options) {
  ASSIGN_OR_RETURN(const std::vector<MediaFile> known, WithKinds(files));
  const int64_t count = static_cast<int64_t>(known.size());
  if (count < 1 || count > recipe.max_files) {
    return InvalidArgument("the recipe '" + recipe.name + "' takes " +
                           (recipe.max_files == 1
                                ? std::string(recipe.input == Recipe::Input::kSeries
                                                  ? "one file, or the folder of the series"
                                                  : "one file")
                                : "up to " + std::to_string(recipe.max_files) + " files") +
                           ", not " + std::to_string(count));
  }
  MediaInput input;
  input.recipe = recipe.name;
  input.recipe_version = recipe.version;
  input.recipe_source = recipe.source;
  input.official = recipe.official;
  input.system = recipe.system;
  input.pan_and_scan = recipe.pan_and_scan;
  input.max_new_tokens = recipe.max_new_tokens;
  if (!recipe.official) {
    input.warnings.push_back("the recipe '" + recipe.name +
                             "' is galen's own, not one that the model was published with");
  }
  if (!options.slices.empty() && recipe.input != Recipe::Input::kSeries) {
    input.warnings.push_back("the recipe '" + recipe.name +
                             "' shows no series: the choice of slices was not used");
  }
  if (options.window && recipe.input != Recipe::Input::kSeries &&
      recipe.input != Recipe::Input::kPhoto) {
    input.warnings.push_back("the recipe '" + recipe.name +
                             "' has no values to window: the window was not used");
  }
  RETURN_IF_ERROR(CheckSamePatient(known, options));
  for (const MediaFile& file : known) {
    RETURN_IF_ERROR(AddFile(file, recipe, options, &input));
  }
  const int64_t most = options.max_images > 0 ? options.max_images : recipe.max_images;
  const int64_t images = static_cast<int64_t>(input.images.size());
  if (images < recipe.min_files) {
    return InvalidArgument("the recipe '" + recipe.name + "' needs " +
                           std::to_string(recipe.min_files) + " images, not " +
                           std::to_string(images));
  }
  if (images > most) {
    return ResourceExhausted(std::to_string(images) + " images; the recipe '" + recipe.name +
                             "' shows at most " + std::to_string(most));
  }
  if (recipe.name == "xray-pair" && count == 2) {
    input.warnings.push_back(
        "the first file is taken for the earlier picture, as given; a folder is "
        "put into the order of its dates");
  }
  if (recipe.pad_square) {
    int64_t pixels = 0;
    for (const SeenImage& seen : input.images) {
      const int64_t side = std::max(seen.image.width, seen.image.height);
      if (side > kMostSquare) {
        return ResourceExhausted(seen.source + " has a side of " + std::to_string(side) +
                                 " pixels; padded to a square it would be too large");
      }
      pixels += side * side;
    }
    if (pixels > options.max_all_pixels) return TooManyPixels(options);
    for (SeenImage& seen : input.images) PadToSquare(&seen);
    input.facts.emplace_back("padding", "black, to a square");
  }
  RETURN_IF_ERROR(LayOutWords(recipe, options.question, &input));
  return input;
}

Status CheckOnePatient(std::span<const MediaFile> files, const MediaOptions& options) {
  ASSIGN_OR_RETURN(const std::vector<MediaFile> known, WithKinds(files));
  return CheckSamePatient(known, options);
}

Result<Recipe> DefaultRecipe(std::span<const MediaFile> files, const MediaOptions& options) {
  ASSIGN_OR_RETURN(const std::vector<MediaFile> known, WithKinds(files));
  ASSIGN_OR_RETURN(const std::string name, DefaultName(known, options));
  return FindRecipe(name);
}

Result<MediaInput> BuildInput(std::span<const MediaFile> files, const std::string& recipe,
                              const MediaOptions& options) {
  if (files.empty()) return InvalidArgument("no file was given");
  if (recipe.empty()) {
    ASSIGN_OR_RETURN(const Recipe chosen, DefaultRecipe(files, options));
    return ApplyRecipe(chosen, files, options);
  }
  ASSIGN_OR_RETURN(const Recipe chosen, FindRecipe(recipe));
  return ApplyRecipe(chosen, files, options);
}

}  // namespace galen

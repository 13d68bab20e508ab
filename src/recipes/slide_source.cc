// Whole slides.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "media/slide/dicom_slide.h"
#include "media/slide/tissue.h"
#include "recipes/dicom_text.h"
#include "recipes/sources.h"

namespace galen {
namespace {

// A level whose pixels differ more than this from what the recipe asks for is used, with a warning.
constexpr double kFarFromWanted = 1.5;

std::string Number(double v) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.4g", v);
  return text;
}

void Describe(const SlideInfo& info, int level, const Recipe& recipe, MediaInput* input) {
  const SlideLevel& chosen = info.levels[static_cast<size_t>(level)];
  std::string text = std::to_string(level) + " of " + std::to_string(info.levels.size()) + ", " +
                     std::to_string(chosen.width) + "x" + std::to_string(chosen.height);
  if (info.um_per_pixel) {
    const double um = *info.um_per_pixel * chosen.downsample;
    // 10x is 1 micrometre per pixel.
    text += ", " + Number(um) + " um per pixel (about " + Number(10 / um) + "x)";
    const double ratio = um / recipe.um_per_pixel;
    if (ratio > kFarFromWanted || ratio < 1 / kFarFromWanted) {
      input->warnings.push_back("the nearest level has " + Number(um) +
                                " um per pixel, the recipe asks for " +
                                Number(recipe.um_per_pixel));
    }
  } else {
    input->warnings.push_back(
        "the slide does not say how large its pixels are; its finest level is used");
  }
  input->facts.emplace_back("format", info.format);
  input->facts.emplace_back("level", text);
}

}  // namespace

Status AddSlide(const MediaFile& file, const Recipe& recipe, const MediaOptions& options,
                MediaInput* input) {
  if (file.kind != MediaKind::kSlide && file.kind != MediaKind::kDicom) {
    return InvalidArgument("the recipe '" + recipe.name + "' takes a whole slide; " + file.path +
                           " is a " + std::string(MediaKindName(file.kind)));
  }
  const bool dicom = IsDicomSlide(file.path);
  // What calls itself DICOM is never handed to another reader.
  if (file.kind == MediaKind::kDicom && !dicom)
    return InvalidArgument(file.path + " is no slide of DICOM");
  ASSIGN_OR_RETURN(const std::unique_ptr<Slide> slide,
                   dicom ? OpenDicomSlide(file.path) : OpenSlideFile(file.path));
  if (dicom && options.keep_identity) {
    ASSIGN_OR_RETURN(const DicomSet set, ReadDicomSet(file.path, DicomSetOptionsOf(options)));
    for (const DicomStudy& study : set.studies) {
      for (const DicomSeries& series : study.series) {
        AddDicomIdentity(series.identity, &input->facts);
      }
    }
  }
  const SlideInfo& info = slide->info();
  for (const std::string& warning : info.warnings)
    input->warnings.push_back(file.path + ": " + warning);
  const int level = NearestLevel(info, recipe.um_per_pixel);
  const SlideLevel& chosen = info.levels[static_cast<size_t>(level)];
  Describe(info, level, recipe, input);

  ASSIGN_OR_RETURN(Thumbnail thumbnail, ReadThumbnail(*slide));
  const TissueMask mask = FindTissue(thumbnail.image);
  const std::vector<SlidePatch> all = FindPatches(chosen, mask, thumbnail.downsample, recipe.patch);
  if (all.empty()) return NotFound(file.path + ": no tissue was found on the slide");
  const int64_t most = options.max_images > 0 ? options.max_images : recipe.max_images;
  const int64_t count = std::min(most, static_cast<int64_t>(all.size()));
  RETURN_IF_ERROR(CheckPixels(*input, count * recipe.patch * recipe.patch, options));
  const std::vector<SlidePatch> patches = ChoosePatches(all, most, options.seed);
  if (chosen.width < recipe.patch || chosen.height < recipe.patch) {
    input->warnings.push_back("the level is smaller than a patch of " +
                              std::to_string(recipe.patch) + " pixels; the rest is white");
  }
  for (const SlidePatch& patch : patches) {
    ASSIGN_OR_RETURN(Image image, slide->Read(level, patch.x, patch.y, recipe.patch, recipe.patch));
    SeenImage seen;
    seen.image = std::move(image);
    seen.source = file.path + " patch at " + std::to_string(patch.x) + "," +
                  std::to_string(patch.y) + " of level " + std::to_string(level);
    seen.recipe = recipe.Id();
    const double scale = chosen.downsample;
    seen.to_source = {scale,
                      scale,
                      static_cast<double>(patch.x) * scale,
                      static_cast<double>(patch.y) * scale,
                      info.levels[0].width,
                      info.levels[0].height};
    input->images.push_back(std::move(seen));
    const double side = static_cast<double>(recipe.patch) * scale / thumbnail.downsample;
    DrawOutline(&thumbnail.image, static_cast<double>(patch.x) * scale / thumbnail.downsample,
                static_cast<double>(patch.y) * scale / thumbnail.downsample, side, side);
  }
  input->facts.emplace_back("tissue",
                            "saturation above " + std::to_string(mask.threshold) + " of 255");
  input->facts.emplace_back("patches", std::to_string(patches.size()) + " of " +
                                           std::to_string(all.size()) + " with tissue, seed " +
                                           std::to_string(options.seed));
  SeenImage overview;
  overview.to_source = {thumbnail.downsample, thumbnail.downsample, 0, 0,
                        info.levels[0].width, info.levels[0].height};
  overview.image = std::move(thumbnail.image);
  overview.source = file.path + " with the chosen patches";
  overview.recipe = recipe.Id();
  input->overviews.push_back(std::move(overview));
  return OkStatus();
}

}  // namespace galen

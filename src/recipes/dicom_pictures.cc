#include "recipes/dicom_pictures.h"

#include <algorithm>
#include <cstdio>
#include <map>

#include "base/sha256.h"
#include "recipes/dicom_text.h"
#include "recipes/recipe.h"
#include "recipes/sources.h"

namespace galen {
namespace {

std::string WindowFact(const RenderReport& report) {
  std::string window = report.voi.empty() ? report.colour : report.voi;
  if (report.window) {
    char text[96];
    std::snprintf(text, sizeof(text), ", centre %g width %g", report.window->center,
                  report.window->width);
    window += text;
  }
  if (report.inverted) window += ", inverted to bright bones";
  return window;
}

bool IsRadiograph(const std::string& modality) {
  for (const Recipe& recipe : BuiltinRecipes()) {
    const auto& list = recipe.modalities;
    if (std::find(list.begin(), list.end(), modality) != list.end()) return recipe.name == "xray";
  }
  return true;  // not a kind of picture that is made of slices
}

void Put(const DicomWarnings& from, std::vector<std::string>* to) {
  for (const DicomWarning& warning : from) to->push_back(warning.text + " (" + warning.code + ")");
}

}  // namespace

Result<DicomPicture> RenderDicomPicture(const DicomFile& file, int64_t index,
                                        const MediaOptions& options) {
  RenderReport report;
  RenderOptions render;
  if (options.window) {
    render.window.emplace();
    render.window->center = (*options.window)[0];
    render.window->width = (*options.window)[1];
  }
  DicomPicture picture;
  ASSIGN_OR_RETURN(Image image, file.Render(index, render, &report));
  picture.image = ToRgb(std::move(image));
  picture.warnings = report.warnings;
  if (const auto spacing = file.Geometry(index).spacing) {
    picture.facts.emplace_back("spacing", Millimetres({(*spacing)[1], (*spacing)[0]}));
  }
  picture.facts.emplace_back("window", WindowFact(report));
  return picture;
}

std::string DicomPictureName(const std::string& path, const DicomSet& set, const DicomFile& file,
                             const DicomSlice& slice) {
  const std::string name = DicomFileName(path, set, slice.file);
  return file.frames() > 1 ? name + " frame " + std::to_string(slice.frame + 1) : name;
}

Status AddDicomPhotos(const std::string& path, const Recipe& recipe, const MediaOptions& options,
                      MediaInput* input) {
  ASSIGN_OR_RETURN(const DicomSet set, ReadDicomSet(path, DicomSetOptionsOf(options)));
  AddDicomSetWarnings(path, set, &input->warnings);
  const int64_t most = options.max_images > 0 ? options.max_images : recipe.max_images;
  for (const DicomStudy& study : set.studies) {
    for (const DicomSeries& series : study.series) {
      if (options.series && series.series_number != options.series) continue;
      AddDicomWarnings(path, series.warnings, &input->warnings);
      AddDicomIdentity(series.identity, &input->facts);
      for (const DicomSlice& slice : series.slices) {
        if (static_cast<int64_t>(input->images.size()) >= most) {
          return ResourceExhausted(path + " has more than " + std::to_string(most) +
                                   " pictures; choose a series, or a recipe for series");
        }
        ASSIGN_OR_RETURN(const DicomFile file, OpenDicomFile(path, set, slice.file));
        const std::string name = DicomFileName(path, set, slice.file);
        AddDicomWarnings(name, file.warnings(), &input->warnings);
        RETURN_IF_ERROR(CheckPixels(*input, file.info().format.pixels(), options));
        Result<DicomPicture> picture = RenderDicomPicture(file, slice.frame, options);
        if (!picture.ok()) return picture.status().WithContext(name);
        AddDicomWarnings(name, picture->warnings, &input->warnings);
        SeenImage seen;
        seen.to_source.source_width = picture->image.width;
        seen.to_source.source_height = picture->image.height;
        seen.image = std::move(picture->image);
        seen.source = DicomPictureName(path, set, file, slice);
        seen.recipe = recipe.Id();
        input->images.push_back(std::move(seen));
        for (auto& fact : picture->facts) input->facts.push_back(std::move(fact));
      }
    }
  }
  if (input->images.empty()) return NotFound(path + " has no pictures");
  return OkStatus();
}

Result<DicomPictures> DicomPictures::Open(const std::string& path, const MediaOptions& options) {
  DicomPictures pictures;
  pictures.path_ = path;
  pictures.options_ = options;
  pictures.options_.allow_mixed_patients = true;  // each picture is looked at by itself
  ASSIGN_OR_RETURN(DicomSet set, ReadDicomSet(path, DicomSetOptionsOf(pictures.options_)));
  pictures.set_ = std::make_shared<const DicomSet>(std::move(set));
  for (const DicomStudy& study : pictures.set_->studies) {
    for (const DicomSeries& series : study.series) {
      std::map<int64_t, int64_t> of_file;
      for (const DicomSlice& slice : series.slices) ++of_file[slice.file];
      for (const DicomSlice& slice : series.slices) {
        pictures.places_.push_back({&series, slice, of_file[slice.file] > 1, ""});
      }
      AddDicomWarnings(path, series.warnings, &pictures.notes_);
    }
  }
  for (const SkippedFile& skipped : pictures.set_->unreadable) {
    DicomSlice slice;
    slice.file = skipped.file;
    pictures.places_.push_back(
        {nullptr, slice, false, WithoutNames(skipped.reason, path, *pictures.set_, skipped.file)});
  }
  return pictures;
}

std::string DicomPictures::Source(int64_t i) const {
  const Place& place = places_[static_cast<size_t>(i)];
  const DicomSource& source = set_->files[static_cast<size_t>(place.slice.file)];
  std::string name = DicomFileName(path_, *set_, place.slice.file);
  if (options_.keep_identity) {
    name = source.member.empty() ? source.path : source.path + " " + source.member;
  }
  return place.several ? name + " frame " + std::to_string(place.slice.frame + 1) : name;
}

std::string DicomPictures::NamesDigest() const {
  std::string names;
  for (const DicomSource& source : set_->files) {
    names += source.path + '\n' + source.member + '\n';
  }
  return Sha256Hex({reinterpret_cast<const uint8_t*>(names.data()), names.size()});
}

Result<Image> DicomPictures::Read(int64_t i, std::vector<std::string>* warnings) const {
  const Place& place = places_[static_cast<size_t>(i)];
  if (place.series == nullptr) return DataLoss(place.error);
  ASSIGN_OR_RETURN(const DicomFile file, OpenDicomFile(path_, *set_, place.slice.file));
  Put(file.warnings(), warnings);
  if (file.Tiling().ok()) {
    return Unsupported(
        "a whole slide is no single picture; `galen look FILE --out FOLDER` makes images of its "
        "patches");
  }
  if (const std::string& modality = file.info().modality; !IsRadiograph(modality)) {
    warnings->push_back("modality " + modality +
                        ": one slice in the file's own window, as the recipe for radiographs has "
                        "it (not-a-radiograph)");
  }
  ASSIGN_OR_RETURN(DicomPicture picture, RenderDicomPicture(file, place.slice.frame, options_));
  Put(picture.warnings, warnings);
  return std::move(picture.image);
}

std::vector<std::pair<std::string, std::string>> DicomPictures::Identity(int64_t i) const {
  std::vector<std::pair<std::string, std::string>> facts;
  const Place& place = places_[static_cast<size_t>(i)];
  if (!options_.keep_identity || place.series == nullptr) return facts;
  // The series has the identity of its first file; each file tells its own.
  const Result<DicomFile> file = OpenDicomFile(path_, *set_, place.slice.file);
  if (file.ok()) AddDicomIdentity(file->info().identity, &facts);
  return facts;
}

}  // namespace galen

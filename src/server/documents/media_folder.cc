#include "server/documents/media_folder.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include "base/files.h"
#include "media/dicom/dicom_file.h"
#include "recipes/recipe.h"

namespace galen::server {
namespace {

// Of requests; a command may have more.
constexpr float kMostDpi = 300;

// Readers tell some formats by the name's ending.
std::string EndingOf(const std::string& name) {
  std::string lower(name.substr(name.size() - std::min<size_t>(name.size(), 16)));
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (const char* ending : {".nii.gz", ".nii", ".hdr.gz", ".hdr", ".img.gz", ".dcm", ".zip",
                             ".tar.gz", ".tgz", ".tar", ".svs", ".ndpi", ".scn", ".bif"}) {
    if (lower.ends_with(ending)) return ending;
  }
  return "";
}

void ReplaceAll(std::string* text, const std::string& what, const std::string& by) {
  for (size_t at = 0; (at = text->find(what, at)) != text->npos; at += by.size())
    text->replace(at, what.size(), by);
}

// OpenSlide runs in this process: it gets TIFF files alone, classic and BigTIFF.
bool IsTiff(std::string_view bytes) {
  using namespace std::string_view_literals;
  for (const std::string_view magic : {"II*\0"sv, "MM\0*"sv, "II+\0"sv, "MM\0+"sv}) {
    if (bytes.starts_with(magic)) return true;
  }
  return false;
}

// Hamamatsu's VMS and VMU are lists of other files, by paths that may lead anywhere; MIRAX has a
// folder beside it, Sakura is a database.
bool IsOtherSlide(std::string_view name, std::string_view bytes) {
  constexpr size_t kHead = 4096;
  std::string ending(name.substr(name.size() - std::min<size_t>(name.size(), 8)));
  std::transform(ending.begin(), ending.end(), ending.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (const char* other : {".vms", ".vmu", ".mrxs", ".svslide"}) {
    if (ending.ends_with(other)) return true;
  }
  const std::string_view head = bytes.substr(0, kHead);
  return head.find("Virtual Microscope Specimen]") != head.npos ||
         head.starts_with("SQLite format 3");
}

// Whether several DICOM files are one thing: slices of a series, levels of a slide.
bool IsOneOfAll(const Recipe& recipe) {
  return recipe.input == Recipe::Input::kSeries || recipe.input == Recipe::Input::kSlide;
}

// A recipe by name alone: no file is opened for a request.
Result<Recipe> BuiltinRecipe(const std::string& name) {
  const auto& all = BuiltinRecipes();
  const auto found = std::find_if(all.begin(), all.end(),
                                  [&](const Recipe& recipe) { return recipe.name == name; });
  if (found != all.end()) return *found;
  std::string names;
  for (const Recipe& recipe : all) names += (names.empty() ? "" : ", ") + recipe.name;
  return InvalidArgument("must be one of " + names);
}

Result<Recipe> ChooseRecipe(const MediaFolder& folder, const MediaCall& call,
                            std::vector<MediaFile>* files) {
  if (!call.recipe.empty()) {
    ASSIGN_OR_RETURN(Recipe recipe, BuiltinRecipe(call.recipe));
    *files = folder.Files(IsOneOfAll(recipe));
    // A TIFF without its maker's marks is a slide where the request says so.
    for (MediaFile& file : *files) {
      if (recipe.input == Recipe::Input::kSlide && file.kind == MediaKind::kAuto)
        file.kind = MediaKind::kSlide;
    }
    return recipe;
  }
  // Slices of one series, levels of one slide, or pictures that stand side by side.
  *files = folder.Files(true);
  ASSIGN_OR_RETURN(Recipe recipe, DefaultRecipe(*files, call.options));
  if (!folder.several_dicom() || IsOneOfAll(recipe)) return recipe;
  *files = folder.Files(false);
  return DefaultRecipe(*files, call.options);
}

}  // namespace

Result<MediaFolder> MediaFolder::Make(std::vector<extract::NamedBytes> files) {
  ASSIGN_OR_RETURN(TemporaryFolder made, TemporaryFolder::Make());
  MediaFolder folder;
  folder.folder_.emplace(std::move(made));
  for (extract::NamedBytes& file : files) {
    if (file.bytes.empty()) return DataLoss(file.name + " is empty");
    const bool tiff = IsTiff(file.bytes);
    if (!tiff && IsOtherSlide(file.name, file.bytes)) {
      return InvalidArgument(file.name +
                             " is a slide of another kind than TIFF or DICOM, which this server "
                             "does not open");
    }
    char number[32];
    std::snprintf(number, sizeof(number), "/%06zu", folder.entries_.size());
    const std::string path = folder.path() + number + EndingOf(file.name);
    RETURN_IF_ERROR(WriteFileAtomically(path, file.bytes));
    const MediaKind kind = DetectKind(file.name, file.bytes);
    folder.all_dicom_ = folder.all_dicom_ && kind == MediaKind::kDicom;
    const bool slide = tiff && kind == MediaKind::kImage;
    folder.entries_.push_back({path, std::move(file.name), slide ? MediaKind::kAuto : kind});
    file.bytes = {};
  }
  return folder;
}

MediaFolder MediaFolder::OfStudy(dicomnet::Study study) {
  MediaFolder folder;
  for (const dicomnet::Study::File& file : study.files()) {
    // Reports, documents and presentation states are no pictures. What cannot be read is for the
    // recipe to say.
    DicomOptions limits;
    limits.max_inflated_bytes = kMostUnpacked;
    const Result<DicomFile> opened = DicomFile::Open(file.path, limits);
    if (opened.ok() && opened->frames() == 0) continue;
    folder.entries_.push_back({file.path, file.instance, MediaKind::kDicom});
  }
  folder.study_ = std::move(study);
  return folder;
}

Result<MediaFolder> MediaFolder::Of(Upload* upload) {
  if (upload->study) {
    MediaFolder folder = OfStudy(*std::exchange(upload->study, std::nullopt));
    if (folder.entries_.empty()) return InvalidArgument("the study holds no picture");
    return folder;
  }
  return Make(std::move(upload->files));
}

std::vector<MediaFile> MediaFolder::Files(bool series) const {
  if (series && several_dicom()) return {{path(), MediaKind::kDicom}};
  std::vector<MediaFile> files;
  for (const Entry& entry : entries_) files.push_back({entry.path, entry.kind});
  return files;
}

std::string MediaFolder::Named(std::string text) const {
  for (const Entry& entry : entries_) ReplaceAll(&text, entry.path, entry.name);
  ReplaceAll(&text, path(), "the files");
  return text;
}

void MediaFolder::Rename(MediaInput* input) const {
  for (SeenImage& seen : input->images) seen.source = Named(std::move(seen.source));
  for (SeenImage& seen : input->overviews) seen.source = Named(std::move(seen.source));
  for (std::string& warning : input->warnings) warning = Named(std::move(warning));
  for (auto& [name, value] : input->facts) value = Named(std::move(value));
}

std::span<const FormField> MediaFormFields() {
  static constexpr std::array<FormField, 13> kFields = {{{"stream", FormValue::kBool},
                                                         {"window_center", FormValue::kNumber},
                                                         {"window_width", FormValue::kNumber},
                                                         {"max_images", FormValue::kNumber},
                                                         {"dpi", FormValue::kNumber},
                                                         {"frame", FormValue::kNumber},
                                                         {"series", FormValue::kNumber},
                                                         {"allow_mixed_patients", FormValue::kBool},
                                                         {"keep_identity", FormValue::kBool},
                                                         {"seed", FormValue::kNumber},
                                                         {"max_tokens", FormValue::kNumber},
                                                         {"temperature", FormValue::kNumber},
                                                         {"top_p", FormValue::kNumber}}};
  return kFields;
}

Status ReadMediaFields(const ServerOptions& server, Fields* fields, MediaCall* call) {
  MediaOptions& o = call->options;
  RETURN_IF_ERROR(fields->String("recipe", &call->recipe));
  if (!call->recipe.empty()) {
    const Result<Recipe> recipe = BuiltinRecipe(call->recipe);
    if (!recipe.ok()) return fields->Fail("recipe", recipe.status().message());
  }
  RETURN_IF_ERROR(fields->String("question", &o.question));
  RETURN_IF_ERROR(fields->String("page_range", &o.pages));
  RETURN_IF_ERROR(fields->String("slices", &o.slices));
  if (o.pages.size() > 1000) return fields->Fail("page_range", "is too long");
  if (o.slices.size() > 1000) return fields->Fail("slices", "is too long");
  constexpr double kMost = 1e6;
  float centre = 0, width = 0, dpi = 0;
  const bool has_centre = fields->Any("window_center") != nullptr;
  const bool has_width = fields->Any("window_width") != nullptr;
  RETURN_IF_ERROR(fields->Number("window_center", -kMost, kMost, &centre));
  RETURN_IF_ERROR(fields->Number("window_width", 1e-6, kMost, &width));
  if (has_centre != has_width)
    return fields->Fail(has_centre ? "window_width" : "window_center",
                        "is missing beside the other");
  if (has_centre) o.window = {centre, width};
  RETURN_IF_ERROR(fields->Int("max_images", 1, server.max_pages, &o.max_images));
  RETURN_IF_ERROR(fields->Number("dpi", 1, kMostDpi, &dpi));
  o.dpi = dpi;
  std::string plane = "axial";
  RETURN_IF_ERROR(fields->String("plane", &plane));
  const Result<Plane> parsed = ParsePlane(plane);
  if (!parsed.ok()) return fields->Fail("plane", "must be axial, coronal or sagittal");
  o.plane = *parsed;
  RETURN_IF_ERROR(fields->Int("frame", 0, 1 << 20, &o.frame));
  int64_t series = -1;
  RETURN_IF_ERROR(fields->Int("series", 0, int64_t{1} << 31, &series));
  if (series >= 0) o.series = series;
  RETURN_IF_ERROR(fields->Bool("allow_mixed_patients", &o.allow_mixed_patients));
  RETURN_IF_ERROR(fields->Bool("keep_identity", &o.keep_identity));
  int64_t seed = 0;
  RETURN_IF_ERROR(fields->Int("seed", 0, int64_t{1} << 53, &seed));
  o.seed = static_cast<uint64_t>(seed);
  o.image.max_pixels = o.max_all_pixels = server.max_image_pixels;
  o.volume.file_bytes = o.volume.voxel_bytes = kMostUnpacked;
  o.max_archive_bytes = o.dicom.max_inflated_bytes = kMostUnpacked;
  o.dicom.max_frame_bytes = kMostFrame;
  return OkStatus();
}

Result<MediaInput> BuildUploaded(const ServerOptions& server, const MediaFolder& folder,
                                 const MediaCall& call) {
  std::vector<MediaFile> files;
  const Result<Recipe> recipe = ChooseRecipe(folder, call, &files);
  if (!recipe.ok()) return folder.Named(recipe.status());
  MediaOptions options = call.options;
  options.max_images =
      std::min(options.max_images > 0 ? options.max_images : recipe->max_images, server.max_pages);
  if (recipe->input == Recipe::Input::kSlide && call.options.max_images == 0) {
    // As many patches as fit, with room for the overview.
    const int64_t fit = server.max_image_pixels / (recipe->patch * recipe->patch) - 4;
    options.max_images = std::max<int64_t>(1, std::min(options.max_images, fit));
  }
  Result<MediaInput> input = ApplyRecipe(*recipe, files, options);
  if (!input.ok()) return folder.Named(input.status());
  folder.Rename(&*input);
  int64_t pixels = 0;
  for (const auto* images : {&input->images, &input->overviews}) {
    for (const SeenImage& seen : *images) pixels += seen.image.width * seen.image.height;
  }
  if (pixels > server.max_image_pixels) {
    return ResourceExhausted(
        "the images have " + std::to_string(pixels) + " pixels together; this server takes " +
        std::to_string(server.max_image_pixels) + ": choose fewer slices, pages or max_images");
  }
  return input;
}

ApiError ErrorOfMedia(const Status& status) {
  ApiError error = ErrorOf(status, "file");
  if (status.code() == StatusCode::kResourceExhausted) error.status = 413;
  if (status.code() == StatusCode::kNotFound) error.status = 400;
  return error;
}

}  // namespace galen::server

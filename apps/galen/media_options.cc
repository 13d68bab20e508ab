#include "media_options.h"

namespace galen::cli {

void AddMediaOptions(CLI::App& verb, MediaCliOptions* o) {
  verb.add_option("--image", o->images,
                  "An image file (JPEG, PNG, WebP, TIFF, GIF, BMP), - or a data URL")
      ->type_name("FILE");
  verb.add_option("--dicom", o->dicom,
                  "A DICOM file, folder or archive, or dicomweb:URL/studies/UID[/series/UID]")
      ->type_name("PATH");
  verb.add_option("--pdf", o->pdf, "A PDF file")->type_name("FILE");
  verb.add_option("--volume", o->volumes, "A NIfTI volume")->type_name("FILE");
  verb.add_option("--slide", o->slides, "A whole slide")->type_name("FILE");
  verb.add_option("--recipe", o->recipe,
                  "How files become images and words: a name or a file (default: by what they are)")
      ->type_name("RECIPE|FILE");
  verb.add_option("--pages", o->media.pages, "Pages of the PDF: 1-3,7 or 2-");
  verb.add_option("--dpi", o->media.dpi, "Resolution of pages")->check(CLI::Range(1.0, 2400.0));
  verb.add_option("--max-images", o->media.max_images, "At most so many (default: the recipe's)")
      ->check(CLI::Range(1, 1000));
  verb.add_option("--plane", o->plane, "Of a volume")
      ->check(CLI::IsMember({"axial", "coronal", "sagittal"}));
  verb.add_option("--slices", o->media.slices, "Of a series, in the order shown: 1-20 or 40-");
  verb.add_option("--window", o->window,
                  "CENTRE WIDTH of the values shown, instead of the recipe's or the file's own")
      ->expected(2);
  verb.add_option("--frame", o->media.frame, "Of a volume in time, from 0");
  verb.add_option("--series", o->series, "Number of the DICOM series")
      ->check(CLI::NonNegativeNumber);
  verb.add_flag("--allow-mixed-patients", o->media.allow_mixed_patients,
                "A folder with several patients is not refused");
  verb.add_flag("--keep-identity", o->media.keep_identity,
                "Show who and when a DICOM file says that it is of (never given to the model)");
}

std::vector<MediaFile> MediaFilesOf(const MediaCliOptions& o) {
  std::vector<MediaFile> files;
  const auto add = [&](const std::vector<std::string>& paths, MediaKind kind) {
    for (const std::string& path : paths) files.push_back({path, kind});
  };
  add(o.files, MediaKind::kAuto);
  add(o.images, MediaKind::kImage);
  add(o.dicom, MediaKind::kDicom);
  add(o.pdf, MediaKind::kPdf);
  add(o.volumes, MediaKind::kVolume);
  // A DICOM slide is told from OpenSlide's formats by its own bytes.
  for (const std::string& path : o.slides) {
    const Result<MediaKind> kind = DetectKind(path);
    const bool dicom = kind.ok() && *kind == MediaKind::kDicom;
    files.push_back({path, dicom ? MediaKind::kDicom : MediaKind::kSlide});
  }
  return files;
}

Status FetchRemote(MediaCliOptions* o) {
  const auto fetch = [&](std::vector<std::string>* paths, std::vector<std::string>* to) -> Status {
    for (size_t i = 0; i < paths->size();) {
      if (!RemoteStudy::IsRemote((*paths)[i])) {
        ++i;
        continue;
      }
      ASSIGN_OR_RETURN(std::shared_ptr<const RemoteStudy> study, RemoteStudy::Fetch((*paths)[i]));
      if (to == paths) {
        (*paths)[i++] = study->folder();
      } else {
        paths->erase(paths->begin() + static_cast<std::ptrdiff_t>(i));
        to->push_back(study->folder());
      }
      o->remote.push_back(std::move(study));
    }
    return OkStatus();
  };
  RETURN_IF_ERROR(fetch(&o->dicom, &o->dicom));
  return fetch(&o->files, &o->dicom);  // whatever else is there, this is DICOM
}

Result<MediaInput> BuildInput(const MediaCliOptions& o) {
  MediaOptions media = o.media;
  ASSIGN_OR_RETURN(media.plane, ParsePlane(o.plane));
  if (o.series >= 0) media.series = o.series;
  if (!o.window.empty()) {
    if (!(o.window[1] > 0)) return InvalidArgument("--window wants a width above 0");
    media.window = {o.window[0], o.window[1]};
  }
  Result<MediaInput> input = galen::BuildInput(MediaFilesOf(o), o.recipe, media);
  if (!input.ok()) {
    std::string message = input.status().message();
    for (const auto& study : o.remote) study->Rename(&message);
    return Status(input.status().code(), std::move(message));
  }
  for (const auto& study : o.remote) {
    for (SeenImage& image : input->images) study->Rename(&image.source);
    for (SeenImage& image : input->overviews) study->Rename(&image.source);
    for (std::string& warning : input->warnings) study->Rename(&warning);
    for (auto& [name, value] : input->facts) study->Rename(&value);
  }
  return input;
}

}  // namespace galen::cli

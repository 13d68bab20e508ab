// DICOM files and folders.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <optional>

#include "media/dicom/dicom_file.h"
#include "media/dicom/dicom_set.h"
#include "recipes/sources.h"

namespace galen {
namespace {

DicomSetOptions SetOptions(const MediaOptions& options) {
  DicomSetOptions set;
  set.allow_mixed_patients = options.allow_mixed_patients;
  set.max_archive_bytes = options.max_archive_bytes;
  set.file = options.dicom;
  set.file.keep_identity = options.keep_identity;
  return set;
}

void AddWarnings(const std::string& path, const DicomWarnings& from, std::vector<std::string>* to) {
  for (const DicomWarning& warning : from) {
    const std::string text = path + ": " + warning.text + " (" + warning.code + ")";
    if (std::find(to->begin(), to->end(), text) == to->end()) to->push_back(text);
  }
}

// Who and when, where the user asked to keep it; each fact once.
void AddIdentity(const DicomIdentity& identity,
                 std::vector<std::pair<std::string, std::string>>* facts) {
  if (identity.kept == nullptr) return;
  const KeptIdentity& kept = *identity.kept;
  for (const auto& [name, text] :
       {std::pair("patient", &kept.patient_name), std::pair("patient id", &kept.patient_id),
        std::pair("birth date", &kept.birth_date), std::pair("accession", &kept.accession_number),
        std::pair("study date", &kept.study_date), std::pair("study", &kept.study_description),
        std::pair("series", &kept.series_description)}) {
    const std::pair<std::string, std::string> fact(name, text->Reveal());
    if (!fact.second.empty() && std::find(facts->begin(), facts->end(), fact) == facts->end())
      facts->push_back(fact);
  }
}

// File k of the set as the user may see it: names inside of a folder or an archive can be those of
// patients.
std::string FileName(const std::string& path, const DicomSet& set, int64_t k) {
  return set.files.size() == 1 ? path : path + " file " + std::to_string(k + 1);
}

// The text without the names inside of the folder.
std::string WithoutNames(std::string text, const std::string& path, const DicomSet& set,
                         int64_t k) {
  const DicomSource& source = set.files[static_cast<size_t>(k)];
  for (const std::string& name : {source.member, source.path}) {
    if (name.empty() || name == path) continue;
    for (size_t at; (at = text.find(name)) != text.npos;) {
      text.replace(at, name.size(), "file " + std::to_string(k + 1));
    }
  }
  return text;
}

Result<DicomFile> OpenFile(const std::string& path, const DicomSet& set, int64_t k) {
  Result<DicomFile> file = set.Open(k);
  if (file.ok()) return file;
  return Status(file.status().code(), WithoutNames(file.status().message(), path, set, k));
}

void AddSetWarnings(const std::string& path, const DicomSet& set, std::vector<std::string>* to) {
  AddWarnings(path, set.warnings, to);
  for (const SkippedFile& skipped : set.unreadable) {
    to->push_back(FileName(path, set, skipped.file) + ": " +
                  WithoutNames(skipped.reason, path, set, skipped.file));
  }
}

// The series to show: the one asked for, else the only one, else the one with the most slices.
Result<const DicomSeries*> ChooseSeries(const std::string& path, const DicomSet& set,
                                        const MediaOptions& options,
                                        std::vector<std::string>* warnings) {
  const DicomSeries* best = nullptr;
  const DicomSeries* asked = nullptr;
  int64_t count = 0, of_that_number = 0;
  std::string numbers;
  for (const DicomStudy& study : set.studies) {
    for (const DicomSeries& series : study.series) {
      ++count;
      const std::string number = series.series_number ? std::to_string(*series.series_number) : "?";
      numbers += (numbers.empty() ? "" : ", ") + number + " (" + series.modality + ", " +
                 std::to_string(series.slices.size()) + ")";
      if (options.series && series.series_number == options.series) {
        asked = &series;
        ++of_that_number;
      }
      if (best == nullptr || series.slices.size() > best->slices.size()) best = &series;
    }
  }
  if (of_that_number > 1) {
    return InvalidArgument(path + " has " + std::to_string(of_that_number) + " series " +
                           std::to_string(*options.series) + "; of " + numbers +
                           ", give the folder that holds the one meant alone");
  }
  if (asked != nullptr) return asked;
  if (options.series) {
    return NotFound(path + " has no series " + std::to_string(*options.series) + "; it has " +
                    numbers);
  }
  if (best == nullptr) return NotFound(path + " has no images");
  if (count > 1) {
    warnings->push_back(path + " has several series: " + numbers +
                        "; the largest is shown, --series chooses another");
  }
  return best;
}

}  // namespace

Status CheckSamePatient(std::span<const MediaFile> files, const MediaOptions& options) {
  const auto dicom = [](const MediaFile& file) { return file.kind == MediaKind::kDicom; };
  if (options.allow_mixed_patients || std::count_if(files.begin(), files.end(), dicom) < 2) {
    return OkStatus();
  }
  std::optional<DicomIdentity> first;
  for (const MediaFile& file : files) {
    if (!dicom(file)) continue;
    // Within one folder ReadDicomSet has compared them.
    ASSIGN_OR_RETURN(const DicomSet set, ReadDicomSet(file.path, SetOptions(options)));
    for (const DicomStudy& study : set.studies) {
      for (const DicomSeries& series : study.series) {
        if (first && !first->MayBeSamePatient(series.identity)) {
          return InvalidArgument(file.path +
                                 " is of another patient than the files before it; "
                                 "--allow-mixed-patients shows them together");
        }
        if (!first) first = series.identity;
      }
    }
  }
  return OkStatus();
}

Result<std::vector<std::string>> DicomModalities(const std::string& path,
                                                 const MediaOptions& options) {
  ASSIGN_OR_RETURN(const DicomSet set, ReadDicomSet(path, SetOptions(options)));
  std::vector<std::string> modalities;
  for (const DicomStudy& study : set.studies) {
    for (const DicomSeries& series : study.series) modalities.push_back(series.modality);
  }
  return modalities;
}

Status AddDicomPhotos(const std::string& path, const Recipe& recipe, const MediaOptions& options,
                      MediaInput* input) {
  ASSIGN_OR_RETURN(const DicomSet set, ReadDicomSet(path, SetOptions(options)));
  AddSetWarnings(path, set, &input->warnings);
  const int64_t most = options.max_images > 0 ? options.max_images : recipe.max_images;
  for (const DicomStudy& study : set.studies) {
    for (const DicomSeries& series : study.series) {
      if (options.series && series.series_number != options.series) continue;
      AddWarnings(path, series.warnings, &input->warnings);
      AddIdentity(series.identity, &input->facts);
      for (const DicomSlice& slice : series.slices) {
        if (static_cast<int64_t>(input->images.size()) >= most) {
          return ResourceExhausted(path + " has more than " + std::to_string(most) +
                                   " pictures; choose a series, or a recipe for series");
        }
        ASSIGN_OR_RETURN(const DicomFile file, OpenFile(path, set, slice.file));
        const std::string name = FileName(path, set, slice.file);
        AddWarnings(name, file.warnings(), &input->warnings);
        RETURN_IF_ERROR(CheckPixels(*input, file.info().format.pixels(), options));
        RenderReport report;
        RenderOptions render;
        if (options.window) {
          render.window.emplace();
          render.window->center = (*options.window)[0];
          render.window->width = (*options.window)[1];
        }
        Result<Image> image = file.Render(slice.frame, render, &report);
        if (!image.ok()) return image.status().WithContext(name);
        AddWarnings(name, report.warnings, &input->warnings);
        SeenImage seen;
        seen.to_source.source_width = image->width;
        seen.to_source.source_height = image->height;
        seen.image = ToRgb(*std::move(image));
        seen.source = file.frames() > 1 ? name + " frame " + std::to_string(slice.frame + 1) : name;
        seen.recipe = recipe.Id();
        input->images.push_back(std::move(seen));
        if (const auto spacing = file.Geometry(slice.frame).spacing) {
          input->facts.emplace_back("spacing", Millimetres({(*spacing)[1], (*spacing)[0]}));
        }
        std::string window = report.voi.empty() ? report.colour : report.voi;
        if (report.window) {
          char text[96];
          std::snprintf(text, sizeof(text), ", centre %g width %g", report.window->center,
                        report.window->width);
          window += text;
        }
        if (report.inverted) window += ", inverted to bright bones";
        input->facts.emplace_back("window", window);
      }
    }
  }
  if (input->images.empty()) return NotFound(path + " has no pictures");
  return OkStatus();
}

Result<SliceStack> OpenDicomStack(const std::string& path, const MediaOptions& options) {
  ASSIGN_OR_RETURN(DicomSet read, ReadDicomSet(path, SetOptions(options)));
  auto set = std::make_shared<const DicomSet>(std::move(read));
  SliceStack stack;
  AddSetWarnings(path, *set, &stack.warnings);
  ASSIGN_OR_RETURN(const DicomSeries* const series,
                   ChooseSeries(path, *set, options, &stack.warnings));
  AddWarnings(path, series->warnings, &stack.warnings);
  AddIdentity(series->identity, &stack.facts);
  stack.modality = series->modality;
  stack.count = static_cast<int64_t>(series->slices.size());
  if (stack.count == 0) return NotFound(path + " has no slices");
  const bool backwards = RunsBackwards(*series);
  const int64_t count = stack.count;
  const auto slice_at = [set, series, backwards, count](int64_t i) {
    return series->slices[static_cast<size_t>(backwards ? count - 1 - i : i)];
  };
  stack.read = [set, slice_at, path](int64_t i) -> Result<SliceStack::Slice> {
    const DicomSlice slice = slice_at(i);
    ASSIGN_OR_RETURN(const DicomFile file, OpenFile(path, *set, slice.file));
    Result<std::vector<float>> values = file.ReadPhysical(slice.frame);
    if (!values.ok()) return values.status().WithContext(FileName(path, *set, slice.file));
    return SliceStack::Slice{file.info().format.columns, file.info().format.rows,
                             *std::move(values)};
  };
  stack.name = [path, count](int64_t i) {
    return path + " slice " + std::to_string(i + 1) + " of " + std::to_string(count);
  };
  ASSIGN_OR_RETURN(const DicomFile first, OpenFile(path, *set, slice_at(0).file));
  stack.unit = first.PhysicalUnit(slice_at(0).frame);
  // CT values are Hounsfield units unless the file says otherwise (PS3.3 C.8.2.1.1.2).
  if (stack.unit.empty() && stack.modality == "CT") stack.unit = "HU";
  const DicomGeometry geometry = first.Geometry(slice_at(0).frame);
  if (geometry.spacing) {
    std::string text = Millimetres({(*geometry.spacing)[1], (*geometry.spacing)[0]});
    if (series->slice_spacing)
      text += ", slices " + Millimetres({*series->slice_spacing}) + " apart";
    stack.facts.emplace_back("spacing", text);
  }
  stack.facts.emplace_back(
      "order", series->order + (backwards ? ", from the end with the lower instance numbers" : ""));
  return stack;
}

}  // namespace galen

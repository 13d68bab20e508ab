// Series of DICOM files.
#include <algorithm>
#include <memory>
#include <optional>

#include "recipes/dicom_text.h"
#include "recipes/sources.h"

namespace galen {
namespace {

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
    ASSIGN_OR_RETURN(const DicomSet set, ReadDicomSet(file.path, DicomSetOptionsOf(options)));
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
  ASSIGN_OR_RETURN(const DicomSet set, ReadDicomSet(path, DicomSetOptionsOf(options)));
  std::vector<std::string> modalities;
  for (const DicomStudy& study : set.studies) {
    for (const DicomSeries& series : study.series) modalities.push_back(series.modality);
  }
  return modalities;
}

Result<SliceStack> OpenDicomStack(const std::string& path, const MediaOptions& options) {
  ASSIGN_OR_RETURN(DicomSet read, ReadDicomSet(path, DicomSetOptionsOf(options)));
  auto set = std::make_shared<const DicomSet>(std::move(read));
  SliceStack stack;
  AddDicomSetWarnings(path, *set, &stack.warnings);
  ASSIGN_OR_RETURN(const DicomSeries* const series,
                   ChooseSeries(path, *set, options, &stack.warnings));
  AddDicomWarnings(path, series->warnings, &stack.warnings);
  AddDicomIdentity(series->identity, &stack.facts);
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
    ASSIGN_OR_RETURN(const DicomFile file, OpenDicomFile(path, *set, slice.file));
    Result<std::vector<float>> values = file.ReadPhysical(slice.frame);
    if (!values.ok()) return values.status().WithContext(DicomFileName(path, *set, slice.file));
    return SliceStack::Slice{file.info().format.columns, file.info().format.rows,
                             *std::move(values)};
  };
  stack.name = [path, count](int64_t i) {
    return path + " slice " + std::to_string(i + 1) + " of " + std::to_string(count);
  };
  ASSIGN_OR_RETURN(const DicomFile first, OpenDicomFile(path, *set, slice_at(0).file));
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

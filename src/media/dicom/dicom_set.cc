#include "media/dicom/dicom_set.h"

#include <algorithm>
#include <atomic>
#include <limits>
#include <map>
#include <mutex>
#include <tuple>

#include "base/threads.h"
#include "media/dicom/file_sources.h"
#include "media/dicom/parsed_file.h"
#include "media/dicom/patients.h"
#include "media/dicom/series_order.h"

namespace galen {
namespace {

using dicom::SliceHeader;

// What is kept of a file once its header was read.
struct FileHeader {
  Status status;
  DicomInfo info;
  std::string study_moment;  // date and time, to sort by; never leaves this file
  std::vector<SliceHeader> slices;
};

Result<DicomFile> OpenSource(const DicomSource& source, const DicomOptions& options) {
  if (source.bytes == nullptr) return DicomFile::Open(source.path, options);
  return DicomFile::Parse(source.bytes, options);
}

FileHeader ReadHeader(const DicomSource& source, int64_t index, const DicomOptions& options,
                      std::atomic<int64_t>* slices_left) {
  FileHeader header;
  const Result<DicomFile> file = OpenSource(source, options);
  if (!file.ok()) {
    header.status = file.status();
    return header;
  }
  header.info = file->info();
  const dicom::DataSet& data_set = file->parsed().data_set();
  header.study_moment = data_set.Text(dicom::kStudyDate) + " " + data_set.Text(dicom::kStudyTime);
  if (!header.info.has_pixels) return header;
  const Result<DicomTiling> tiling = file->Tiling();
  const int64_t count = tiling.ok() ? 1 : file->frames();
  if (slices_left->fetch_sub(count) < count) {
    header.status = ResourceExhausted("the set holds more slices than the limit");
    return header;
  }
  DicomWarnings ignored;  // a set of hundreds of files would repeat them hundreds of times
  for (int64_t frame = 0; frame < count; ++frame) {
    SliceHeader slice;
    slice.slice = {index, frame, 0, std::nullopt, header.info.instance_number};
    slice.geometry = dicom::ReadGeometry(data_set, frame, &ignored);
    slice.instance = header.info.identity.instance;
    slice.acquisition_number = header.info.acquisition_number;
    slice.rows = header.info.format.rows;
    slice.columns = header.info.format.columns;
    if (tiling.ok()) slice.level_columns = tiling->total_columns;
    header.slices.push_back(std::move(slice));
  }
  return header;
}

std::vector<FileHeader> ReadHeaders(const std::vector<DicomSource>& sources,
                                    const DicomSetOptions& options) {
  std::vector<FileHeader> headers(sources.size());
  std::atomic<int64_t> slices_left = options.max_slices;
  const int wanted = options.threads > 0 ? options.threads : AvailableProcessors();
  ThreadPool pool(
      static_cast<int>(std::clamp<int64_t>(static_cast<int64_t>(sources.size()), 1, wanted)));
  WorkQueue queue(static_cast<int64_t>(sources.size()), 8);
  pool.Run([&](int) {
    int64_t begin = 0;
    int64_t end = 0;
    while (queue.Next(&begin, &end)) {
      for (int64_t i = begin; i < end; ++i) {
        headers[static_cast<size_t>(i)] =
            ReadHeader(sources[static_cast<size_t>(i)], i, options.file, &slices_left);
      }
    }
  });
  return headers;
}

using Key = std::tuple<int64_t, uint64_t, uint64_t>;
Key KeyOf(int64_t patient, const Digest128& digest) { return {patient, digest.high, digest.low}; }

struct SeriesParts {
  DicomSeries series;
  std::vector<SliceHeader> slices;
};

struct StudyParts {
  DicomStudy study;
  std::string moment;
  std::map<Key, size_t> index;
  std::vector<SeriesParts> series;
};

void AddFile(FileHeader header, int64_t file, StudyParts* study) {
  if (!header.info.has_pixels) {
    study->study.documents.push_back(file);
    return;
  }
  const auto [entry, is_new] =
      study->index.emplace(KeyOf(0, header.info.identity.series), study->series.size());
  if (is_new) {
    DicomSeries& series = study->series.emplace_back().series;
    series.modality = header.info.modality;
    series.body_part = header.info.body_part;
    series.series_number = header.info.series_number;
    series.identity = header.info.identity;
  }
  std::vector<SliceHeader>& slices = study->series[entry->second].slices;
  slices.insert(slices.end(), std::make_move_iterator(header.slices.begin()),
                std::make_move_iterator(header.slices.end()));
}

void Finish(std::vector<StudyParts> studies, DicomSet* set) {
  std::stable_sort(studies.begin(), studies.end(),
                   [](const StudyParts& a, const StudyParts& b) { return a.moment < b.moment; });
  for (StudyParts& study : studies) {
    for (SeriesParts& parts : study.series) {
      dicom::OrderSeries(std::move(parts.slices), &parts.series);
      study.study.series.push_back(std::move(parts.series));
    }
    std::stable_sort(study.study.series.begin(), study.study.series.end(),
                     [](const DicomSeries& a, const DicomSeries& b) {
                       constexpr int64_t kLast = std::numeric_limits<int64_t>::max();
                       return a.series_number.value_or(kLast) < b.series_number.value_or(kLast);
                     });
    set->studies.push_back(std::move(study.study));
  }
}

}  // namespace

Result<DicomFile> DicomSet::Open(int64_t file) const {
  if (file < 0 || static_cast<size_t>(file) >= files.size())
    return InvalidArgument("the set has no file " + std::to_string(file));
  return OpenSource(files[static_cast<size_t>(file)], options);
}

Result<DicomSet> ReadDicomSet(const std::string& path, const DicomSetOptions& options) {
  DicomSet set;
  set.options = options.file;
  ASSIGN_OR_RETURN(set.files, dicom::FindSources(path, options, &set.warnings));
  std::vector<FileHeader> headers = ReadHeaders(set.files, options);
  dicom::Patients patients;
  std::map<Key, size_t> index;
  std::vector<StudyParts> studies;
  int64_t images = 0;
  for (size_t i = 0; i < headers.size(); ++i) {
    FileHeader& header = headers[i];
    const int64_t file = static_cast<int64_t>(i);
    if (!header.status.ok()) {
      if (header.status.code() == StatusCode::kInvalidArgument) {
        ++set.not_dicom;
      } else {
        set.unreadable.push_back({file, header.status.message()});
      }
      continue;
    }
    if (header.info.sop_class.empty() &&
        !header.info.has_pixels) {  // a DICOMDIR, or no image at all
      ++set.not_dicom;
      continue;
    }
    images += header.info.has_pixels;
    const int64_t patient = patients.Number(header.info.identity);
    const auto [entry, is_new] =
        index.emplace(KeyOf(patient, header.info.identity.study), studies.size());
    if (is_new) {
      studies.emplace_back().study.patient = patient;
      studies.back().moment = header.study_moment;
    }
    AddFile(std::move(header), file, &studies[entry->second]);
  }
  if (patients.count() > 1) {
    if (!options.allow_mixed_patients) {
      return InvalidArgument(
          path + " mixes " + std::to_string(patients.count()) +
          " patients; give one patient's files, or allow mixed patients expressly");
    }
    set.warnings.push_back(
        {"mixed-patients", "the set holds " + std::to_string(patients.count()) + " patients"});
  }
  if (images == 0 && studies.empty()) {
    const std::string why = set.unreadable.empty()
                                ? ""
                                : "; the first that could not be read: " + set.unreadable[0].reason;
    return NotFound("no DICOM image in " + path + " (" + std::to_string(set.not_dicom) +
                    " other files, " + std::to_string(set.unreadable.size()) + " unreadable ones)" +
                    why);
  }
  if (!set.unreadable.empty()) {
    set.warnings.push_back({"unreadable-files",
                            std::to_string(set.unreadable.size()) + " DICOM files cannot be read"});
  }
  Finish(std::move(studies), &set);
  return set;
}

bool RunsBackwards(const DicomSeries& series) {
  const std::vector<DicomSlice>& slices = series.slices;
  return slices.size() > 1 && slices.front().instance_number && slices.back().instance_number &&
         *slices.front().instance_number > *slices.back().instance_number;
}

Status ForEachSlice(
    const DicomSet& set, const DicomSeries& series, std::span<const int64_t> which, int threads,
    const std::function<Status(int64_t k, const DicomFile& file, const DicomSlice& slice)>& fn) {
  for (const int64_t k : which) {
    if (k < 0 || static_cast<size_t>(k) >= series.slices.size())
      return InvalidArgument("the series has no slice " + std::to_string(k));
  }
  const int wanted = threads > 0 ? threads : AvailableProcessors();
  const int64_t total = static_cast<int64_t>(which.size());
  ThreadPool pool(static_cast<int>(std::clamp<int64_t>(total, 1, wanted)));
  WorkQueue queue(total, 2);
  std::mutex mutex;
  Status first;
  std::atomic<bool> failed = false;
  const auto one = [&](int64_t k, std::optional<DicomFile>* open, int64_t* open_file) -> Status {
    const DicomSlice& slice = series.slices[static_cast<size_t>(k)];
    if (!open->has_value() ||
        *open_file != slice.file) {  // the slices of a multi-frame file share its header
      ASSIGN_OR_RETURN(*open, set.Open(slice.file));
      *open_file = slice.file;
    }
    return fn(k, **open, slice);
  };
  pool.Run([&](int) {
    std::optional<DicomFile> open;
    int64_t open_file = -1;
    int64_t begin = 0;
    int64_t end = 0;
    while (!failed && queue.Next(&begin, &end)) {
      for (int64_t i = begin; i < end && !failed; ++i) {
        const Status status = one(which[static_cast<size_t>(i)], &open, &open_file);
        if (status.ok()) continue;
        const std::lock_guard<std::mutex> lock(mutex);
        if (!failed.exchange(true)) first = status;
      }
    }
  });
  return first;
}

}  // namespace galen

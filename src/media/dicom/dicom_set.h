// A folder, a DICOMDIR, an archive or one file -> studies and series in the order in which they are
// to be looked at. Headers are read first, by all threads; pixels when they are asked for.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "media/dicom/dicom_file.h"
#include "media/dicom/options.h"

namespace galen {

struct DicomSetOptions {
  DicomOptions file;
  int threads = 0;                    // 0: as many as processors
  bool allow_mixed_patients = false;  // else a set of two patients is refused
  int64_t max_files = 100000;
  int64_t max_slices = int64_t{1} << 17;         // frames of all files together
  int64_t max_archive_bytes = int64_t{2} << 30;  // unpacked, and held in memory
};

// One picture of a series: a frame of a file.
struct DicomSlice {
  int64_t file = 0;  // index into DicomSet::files()
  int64_t frame = 0;
  int64_t time_point = 0;          // from 0
  std::optional<double> location;  // millimetres along the normal of the plane
  std::optional<int64_t> instance_number;
};

struct DicomSeries {
  std::string modality, body_part;
  std::optional<int64_t> series_number;
  std::vector<DicomSlice> slices;
  // How slices were sorted: "position along the normal" (within an orientation and a time point),
  // "instance number", "order of the files" or "size of the level" (whole slides: one slice per
  // file, its frame 0).
  std::string order;
  std::optional<std::array<double, 3>> normal;  // of the first orientation
  std::optional<double> slice_spacing;          // median step along it, millimetres
  int64_t time_points = 1;
  // mixed-orientation, mixed-spacing, mixed-size, missing-slices, uneven-spacing,
  // duplicate-position, duplicate-instance, several-time-points, tilted-gantry, no-positions,
  // missing-instances.
  DicomWarnings warnings;
  DicomIdentity identity;  // of the first file
};

struct DicomStudy {
  int64_t patient = 0;              // equal numbers, same patient
  std::vector<DicomSeries> series;  // by series number
  std::vector<int64_t> documents;   // files without pixels: reports, encapsulated PDF
};

struct DicomSource {
  std::string path;                                   // of the file or the archive
  std::string member;                                 // inside of an archive
  std::shared_ptr<const std::vector<uint8_t>> bytes;  // of an archive's member
};

struct SkippedFile {
  int64_t file = 0;
  std::string reason;
};

class DicomSet {
 public:
  std::vector<DicomStudy> studies;  // by study date and time, the earliest first
  std::vector<DicomSource> files;
  std::vector<SkippedFile> unreadable;  // DICOM, but broken or above a limit
  int64_t not_dicom = 0;                // other files, which is no error
  DicomWarnings warnings;
  DicomOptions options;

  Result<DicomFile> Open(int64_t file) const;
};

// kNotFound when there is no image at all; kInvalidArgument when patients are mixed.
Result<DicomSet> ReadDicomSet(const std::string& path, const DicomSetOptions& options = {});

// The order in which a model sees a series, by Google's notebook that of the instance numbers, is
// the one along the normal or, where this is true, against it. Positions are safer to sort by; the
// numbers say from which end to begin.
bool RunsBackwards(const DicomSeries& series);

// Calls fn(k, file, slice) for each of `which` (indices into series.slices), several at a time,
// each k on one thread. Stops at the first error and returns it. fn must not throw.
Status ForEachSlice(
    const DicomSet& set, const DicomSeries& series, std::span<const int64_t> which, int threads,
    const std::function<Status(int64_t k, const DicomFile& file, const DicomSlice& slice)>& fn);

}  // namespace galen

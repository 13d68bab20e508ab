// Which files belong to a set: those of a folder, those that a DICOMDIR lists, the members of an
// archive, or one file.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "media/dicom/dicom_set.h"

namespace galen::dicom {

Result<std::vector<DicomSource>> FindSources(const std::string& path,
                                             const DicomSetOptions& options,
                                             DicomWarnings* warnings);

// The files that the records of a directory name, as paths below its folder (PS3.10 8.2: components
// of letters, digits and underscores). Names that could lead elsewhere are left out and counted in
// *refused.
std::vector<std::string> ReferencedFiles(const DataSet& directory, int64_t* refused);

// Members of a zip or tar archive (also gzipped) that look like DICOM, unpacked into memory and
// nowhere else.
Result<std::vector<DicomSource>> ReadArchive(const std::string& path,
                                             const DicomSetOptions& options,
                                             DicomWarnings* warnings);

}  // namespace galen::dicom

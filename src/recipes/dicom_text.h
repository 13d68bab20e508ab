// What is said of DICOM files: nothing that identifies a patient, unless the user asked to keep it.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "media/dicom/dicom_file.h"
#include "media/dicom/dicom_set.h"
#include "recipes/files.h"

namespace galen {

DicomSetOptions DicomSetOptionsOf(const MediaOptions& options);

// "PATH: text (code)" for each warning that *to has not yet.
void AddDicomWarnings(const std::string& path, const DicomWarnings& from,
                      std::vector<std::string>* to);
// Who and when, where the user asked to keep it; each fact once.
void AddDicomIdentity(const DicomIdentity& identity,
                      std::vector<std::pair<std::string, std::string>>* facts);

// File k of the set as the user may see it: names inside of a folder or an archive can be those of
// patients.
std::string DicomFileName(const std::string& path, const DicomSet& set, int64_t k);
// The text without the names inside of the folder.
std::string WithoutNames(std::string text, const std::string& path, const DicomSet& set, int64_t k);

// File k; errors without names.
Result<DicomFile> OpenDicomFile(const std::string& path, const DicomSet& set, int64_t k);
// Of the whole set, and of the files in it that cannot be read.
void AddDicomSetWarnings(const std::string& path, const DicomSet& set,
                         std::vector<std::string>* to);

}  // namespace galen

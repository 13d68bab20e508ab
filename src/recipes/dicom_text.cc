#include "recipes/dicom_text.h"

#include <algorithm>

namespace galen {

DicomSetOptions DicomSetOptionsOf(const MediaOptions& options) {
  DicomSetOptions set;
  set.allow_mixed_patients = options.allow_mixed_patients;
  set.max_archive_bytes = options.max_archive_bytes;
  set.file = options.dicom;
  set.file.keep_identity = options.keep_identity;
  return set;
}

void AddDicomWarnings(const std::string& path, const DicomWarnings& from,
                      std::vector<std::string>* to) {
  for (const DicomWarning& warning : from) {
    const std::string text = path + ": " + warning.text + " (" + warning.code + ")";
    if (std::find(to->begin(), to->end(), text) == to->end()) to->push_back(text);
  }
}

void AddDicomIdentity(const DicomIdentity& identity,
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

std::string DicomFileName(const std::string& path, const DicomSet& set, int64_t k) {
  return set.files.size() == 1 ? path : path + " file " + std::to_string(k + 1);
}

std::string WithoutNames(std::string text, const std::string& path, const DicomSet& set,
                         int64_t k) {
  const DicomSource& source = set.files[static_cast<size_t>(k)];
  for (const std::string& name : {source.member, source.path}) {
    if (name.empty() || name == path) continue;
    const std::string number = "file " + std::to_string(k + 1);
    for (size_t at = 0; (at = text.find(name, at)) != text.npos; at += number.size()) {
      text.replace(at, name.size(), number);
    }
  }
  return text;
}

Result<DicomFile> OpenDicomFile(const std::string& path, const DicomSet& set, int64_t k) {
  Result<DicomFile> file = set.Open(k);
  if (file.ok()) return file;
  return Status(file.status().code(), WithoutNames(file.status().message(), path, set, k));
}

void AddDicomSetWarnings(const std::string& path, const DicomSet& set,
                         std::vector<std::string>* to) {
  AddDicomWarnings(path, set.warnings, to);
  for (const SkippedFile& skipped : set.unreadable) {
    to->push_back(DicomFileName(path, set, skipped.file) + ": " +
                  WithoutNames(skipped.reason, path, set, skipped.file));
  }
}

}  // namespace galen

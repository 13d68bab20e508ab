#include "media/dicom/file_sources.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "base/files.h"
#include "media/dicom/part10.h"

namespace galen::dicom {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kDirectoryClass = "1.2.840.10008.1.3.10";

// Files below `path`, in the order of their names. Links to folders are not followed: they may lead
// in circles.
Result<std::vector<DicomSource>> ListFolder(const std::string& path,
                                            const DicomSetOptions& options) {
  std::error_code error;
  std::vector<DicomSource> sources;
  fs::recursive_directory_iterator entry(path, fs::directory_options::skip_permission_denied,
                                         error);
  if (error) return IoError("cannot read the folder " + path + ": " + error.message());
  for (; entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    if (error) return IoError("cannot read the folder " + path + ": " + error.message());
    if (!entry->is_regular_file(error) || error) continue;
    if (static_cast<int64_t>(sources.size()) >= options.max_files) {
      return ResourceExhausted(path + " holds more than " + std::to_string(options.max_files) +
                               " files");
    }
    sources.push_back({entry->path().string(), "", nullptr});
  }
  std::sort(sources.begin(), sources.end(),
            [](const DicomSource& a, const DicomSource& b) { return a.path < b.path; });
  return sources;
}

bool IsArchive(std::span<const uint8_t> bytes) {
  const auto starts = [&](std::string_view magic, size_t at) {
    return bytes.size() >= at + magic.size() &&
           std::memcmp(bytes.data() + at, magic.data(), magic.size()) == 0;
  };
  return starts("PK\x03\x04", 0) || starts("\x1F\x8B", 0) || starts("ustar", 257);
}

bool IsComponent(const std::string& name) {
  return !name.empty() && name.size() <= 64 &&
         name.find_first_not_of(
             "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") ==
             std::string::npos;
}

Result<std::vector<DicomSource>> ListDirectory(const std::string& path, const DataSet& directory,
                                               const DicomSetOptions& options,
                                               DicomWarnings* warnings) {
  int64_t refused = 0;
  int64_t missing = 0;
  std::vector<DicomSource> sources;
  const fs::path folder = fs::path(path).parent_path();
  for (const std::string& name : ReferencedFiles(directory, &refused)) {
    if (static_cast<int64_t>(sources.size()) >= options.max_files) {
      return ResourceExhausted("the DICOMDIR names more than " + std::to_string(options.max_files) +
                               " files");
    }
    const std::string file = (folder / name).string();
    if (FileExists(file)) {
      sources.push_back({file, "", nullptr});
    } else {
      ++missing;
    }
  }
  if (refused > 0) {
    warnings->push_back(
        {"directory-entry-refused", std::to_string(refused) +
                                        " entries of the DICOMDIR have names that DICOM does not "
                                        "allow and were left out"});
  }
  if (missing > 0)
    warnings->push_back({"directory-file-missing",
                         std::to_string(missing) + " files of the DICOMDIR do not exist"});
  return sources;
}

}  // namespace

std::vector<std::string> ReferencedFiles(const DataSet& directory, int64_t* refused) {
  std::vector<std::string> files;
  for (const DataSet& record : directory.Items(kDirectoryRecords)) {
    if (!record.Has(kReferencedFileId)) continue;
    const std::vector<std::string> components = record.Texts(kReferencedFileId);
    if (components.size() > 8 || !std::all_of(components.begin(), components.end(), IsComponent)) {
      ++*refused;
      continue;
    }
    std::string name = components[0];
    for (size_t i = 1; i < components.size(); ++i) name += "/" + components[i];
    files.push_back(std::move(name));
  }
  return files;
}

Result<std::vector<DicomSource>> FindSources(const std::string& path,
                                             const DicomSetOptions& options,
                                             DicomWarnings* warnings) {
  if (IsDirectory(path)) return ListFolder(path, options);
  ASSIGN_OR_RETURN(const std::shared_ptr<MappedFile> file, MappedFile::Open(path));
  if (IsArchive(file->bytes())) return ReadArchive(path, options, warnings);
  DicomWarnings ignored;
  const Result<Part10> parsed = ParsePart10(file->bytes(), options.file, &ignored);
  if (!parsed.ok()) return parsed.status().WithContext(path);
  if (parsed->data_set.Has(kDirectoryRecords) ||
      parsed->data_set.Text(kSopClass) == kDirectoryClass) {
    return ListDirectory(path, parsed->data_set, options, warnings);
  }
  return std::vector<DicomSource>{{path, "", nullptr}};
}

}  // namespace galen::dicom

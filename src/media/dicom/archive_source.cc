#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <memory>

#include "media/dicom/file_sources.h"
#include "media/dicom/part10.h"

namespace galen::dicom {
namespace {

struct Close {
  void operator()(archive* reader) const { archive_read_free(reader); }
};

std::string Message(archive* reader) {
  const char* text = archive_error_string(reader);
  return text == nullptr ? "unknown error" : text;
}

// Unpacks the current member. What a header says of its size is not believed; the bytes that come
// are counted.
Result<std::vector<uint8_t>> Unpack(archive* reader, int64_t limit) {
  std::vector<uint8_t> bytes;
  uint8_t piece[1 << 16];
  while (true) {
    const la_ssize_t n = archive_read_data(reader, piece, sizeof(piece));
    if (n == 0) return bytes;
    if (n < 0) return DataLoss(Message(reader));
    if (static_cast<int64_t>(bytes.size()) + n > limit) return ResourceExhausted("");
    bytes.insert(bytes.end(), piece, piece + n);
    // A member that is no DICOM file is not worth the rest of its bytes.
    if (bytes.size() >= 256 && !LooksLikeDicom(bytes)) return bytes;
  }
}

}  // namespace

Result<std::vector<DicomSource>> ReadArchive(const std::string& path,
                                             const DicomSetOptions& options,
                                             DicomWarnings* warnings) {
  const std::unique_ptr<archive, Close> reader(archive_read_new());
  if (!reader) return ResourceExhausted("libarchive cannot start");
  archive_read_support_filter_gzip(reader.get());
  archive_read_support_format_zip(reader.get());
  archive_read_support_format_tar(reader.get());
  if (archive_read_open_filename(reader.get(), path.c_str(), size_t{1} << 16) != ARCHIVE_OK) {
    return DataLoss(path + ": cannot open the archive: " + Message(reader.get()));
  }
  std::vector<DicomSource> sources;
  int64_t left = options.max_archive_bytes;
  int64_t members = 0;
  int64_t broken = 0;
  archive_entry* entry = nullptr;
  int code = ARCHIVE_OK;
  while ((code = archive_read_next_header(reader.get(), &entry)) == ARCHIVE_OK ||
         code == ARCHIVE_WARN) {
    if (++members > options.max_files) {
      return ResourceExhausted(path + " holds more than " + std::to_string(options.max_files) +
                               " members");
    }
    if (archive_entry_filetype(entry) != AE_IFREG) continue;
    const char* name = archive_entry_pathname(entry);
    const std::string member = name == nullptr ? "" : name;
    Result<std::vector<uint8_t>> bytes = Unpack(reader.get(), left);
    if (!bytes.ok() && bytes.status().code() == StatusCode::kResourceExhausted) {
      return ResourceExhausted(path + " unpacks to more than the limit of " +
                               std::to_string(options.max_archive_bytes) + " bytes");
    }
    if (!bytes.ok()) {
      ++broken;
      continue;
    }
    if (!LooksLikeDicom(*bytes))
      bytes->clear(), bytes->shrink_to_fit();  // counted by its reader as no DICOM file
    left -= static_cast<int64_t>(bytes->size());
    sources.push_back(
        {path, member, std::make_shared<const std::vector<uint8_t>>(*std::move(bytes))});
  }
  if (code != ARCHIVE_EOF) {
    if (sources.empty())
      return DataLoss(path + ": cannot read the archive: " + Message(reader.get()));
    warnings->push_back(
        {"archive-cut-off", "the archive ends early or is broken; what came before is read"});
  }
  if (broken > 0) {
    warnings->push_back({"archive-member-broken",
                         std::to_string(broken) +
                             " members of the archive cannot be unpacked (encrypted or corrupt)"});
  }
  std::sort(sources.begin(), sources.end(),
            [](const DicomSource& a, const DicomSource& b) { return a.member < b.member; });
  return sources;
}

}  // namespace galen::dicom

// What a DicomFile holds. Internal to the reader.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "base/files.h"
#include "media/dicom/dicom_info.h"
#include "media/dicom/frame_index.h"
#include "media/dicom/part10.h"

namespace galen::dicom {

struct ParsedFile {
  // One of the two owns the bytes.
  std::shared_ptr<const MappedFile> mapped;
  std::shared_ptr<const std::vector<uint8_t>> memory;

  Part10 part10;
  DicomInfo info;
  DicomWarnings warnings;

  const DataSet& data_set() const { return part10.data_set; }

  // The index of a compressed image; a slide has many thousand fragments, so that it is made when a
  // frame is first read.
  const Result<FrameIndex>& Fragments() const;

 private:
  mutable std::once_flag indexed_;
  mutable std::optional<Result<FrameIndex>> index_;
};

// Parses bytes that `file` owns.
Status ParseInto(std::span<const uint8_t> bytes, const DicomOptions& options, ParsedFile* file);

}  // namespace galen::dicom

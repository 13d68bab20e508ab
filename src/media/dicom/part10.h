// Files of PS3.10: preamble, prefix, meta information, then the data set in the transfer syntax
// that the meta names. Files without preamble or meta information are read too, with a warning.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/status.h"
#include "media/dicom/data_set.h"
#include "media/dicom/options.h"
#include "media/dicom/transfer_syntax.h"

namespace galen::dicom {

struct Part10 {
  const TransferSyntax* syntax = nullptr;
  DataSet data_set;
  std::shared_ptr<const std::vector<uint8_t>>
      inflated;  // what data_set points into, for the deflated syntax
};

// True when the bytes carry the DICM prefix, or begin as a data set does.
bool LooksLikeDicom(std::span<const uint8_t> bytes);

// Parses a file; `bytes` must outlive the result.
Result<Part10> ParsePart10(std::span<const uint8_t> bytes, const DicomOptions& options,
                           DicomWarnings* warnings);

}  // namespace galen::dicom

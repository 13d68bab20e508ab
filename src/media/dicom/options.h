// Limits of the DICOM reader, and what it says beside a result.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace galen {

struct DicomOptions {
  // Keep names, identifiers, dates and free text (see identity.h). Off: they are compared as
  // digests and then forgotten.
  bool keep_identity = false;
  int64_t max_frame_bytes = int64_t{1} << 30;     // one decoded frame
  int64_t max_inflated_bytes = int64_t{1} << 30;  // a data set of the deflated transfer syntax
  int64_t max_elements = int64_t{1} << 22;        // elements of a data set, nested ones included
  int max_depth = 32;                             // sequences inside sequences
};

// Something that the reader noticed and went on from. `code` is a fixed word for programs, `text` a
// sentence for people; neither holds a value that identifies a patient.
struct DicomWarning {
  std::string code;
  std::string text;
};
using DicomWarnings = std::vector<DicomWarning>;

}  // namespace galen

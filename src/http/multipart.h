// Bodies of multipart/form-data (RFC 7578) and multipart/related (RFC 2387), strictly: what two
// readers could take differently is refused. Nothing is copied but names.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace galen {

struct FormPart {
  std::string name;
  std::string filename;      // as sent; nothing may open it
  std::string content_type;  // as sent
  std::string_view body;     // points into what was parsed
  bool is_file = false;      // a filename was given, if an empty one
};

struct FormLimits {
  size_t parts = 64;
  size_t header_bytes = 4096;  // of one part
};

// True where the header's type is multipart/form-data.
bool IsForm(std::string_view content_type);

// InvalidArgument: a boundary that is none, headers that are wrong or repeated, parts without a
// name, bytes before the first part or behind the last one, a body that ends early.
// ResourceExhausted: a limit. Messages quote nothing of the body. The parts point into `body`.
Result<std::vector<FormPart>> ParseForm(std::string_view content_type, std::string_view body,
                                        const FormLimits& limits = {});

struct RelatedPart {
  std::string content_type;  // as sent
  std::string_view body;     // points into what was parsed
};

// multipart/related whose parts are of `type` ("application/dicom"), by its parameter of that name
// and by their own headers. An empty line may stand before the first boundary, as clients of
// DICOMweb write it. Unsupported: another type. Else errors as of ParseForm.
Result<std::vector<RelatedPart>> ParseRelated(std::string_view content_type, std::string_view type,
                                              std::string_view body, const FormLimits& limits = {});

}  // namespace galen

// Files with the fields beside them, as a form (multipart/form-data) or as JSON.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dicomnet/inbox.h"
#include "extract/source/case.h"
#include "server/api/errors.h"
#include "server/api/fields.h"
#include "server/services.h"

namespace galen::server {

// A form's values are texts; this says which of them stand for something else.
enum class FormValue { kBool, kNumber };
struct FormField {
  std::string_view name;
  FormValue value;
};

struct Upload {
  std::vector<extract::NamedBytes> files;      // names without folders or control characters
  std::optional<dicomnet::Study> study;        // instead of files: one that was received
  std::vector<std::string> warnings = {};      // what was not to be had of the study
  OrderedJson fields = OrderedJson::object();  // without the files and the study
};

enum class StudyUse { kRefused, kTaken };

// From the body. False with an error: 400 for a body that cannot be read, 413 for more files than
// ServerOptions::max_files, 415 for another type, 422 for wrong types; of studies 403 where the key
// may not, 404 where there is none of this UID, 501 where the server takes none; of those of a
// DICOMweb server 429, 502, 503 and 507, too. Those are retrieved here.
//   form: parts "file" (repeated), and one part for each field
//   JSON: {"files": [{"name": "a.pdf", "data": BASE64 or data URL}], fields...}
//   with kTaken instead of files: the field "study", a Study Instance UID or dicomweb:NAME/UID
bool ReadUpload(const Services& services, const HttpRequest& request,
                std::span<const FormField> typed, StudyUse studies, Upload* upload,
                ApiError* error);

// SHA-256 of each file, for the audit log; nothing where none is kept.
std::vector<std::string> DigestsOf(const Services& services, const Upload& upload);

// A field that is wrong: 422.
ApiError ErrorOfField(const Status& status, const std::string& field);

// A model by the name in `field`. Absent: ModelRegistry::Only. False: 404, or 422 without a name.
bool FindNamedModel(const Services& services, const std::string& name, const std::string& field,
                    ModelRef* info, ApiError* error);

}  // namespace galen::server

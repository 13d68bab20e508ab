// The DICOM JSON Model (PS3.18 F), as far as answers of DICOMweb need it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/status.h"

namespace galen::dicomnet {

// An array of data sets, or one; nothing at all is none. DataLoss: no such JSON, or more than
// 500,000 values in it.
Result<std::vector<Json>> ParseDicomJson(std::string_view text);

// Values of an element, by its tag in eight hexadecimal digits ("0020000D"): texts, numbers as
// texts, of names the alphabetic form; trimmed, cut after 1,024 bytes, `most` of them. Other values
// are left out.
std::vector<std::string> JsonTexts(const Json& data_set, const char* tag, size_t most = 1000);
// The first of them, or "".
std::string JsonText(const Json& data_set, const char* tag);
// A count; 0: there is none.
int64_t JsonCount(const Json& data_set, const char* tag);
// Items of a sequence.
std::vector<const Json*> JsonItems(const Json& data_set, const char* tag);

}  // namespace galen::dicomnet

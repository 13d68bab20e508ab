// The labels of a zero-shot classification, from the command line or a file.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace galen::cli {

// Labels in one argument are parted by commas; spaces around them do not count. InvalidArgument for
// an empty label or one that occurs twice.
Result<std::vector<std::string>> LabelsOfArguments(const std::vector<std::string>& arguments);
// One label a line, empty lines left out. DataLoss when the file is no UTF-8 text, NotFound when it
// has no label, ResourceExhausted beyond 100,000 labels.
Result<std::vector<std::string>> LabelsOfFile(const std::string& path);

// `pattern` with each "{}" replaced by a label. InvalidArgument without one.
Result<std::vector<std::string>> FillTemplate(const std::string& pattern,
                                              const std::vector<std::string>& labels);

}  // namespace galen::cli

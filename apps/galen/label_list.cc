#include "label_list.h"

#include <unordered_set>

#include "base/files.h"

namespace galen::cli {
namespace {

constexpr size_t kMaxLabels = 100000;
constexpr size_t kMaxFileBytes = size_t{16} << 20;
constexpr std::string_view kSpaces = " \t\r\f\v";

std::string_view Trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(kSpaces);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpaces) - begin + 1);
}

std::vector<std::string> Split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(separator, begin), text.size());
    parts.emplace_back(Trim(text.substr(begin, end - begin)));
    begin = end + 1;
  }
  return parts;
}

Status CheckLabels(const std::vector<std::string>& labels, const std::string& source) {
  if (labels.empty()) return NotFound(source + ": no label");
  if (labels.size() > kMaxLabels) {
    return ResourceExhausted(source + ": " + std::to_string(labels.size()) + " labels; at most " +
                             std::to_string(kMaxLabels) + " are possible");
  }
  std::unordered_set<std::string_view> seen;
  for (const std::string& label : labels) {
    if (label.empty()) return InvalidArgument(source + ": an empty label");
    if (!seen.insert(label).second) {
      return InvalidArgument(source + ": the label '" + label.substr(0, 64) + "' occurs twice");
    }
  }
  return OkStatus();
}

// Control characters do not occur in lists that people write; in anything binary they do.
bool IsText(std::string_view bytes) {
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 32 && c != '\n' && kSpaces.find(c) == std::string_view::npos) || byte == 127) {
      return false;
    }
  }
  return true;
}

}  // namespace

Result<std::vector<std::string>> LabelsOfArguments(const std::vector<std::string>& arguments) {
  std::vector<std::string> labels;
  for (const std::string& argument : arguments) {
    for (std::string& label : Split(argument, ',')) labels.push_back(std::move(label));
  }
  RETURN_IF_ERROR(CheckLabels(labels, "--labels"));
  return labels;
}

Result<std::vector<std::string>> LabelsOfFile(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path, kMaxFileBytes));
  if (!IsText(bytes)) {
    return DataLoss(path + " is no text file; it should hold one label a line");
  }
  std::vector<std::string> labels;
  for (std::string& label : Split(bytes, '\n')) {
    if (!label.empty()) labels.push_back(std::move(label));
  }
  RETURN_IF_ERROR(CheckLabels(labels, path));
  return labels;
}

Result<std::vector<std::string>> FillTemplate(const std::string& pattern,
                                              const std::vector<std::string>& labels) {
  constexpr std::string_view kPlace = "{}";
  if (pattern.find(kPlace) == std::string::npos) {
    return InvalidArgument("--template '" + pattern.substr(0, 64) +
                           "' has no {} where the label goes");
  }
  std::vector<std::string> texts;
  for (const std::string& label : labels) {
    std::string text;
    size_t begin = 0;
    for (size_t at; (at = pattern.find(kPlace, begin)) != std::string::npos;
         begin = at + kPlace.size()) {
      text += pattern.substr(begin, at - begin) + label;
    }
    texts.push_back(text + pattern.substr(begin));
  }
  return texts;
}

}  // namespace galen::cli

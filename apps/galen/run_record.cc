#include "run_record.h"

#include "base/files.h"

namespace galen::cli {
namespace {

std::string RecordPath(const std::string& path) { return path + ".run.json"; }

std::string Dump(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

Status WriteRunRecord(const std::string& path, const Json& settings) {
  return WriteFileAtomically(RecordPath(path), Dump(settings));
}

Status CheckRunRecord(const std::string& path, const Json& settings) {
  const std::string record = RecordPath(path);
  const std::string advice = "; leave --resume out to write the file anew, or name another --out";
  if (!FileExists(record)) {
    return InvalidArgument(record + " is missing, so nothing says what the rows of " + path +
                           " were made with" + advice);
  }
  ASSIGN_OR_RETURN(const std::string text, ReadFile(record));
  const Result<Json> recorded = ParseJson(text);
  if (!recorded.ok() || !recorded->is_object()) {
    return InvalidArgument(record + " is damaged, so nothing says what the rows of " + path +
                           " were made with" + advice);
  }
  // What the file can hold: names may be no UTF-8.
  ASSIGN_OR_RETURN(const Json wanted, ParseJson(Dump(settings)));
  std::string differing;
  for (const auto& [key, value] : wanted.items()) {
    const auto found = recorded->find(key);
    if (found != recorded->end() && *found == value) continue;
    if (!differing.empty()) differing += ", ";
    differing += key;
    if (found != recorded->end() && found->is_string() && value.is_string()) {
      differing.append(" (").append(found->get<std::string>()).append(" there, ");
      differing.append(value.get<std::string>()).append(" now)");
    }
  }
  if (differing.empty()) return OkStatus();
  return InvalidArgument("the rows of " + path + " were made with other settings: " + differing +
                         advice);
}

}  // namespace galen::cli

#include "run_record.h"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>
#include <vector>

#include "base/files.h"
#include "base/sha256.h"

namespace galen::cli {
namespace {

constexpr size_t kBytesOfTensor = 4096;

std::string RecordPath(const std::string& path) { return path + ".run.json"; }

std::string Dump(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string Digest(std::string_view text) {
  return Sha256Hex({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

}  // namespace

Result<std::string> ModelDigest(const Checkpoint& checkpoint) {
  constexpr auto kFiles = std::to_array<std::string_view>(
      {"config.json", "preprocessor_config.json", "processor_config.json", "tokenizer_config.json",
       "tokenizer.json", "spiece.model", "vocab.json", "merges.txt"});
  std::string parts;
  for (const std::string_view name : kFiles) {
    const std::string path = checkpoint.directory() + "/" + std::string(name);
    if (!FileExists(path)) continue;
    ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
    parts.append(name).append(" ").append(Digest(text)).append("\n");
  }
  for (const TensorInfo& tensor : checkpoint.tensors()) {
    parts.append(tensor.name).append(" ").append(tensor.type_name);
    for (const int64_t d : tensor.shape) parts.append(" ").append(std::to_string(d));
    const auto first = tensor.bytes.first(std::min(kBytesOfTensor, tensor.bytes.size()));
    parts.append(" ").append(std::to_string(tensor.bytes.size()));
    parts.append(" ").append(Sha256Hex(first)).append("\n");
  }
  return Digest(parts);
}

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

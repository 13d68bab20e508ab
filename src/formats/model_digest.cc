#include "formats/model_digest.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/files.h"
#include "base/sha256.h"

namespace galen {
namespace {

constexpr size_t kBytesOfTensor = 4096;

std::string DigestOfText(std::string_view text) {
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
    parts.append(name).append(" ").append(DigestOfText(text)).append("\n");
  }
  for (const TensorInfo& tensor : checkpoint.tensors()) {
    parts.append(tensor.name).append(" ").append(tensor.type_name);
    for (const int64_t d : tensor.shape) parts.append(" ").append(std::to_string(d));
    const auto first = tensor.bytes.first(std::min(kBytesOfTensor, tensor.bytes.size()));
    parts.append(" ").append(std::to_string(tensor.bytes.size()));
    parts.append(" ").append(Sha256Hex(first)).append("\n");
  }
  return DigestOfText(parts);
}

}  // namespace galen

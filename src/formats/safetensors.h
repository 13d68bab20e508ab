// safetensors: one file, or the index that spreads a checkpoint over several files.
// Format: https://huggingface.co/docs/safetensors. A file is a u64 header length, a JSON header and
// one byte buffer, which the tensors have to cover without holes or overlaps.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "formats/tensor_info.h"

namespace galen {

// The reference implementation's limit for the JSON header.
inline constexpr uint64_t kMaxSafetensorsHeader = 100'000'000;

struct SafetensorsFile {
  std::vector<TensorInfo> tensors;  // in the order of their bytes; views into the parsed bytes
  std::map<std::string, std::string> metadata;  // "__metadata__", e.g. {"format": "pt"}
};

// Reads the header of `bytes` (a whole file); `name` is used in messages only. DataLoss: truncated,
// corrupt or hostile. Unsupported: a dtype that nobody knows. Tensor data may lie at any alignment.
Result<SafetensorsFile> ParseSafetensors(std::span<const uint8_t> bytes, const std::string& name);

// Shard file name -> names of its tensors.
using SafetensorsIndex = std::map<std::string, std::vector<std::string>>;

// Reads model.safetensors.index.json. Shards are plain file names beside the index: a name that
// leads anywhere else is refused.
Result<SafetensorsIndex> ParseSafetensorsIndex(std::string_view json, const std::string& name);

}  // namespace galen

// Quantises a whole checkpoint: reads it piece by piece, writes another one that appears under its
// name only when it is whole.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/threads.h"
#include "quantize/output_tensor.h"

namespace galen {

// Parts that the type of the rest need not fit.
enum class HeadType : uint8_t {
  kAuto,  // GGUF: llama.cpp's choice (q6_k, or q8_0); bitsandbytes: kept
  kKeep,  // as in the source
  kQ8_0,
  kSame,  // as everything else
};
enum class VisionType : uint8_t { kKeep, kSame };

struct QuantizeOptions {
  // "nf4", "int8": a Hugging Face directory with bitsandbytes weights, from a Hugging Face
  // directory. Any of GgufRecipeNames(): a GGUF file.
  std::string type;
  HeadType head = HeadType::kAuto;
  VisionType vision = VisionType::kKeep;
  // nf4: scales are quantised to 8 bits too.
  bool double_quant = true;
  int64_t shard_bytes = int64_t{5} << 30;  // of a safetensors file; a larger tensor gets its own
  // Importance of the columns of a matrix, by the source's tensor name (quantize/calibration.h);
  // GGUF types only.
  const std::map<std::string, std::vector<float>>* importance = nullptr;
  ThreadPool* pool = nullptr;  // null: one of all processors
  // Told now and then how many more of `total` elements are done.
  std::function<void(int64_t total, int64_t done)> progress;
};

struct TensorReport {
  std::string name;
  std::string from;
  std::string to;
  int64_t elements = 0;
  int64_t source_bytes = 0;
  int64_t bytes = 0;  // statistics included
  TensorError error;
};

struct QuantizeReport {
  std::string path;
  int64_t source_bytes = 0;
  int64_t bytes = 0;
  std::vector<TensorReport> tensors;  // in the order of the output
  std::vector<std::string> notes;     // for people
};

// Words of --type, in the order to list them.
std::vector<std::string_view> QuantizeTypeNames();

// source: a GGUF file or a Hugging Face directory. destination must not exist (an empty directory
// may, for directories). InvalidArgument: a type that does not fit the source or names nothing.
// ResourceExhausted: no room on the disk. Nothing is left at the destination after an error.
Result<QuantizeReport> QuantizeCheckpoint(const std::string& source, const std::string& destination,
                                          const QuantizeOptions& options);

}  // namespace galen

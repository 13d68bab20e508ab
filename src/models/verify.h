// Golden vectors: tiny models of each architecture with what the reference computes from them,
// inside the program. Replaying them shows whether this build, on this processor, computes what the
// reference does; it needs no other file.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/threads.h"
#include "kernels/kernel_table.h"

namespace galen {

// One compared activation: |difference| at most, relative to the root mean square of the
// reference's values.
struct LayerCheck {
  std::string name;  // "vision.layers.0", "layers.3", "logits"
  double error = 0;
  double limit = 0;
  bool ok() const { return error <= limit; }  // NaN is no pass
};

struct VerifyResult {
  std::string vectors;             // "gemma3", "gemma3-vision", ...
  std::string made_by;             // program and versions of the reference
  std::vector<LayerCheck> layers;  // in the order in which they are computed
  // Null: pass.
  const LayerCheck* first_failure() const;
};

// Names of all vectors, and those for a family ("gemma3": its text part, and its image part if
// wanted).
std::vector<std::string> GoldenNames();
std::vector<std::string> GoldenNamesFor(std::string_view architecture, bool images);

// fp32: limits of the parity tests, from the number of roundings in sequence. bf16: inputs of
// products are rounded to 8 bits. NotFound lists the names.
Result<VerifyResult> Verify(std::string_view vectors, const KernelTable& kernels, ThreadPool& pool,
                            Compute compute);
// The same for vectors in memory (a safetensors file; its metadata hold config and origin).
Result<VerifyResult> VerifyBytes(std::span<const uint8_t> bytes, const std::string& name,
                                 const KernelTable& kernels, ThreadPool& pool, Compute compute);

}  // namespace galen

// An adapter added into the weights of a dense checkpoint, and what an adapter weighs.
#pragma once

#include <functional>
#include <string>

#include "formats/adapter_file.h"

namespace galen {

struct MergeOptions {
  double scale = 1.0;
  bool float32 = false;  // changed tensors as F32 instead of the base's type
  // Called now and then with the bytes done and in all; false stops the merge.
  std::function<bool(int64_t done, int64_t total)> progress;
};

struct MergeReport {
  int64_t changed = 0;  // tensors
  int64_t bytes = 0;    // of the file
  bool untied = false;  // the head has become a matrix of its own
};

// Writes the directory `out`, which must not exist, with the base's files and one
// model.safetensors: each changed matrix is W + scale * b a (DoRA: its rows scaled), summed in fp32
// and rounded once. base: a Hugging Face directory of F32, F16 or BF16 weights. Nothing is left
// behind on failure.
Result<MergeReport> MergeAdapter(const std::string& base, const AdapterFile& adapter,
                                 const MergeOptions& options, const std::string& out);

// Frobenius norm of scaling * b a; 0: it changes nothing.
double DeltaNorm(const AdapterModule& module);

}  // namespace galen

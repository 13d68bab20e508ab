// The tensors of a checkpoint that is being written, and the loop that fills them: pieces of rows
// are read, converted and written by all workers, so that memory does not grow with the model.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/output_file.h"
#include "base/threads.h"
#include "formats/checkpoint.h"
#include "tensor/formats/bnb_4bit.h"

namespace galen {

enum class OutputKind : uint8_t {
  kCopy,    // the bytes of the source
  kBlocks,  // rows of `dtype`
  kBnb4,    // bitsandbytes' codes and statistics
  kBnbInt8,
};

struct OutputTensor {
  std::string name;
  OutputKind kind = OutputKind::kCopy;

  // ---- from
  TensorInfo source;
  int64_t rows = 0;  // as a matrix; a vector is one row
  int64_t cols = 0;
  float offset = 0.0f;  // added to every value
  // > 0: rows of this many heads change from half-split to interleaved rotation.
  int64_t interleaved_heads = 0;
  // Importance of each column for the error that is minimised; empty: none.
  std::span<const float> importance;

  // ---- to
  DType dtype = DType::kF32;
  const OutputFile* file = nullptr;
  int64_t at = 0;  // in the file
  // kBnb4: where its statistics go. nested: absmax are 8-bit codes.
  bool nested = false;
  int64_t blocksize = 64;
  int64_t absmax_at = 0;  // kBnbInt8: SCB
  int64_t nested_absmax_at = 0;
  int64_t state_at = 0;

  int64_t elements() const { return rows * cols; }
};

// How far the written values are from the source's.
struct TensorError {
  double squares = 0;         // sum of squared differences
  double source_squares = 0;  // sum of squared values
  double largest = 0;         // difference
  double relative_rms() const;
};

// Bytes that the state of a 4-bit matrix gets in the file: JSON, padded with spaces, since the
// offset of nested statistics is known only at the end.
inline constexpr int64_t kBnbStateBytes = 256;

// Fills all tensors; errors[i] is of tensors[i] (zero for copies). progress: elements done since
// the last call; called from worker 0 only. Pages of the source are let go as they were read.
Status WriteTensors(const Checkpoint& source, std::span<const OutputTensor> tensors,
                    ThreadPool& pool, const std::function<void(int64_t)>& progress,
                    std::vector<TensorError>* errors);

}  // namespace galen

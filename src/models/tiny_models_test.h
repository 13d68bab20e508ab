// The tiny checkpoints of tests/parity/models and what PyTorch computes from them, for the tests of
// this folder.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "formats/checkpoint.h"
#include "models/open_model.h"
#include "ops/tape.h"

namespace galen {

inline std::string TinyFolder(const std::string& name) {
  return std::string(GALEN_SOURCE_DIR) + "/tests/parity/models/tiny/" + name;
}

// Values of one tensor of an expected.safetensors.
inline std::vector<float> ReadFloats(const Checkpoint& file, const std::string& name) {
  const TensorInfo& tensor = **file.Find(name);
  std::vector<float> values(static_cast<size_t>(tensor.NumElements()));
  FormatOf(tensor.dtype).decode(tensor.bytes.data(), values.data(), tensor.NumElements());
  return values;
}

inline std::vector<int32_t> ReadInts(const Checkpoint& file, const std::string& name) {
  const TensorInfo& tensor = **file.Find(name);
  std::vector<int32_t> values(static_cast<size_t>(tensor.NumElements()));
  std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
  return values;
}

// Largest difference between a and b, and the root mean square of b.
struct Distance {
  float largest = 0.0f;
  float rms = 0.0f;
};

inline Distance Compare(std::span<const float> a, std::span<const float> b) {
  Distance d;
  double squares = 0;
  for (size_t i = 0; i < b.size(); ++i) {
    const float difference = std::fabs(a[i] - b[i]);
    if (!(difference <= d.largest)) d.largest = difference;  // NaN stays
    squares += static_cast<double>(b[i]) * b[i];
  }
  d.rms = static_cast<float>(std::sqrt(squares / static_cast<double>(b.size())));
  return d;
}

// A loaded model and its rows.
struct TinyModel : LoadedModel {
  std::vector<ParamSpec> specs;
};

inline Result<TinyModel> OpenTiny(const std::string& path, WeightUse use,
                                  const KernelTable& kernels, ThreadPool& pool) {
  OpenModelOptions options;
  options.use = use;
  options.kernels = &kernels;
  options.pool = &pool;
  TinyModel tiny;
  ASSIGN_OR_RETURN(static_cast<LoadedModel&>(tiny), OpenModel(path, options));
  tiny.specs = tiny.model->Params();
  return tiny;
}

// The packed sequences of an expected.safetensors as a batch in the variable-length form.
struct TinyBatch {
  explicit TinyBatch(const Checkpoint& expected) : tokens(ReadInts(expected, "tokens")) {
    for (const int32_t length : ReadInts(expected, "lengths")) {
      const auto begin = static_cast<int64_t>(positions.size());
      spans.push_back({begin, begin + length, 0, nullptr});
      for (int32_t i = 0; i < length; ++i) positions.push_back(i);
    }
    for (size_t i = 0; i < tokens.size(); ++i) rows.push_back(static_cast<int32_t>(i));
  }
  Batch batch() const {
    Batch b;
    b.tokens = tokens;
    b.positions = positions;
    b.spans = spans;
    b.logit_rows = rows;
    return b;
  }
  // Next tokens; the last of each sequence is not counted.
  std::vector<int32_t> targets() const {
    std::vector<int32_t> next(tokens.begin() + 1, tokens.end());
    next.push_back(-100);
    for (const SequenceSpan& span : spans) next[static_cast<size_t>(span.end - 1)] = -100;
    return next;
  }

  std::vector<int32_t> tokens;
  std::vector<int32_t> positions;
  std::vector<int32_t> rows;
  std::vector<SequenceSpan> spans;
};

// A folder of this process alone: the same tests run at once under several instruction sets.
inline const std::string& OwnTempDir() {
  static const std::string folder = [] {
    std::string path = testing::TempDir() + "/galen_models_XXXXXX";
    return std::string(::mkdtemp(path.data()) == nullptr ? testing::TempDir() : path);
  }();
  return folder;
}

}  // namespace galen

// Importance of the columns of a model's matrices, from running it over a text: the mean square of
// each input. The encoders of GGUF's formats weigh errors with it (llama.cpp's "imatrix").
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/threads.h"

namespace galen {

struct CalibrationOptions {
  int64_t max_tokens = 16384;
  int64_t window = 512;                                       // tokens that see each other
  std::function<void(int64_t total, int64_t done)> progress;  // tokens
};

struct Calibration {
  int64_t tokens = 0;
  // By the names of the source's tensors. Matrices of the layers only.
  std::map<std::string, std::vector<float>> importance;
};

// source: a GGUF file or a Hugging Face directory, whose weights are loaded for it. text: UTF-8.
Result<Calibration> Calibrate(const std::string& source, const std::string& text, ThreadPool& pool,
                              const CalibrationOptions& options = {});

}  // namespace galen

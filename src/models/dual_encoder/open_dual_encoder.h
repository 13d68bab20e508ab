// From a Hugging Face directory to an image-text model that can run.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "models/dual_encoder/dual_encoder.h"
#include "models/weight_store.h"

namespace galen {

// Headers only.
struct DualEncoderFiles {
  std::shared_ptr<const Checkpoint> checkpoint;
  DualEncoderConfig config;
};

// Whether `path` is a directory (or a file in one) whose config.json names an image-text model or
// one of its towers. False for anything that cannot be read.
bool IsDualEncoderPath(const std::string& path);

Result<DualEncoderFiles> ReadDualEncoder(const std::string& path);

struct OpenDualEncoderOptions {
  WeightUse use = WeightUse::kInference;
  // Towers that are wanted; one that the file lacks is NotFound.
  bool vision = true;
  bool text = true;
  // What the model will compute in. Other than fp32: fp32 and fp16 matrices are kept as bf16, which
  // is what they would be multiplied as. kInt8: the image tower gets int8 matrices beside its own.
  // With WeightUse::kInference only.
  Compute compute = Compute::kFp32;
  // Called before memory is taken; an error ends the loading and is passed on.
  std::function<Status(const DualEncoder& model, const WeightPlan& plan)> admit;
};

struct LoadedDualEncoder {
  std::shared_ptr<const Checkpoint> checkpoint;
  std::unique_ptr<DualEncoder> model;
  WeightStore weights;  // what the model's slots point into
  WeightPlan plan;
};

Result<LoadedDualEncoder> OpenDualEncoder(const std::string& path,
                                          const OpenDualEncoderOptions& options,
                                          const KernelTable& kernels, ThreadPool& pool);

}  // namespace galen

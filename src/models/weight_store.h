// Memory of a model's weights: planned, then filled from a checkpoint into the slots of the model's
// ParamSpecs.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/threads.h"
#include "formats/checkpoint.h"
#include "kernels/kernel_table.h"
#include "models/param_sources.h"
#include "tensor/arena.h"

namespace galen {

enum class WeightUse {
  kInference,  // matrices re-laid for the kernels; pages of the file are let go as they were read
  kMapped,     // matrices stay in the mapped file, row by row: the frozen base of a training run
  kTrained,    // dense fp32 copies, each with a gradient
};

// Bytes that WeightStore::Load will allocate.
struct WeightPlan {
  int64_t matrix_bytes = 0;
  int64_t vector_bytes = 0;
  int64_t gradient_bytes = 0;
  // Stays in the file's mapping (kMapped): not allocated, and given back under pressure.
  int64_t mapped_bytes = 0;

  int64_t allocated() const { return matrix_bytes + vector_bytes + gradient_bytes; }
};

class WeightStore {
 public:
  WeightStore() = default;
  WeightStore(WeightStore&&) = default;
  WeightStore& operator=(WeightStore&&) = default;

  static WeightPlan Plan(const Checkpoint& checkpoint, std::span<const ParamSource> params,
                         WeightUse use, const KernelTable& kernels);

  // Fills the slots. The pool must be idle. ResourceExhausted when memory cannot be reserved.
  static Result<WeightStore> Load(std::shared_ptr<const Checkpoint> checkpoint,
                                  std::span<const ParamSource> params, WeightUse use,
                                  const KernelTable& kernels, ThreadPool& pool);

  // Random weights for measurements: every row of specs[i] in dtypes[i] (matrices) or all ones
  // (vectors), re-laid.
  static Result<WeightStore> Random(std::span<const ParamSpec> specs, std::span<const DType> dtypes,
                                    const KernelTable& kernels, ThreadPool& pool);
  static WeightPlan PlanRandom(std::span<const ParamSpec> specs, std::span<const DType> dtypes,
                               const KernelTable& kernels);

 private:
  std::shared_ptr<const Checkpoint> checkpoint_;  // kMapped reads from it
  PageBuffer weights_;
  PageBuffer gradients_;
};

}  // namespace galen

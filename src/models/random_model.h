// A model of a published shape with random weights in memory, for measurements without a file:
// `galen bench --shape`.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "models/causal_lm.h"
#include "models/weight_store.h"

namespace galen {

struct RandomModel {
  std::unique_ptr<CausalLM> model;
  WeightStore weights;
  WeightPlan plan;
};

// "medgemma-4b", "gemma3-270m", ... for messages and help.
std::vector<std::string_view> RandomModelShapes();

// shape: one of the above. type: a block format ("q4_0", "bf16", ...), or "q4_k_m". The type of
// each matrix is what llama-quantize gives it: a quantised file's output matrix is q6_k (q8_0 in a
// q8_0 file), and rows that are no whole k-quant blocks take the next larger format of 32.
// InvalidArgument lists the known names.
Result<ModelConfig> ShapeConfig(std::string_view shape);
Result<RandomModel> MakeRandomModel(std::string_view shape, std::string_view type,
                                    const KernelTable& kernels, ThreadPool& pool);

}  // namespace galen

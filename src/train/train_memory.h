// What a run will need, before anything is loaded.
#pragma once

#include <cstdint>
#include <string>

#include "models/causal_lm.h"
#include "models/vision/vision_config.h"

namespace galen {

struct TrainMemory {
  int64_t base = 0;        // frozen weights as they are packed
  int64_t parameters = 0;  // trained values
  int64_t gradients = 0;
  int64_t optimiser = 0;
  int64_t activations = 0;
  int64_t total() const { return base + parameters + gradients + optimiser + activations; }
};

// "needs 5.6 GB: base 3.2 GB, parameters 66 MB, ...".
std::string DescribeMemory(const TrainMemory& memory);
// ResourceExhausted says what is missing and what would make the run smaller.
Status CheckTrainMemory(const TrainMemory& memory, int64_t available);

struct StepShape {
  int64_t tokens = 0;  // of a forward pass
  int64_t labels = 0;  // rows that meet the output head
  int64_t sequences = 0;
  // Floats for each token and layer that adapters keep beside the layer's own.
  int64_t adapter_floats = 0;
  bool recompute = false;
  // Images of the pass: views, their patches, and whether the tower is part of it; what adapters
  // keep for each patch and layer of the tower.
  int64_t views = 0, patches = 0;
  bool tower = false;
  int64_t tower_adapter_floats = 0;
};

// Upper bounds of what a part of a step takes from the arena, forward and back.
struct ArenaPlan {
  int64_t kept = 0;     // as long as the step
  int64_t passing = 0;  // beside that, by one part of the step at a time
  int64_t total() const { return kept + passing; }
};
// Two parts of one step.
ArenaPlan Together(const ArenaPlan& a, const ArenaPlan& b);

// The language model's part.
ArenaPlan TrainArena(const ModelConfig& config, const KernelTable& kernels, int threads,
                     const StepShape& shape);
// Rows through a stack of encoder blocks, in segments that see each other.
struct EncoderTrainShape {
  int64_t rows = 0, segments = 0, longest = 0;
  int64_t in = 0, hidden = 0, inner = 0, layers = 0, heads = 0;
  int64_t out = 0;             // width of what is made of the rows
  int64_t adapter_floats = 0;  // for each row and layer
  bool recompute = false;
};
ArenaPlan EncoderTrainArena(const EncoderTrainShape& shape, const KernelTable& kernels,
                            int threads);
// The part of a tower that is trained.
ArenaPlan TowerTrainArena(const VisionConfig& config, const KernelTable& kernels, int threads,
                          const StepShape& shape);

}  // namespace galen

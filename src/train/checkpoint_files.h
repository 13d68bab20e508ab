// Checkpoints of a run: OUTPUT/checkpoint-N with everything that continuing to the same bits needs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "train/train_param.h"

namespace galen {

// What a checkpoint says beside tensors: trainer_state.json.
struct TrainerState {
  int64_t step = 0;
  double best_eval_loss = 0;  // 0: none yet
  int64_t evaluations_without_gain = 0;
  Json identity;  // options and data that the result depends on; a resumed run must have the same
};

// Writes OUTPUT/checkpoint-STEP at once or not at all.
Status SaveCheckpoint(const std::string& output_dir, const TrainerState& state,
                      const std::vector<StateTensor>& tensors);
// The largest N of OUTPUT/checkpoint-N; -1: there is none.
int64_t LastCheckpoint(const std::string& output_dir);
// Fills the tensors and returns the state. DataLoss: a tensor is missing or has another size.
Result<TrainerState> LoadCheckpoint(const std::string& output_dir, int64_t step,
                                    const std::vector<StateTensor>& tensors);
// Removes all but the `keep` last, and what killed runs left behind. Not while one is saved.
void RemoveOldCheckpoints(const std::string& output_dir, int64_t keep);

}  // namespace galen

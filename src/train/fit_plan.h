// --fit: which options of a run are changed so that it needs no more than so much memory.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/status.h"
#include "train/options.h"
#include "train/train_memory.h"

namespace galen {

// One option that was changed, and what the run needs with it.
struct FitStep {
  std::string option, from, to;
  std::string cost;  // what it does to the training
  int64_t before = 0, after = 0;
};

struct FitSetup {
  int64_t bytes = 0;         // for the plan as a whole
  int64_t image_tokens = 0;  // of the largest image; 0: the run has no images
  // What a run needs. An error means that it cannot be run so; Cancelled ends the search.
  std::function<Result<TrainMemory>(const TrainOptions& options)> plan;
};

struct FitResult {
  TrainOptions options;
  TrainMemory memory;
  std::vector<FitStep> steps;
};

// "4GB", "512MB": bytes, powers of 1000 as in plans. InvalidArgument: no such size.
Result<int64_t> ParseMemorySize(const std::string& text);

// What this process holds already.
int64_t ProcessBytes();

// "fit: optim: adamw_8bit (was adamw): 2.1 GB instead of 3.0 GB; ...".
std::string DescribeFit(const FitStep& step);

// Changes options one by one, those first that change the result least, until the plan fits; an
// option that makes the plan no smaller stays. A function of options, plans and bytes alone.
// ResourceExhausted: nothing fits; it says what the smallest plan needs, and with which options.
Result<FitResult> FitOptions(const TrainOptions& options, const FitSetup& setup);

}  // namespace galen
